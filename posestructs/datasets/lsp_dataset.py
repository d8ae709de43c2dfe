"""Leeds Sports Poses, and its extension, from their official files."""

from __future__ import annotations

import logging
import os.path as osp
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmpose.registry import DATASETS

from posestructs.datasets.base import CheckedPoseDataset
from posestructs.datasets.errors import AnnotationError
from posestructs.datasets.instances import box_from_joints, check_finite, make_instance
from posestructs.datasets.observer_centric import to_observer_centric
from posestructs.datasets.readers import read_ids, read_mat
from posestructs.structures.metainfo import joint_names, metainfo_file
from posestructs.utils.checks import check_choice

_SPLITS = {'all': (1, 2000), 'train': (1, 1000), 'test': (1001, 2000)}


@DATASETS.register_module()
class LSPDataset(CheckedPoseDataset):
    """LSP (2,000 persons, BMVC 2010) and LSPE (10,000 persons, CVPR 2011), distinguished by the shape of ``joints``.

    LSP's (3, 14, 2000) holds x, y, **occluded**: every joint is labelled. LSPE's (14, 3, 10000) holds x, y,
    **labelled**: an unlabelled joint has no position, so that ``keypoints_occluded`` is None there.

    Coordinates are the file's. The origin of its pixels, 0 or 1, is not documented and does not follow from the
    values: they lie on the lattice of the authors' resizing, shifted by a fraction of a pixel by their crop. One pixel
    is about 1/150 of a person, and no metric changes where target and prediction share the origin.

    Joints: 0 right ankle, 1 right knee, 2 right hip, 3 left hip, 4 left knee, 5 left ankle, 6 right wrist,
    7 right elbow, 8 right shoulder, 9 left shoulder, 10 left elbow, 11 left wrist, 12 neck, 13 head top.

    Args:
        ann_file: ``joints.mat``, or ``joints_pc_oc.mat``, which has both kinds of labels of LSP.
        split: 'train' (persons 1 to 1000), 'test' (1001 to 2000) or 'all'. LSPE has only 'all'.
        id_file: Text file of the persons to use in place of a split, with one number (from 1) or image name per line.
        centric: 'person' (right is the person's right) or 'observer' (right is on the image's left, as for an upright
            person who faces the camera). Observer-centric labels are read from the file's ``oc_joints``, else made from
            ``joints`` by :func:`to_observer_centric`.
        filename_tmpl: Image name from the person's number. By default ``im{:04d}.jpg`` for LSP, ``im{:05d}.jpg`` for
            LSPE.
        data_prefix: Folder of the images under the key ``img``.
        **kwargs: Arguments of :class:`CheckedPoseDataset` and of mmpose's data sets.

    Raises:
        FileNotFoundError: A file is missing.
        AnnotationError: A file does not hold what it must.
    """

    METAINFO: dict = dict(from_file=metainfo_file('lsp'))

    def __init__(
        self,
        ann_file: str = 'joints.mat',
        *,
        split: str = 'all',
        centric: str = 'person',
        filename_tmpl: str | None = None,
        data_prefix: dict | None = None,
        **kwargs: Any,
    ) -> None:
        check_choice('split', split, _SPLITS)
        check_choice('centric', centric, ('person', 'observer'))
        if filename_tmpl is not None:
            check_template(filename_tmpl)
        self.split, self.centric, self.filename_tmpl = split, centric, filename_tmpl
        super().__init__(ann_file=ann_file, data_prefix=data_prefix or dict(img='images'), **kwargs)

    def _file_joints(self) -> tuple[str, ...]:
        return joint_names('lsp')

    def _load_annotations(self) -> tuple[list[dict], list[dict]]:
        joints, is_lsp, centric = self._read_joints()
        tmpl = self.filename_tmpl or ('im{:04d}.jpg' if is_lsp else 'im{:05d}.jpg')
        numbers = [number for number in self._ids(len(joints), is_lsp) if number % self.sample_interval == 0]
        chosen = joints[np.array(numbers, dtype=int) - 1]
        if centric != self.centric:
            chosen = self._to_observer_centric(chosen, numbers, is_lsp)
        instances = [
            self._instance(person, number, tmpl.format(number), is_lsp)
            for person, number in zip(chosen, numbers, strict=True)
        ]
        images = [dict(img_id=item['img_id'], img_path=item['img_path']) for item in instances]
        return instances, images

    def _read_joints(self) -> tuple[np.ndarray, bool, str]:
        """(persons, 14, 3) x, y, flag, whether the flag is LSP's, and whose left and right they are."""
        content = read_mat(self.ann_file)
        key = 'oc_joints' if self.centric == 'observer' and 'oc_joints' in content else 'joints'
        if key not in content:
            raise AnnotationError(self.ann_file, f"key 'joints' is missing, it has {sorted(content)}", 'LSP or LSPE')
        raw = content[key]
        joints, is_lsp = split_layout(raw, self.ann_file, key)
        check_flags(joints, self.ann_file, key)
        return joints, is_lsp, 'observer' if key == 'oc_joints' else 'person'

    def _to_observer_centric(self, joints: np.ndarray, numbers: list[int], is_lsp: bool) -> np.ndarray:
        """Apply the rule to the chosen persons, with one warning about those whom it cannot decide."""
        labelled = np.ones(joints.shape[:2], dtype=bool) if is_lsp else joints[..., 2] > 0
        joints, undecided = to_observer_centric(joints, labelled)
        if undecided.any():
            print_log(
                f'{self.ann_file}: {undecided.sum()} of {len(joints)} persons lack labelled shoulders or hips to '
                f'separate left from right, the first: {numbers[int(undecided.argmax())]}; they stay person-centric',
                logger='current',
                level=logging.WARNING,
            )
        return joints

    def _ids(self, count: int, is_lsp: bool) -> list[int]:
        if self.id_file is not None:
            return read_ids(self.id_file, count)
        if not is_lsp:
            if self.split != 'all':
                raise AnnotationError(
                    self.ann_file, f'split={self.split!r} is asked of LSPE', "split='all' or an id_file"
                )
            return list(range(1, count + 1))
        first, last = _SPLITS[self.split]
        return list(range(first, last + 1))

    def _instance(self, joints: np.ndarray, number: int, name: str, is_lsp: bool) -> dict:
        keypoints, flag = joints[:, :2], joints[:, 2] > 0
        labelled = np.ones(len(flag), dtype=bool) if is_lsp else flag
        check_finite(keypoints, labelled, self._metainfo['keypoint_id2name'], self.ann_file, number)
        return make_instance(
            keypoints,
            labelled,
            flag if is_lsp else None,
            box_from_joints(keypoints, labelled, self.bbox_padding),
            img_path=osp.join(self.data_prefix['img'], name),
            img_id=number,
            ann_id=number,
        )


def check_template(filename_tmpl: str) -> None:
    """Refuse a template that does not make a name of each number.

    Args:
        filename_tmpl: Image name from the person's number.

    Raises:
        ValueError: It cannot be filled in by a number, or makes the same name of two.
    """
    allowed = "a format with one number, such as 'im{:04d}.jpg'"
    try:
        same = filename_tmpl.format(1) == filename_tmpl.format(2)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'filename_tmpl={filename_tmpl!r}, allowed: {allowed}') from error
    if same:
        raise ValueError(f'filename_tmpl={filename_tmpl!r} gives every person the same image, allowed: {allowed}')


def split_layout(raw: np.ndarray, path: str, key: str) -> tuple[np.ndarray, bool]:
    """Recognise LSP or LSPE by the shape, and bring both to one layout.

    Args:
        raw: (3, 14, 2000) of LSP or (14, 3, 10000) of LSPE.
        path: The file, for errors.
        key: The variable, for errors.

    Returns:
        tuple[np.ndarray, bool]: (persons, 14, 3) float64 of x, y, flag; True for LSP.

    Raises:
        AnnotationError: It is neither.
    """
    allowed = '(3, 14, 2000) of LSP or (14, 3, 10000) of LSPE, of numbers'
    if not isinstance(raw, np.ndarray) or raw.dtype.kind not in 'fiu':
        raise AnnotationError(path, f'key {key!r} is of type {getattr(raw, "dtype", type(raw).__name__)}', allowed)
    if raw.shape == (3, 14, 2000):
        return raw.transpose(2, 1, 0).astype(np.float64), True
    if raw.shape == (14, 3, 10000):
        return raw.transpose(2, 0, 1).astype(np.float64), False
    raise AnnotationError(path, f'key {key!r} has shape {raw.shape}', allowed)


def check_flags(joints: np.ndarray, path: str, key: str) -> None:
    """Refuse flags other than 0 and 1.

    Args:
        joints: (persons, 14, 3) of x, y, flag.
        path: The file, for errors.
        key: The variable, for errors.

    Raises:
        AnnotationError: There is one.
    """
    wrong = np.argwhere(~np.isin(joints[..., 2], (0, 1)))
    if len(wrong):
        person, joint = wrong[0]
        raise AnnotationError(
            path, f'key {key!r}, person {person + 1}, joint {joint}: flag {joints[person, joint, 2]}', '0 or 1'
        )
