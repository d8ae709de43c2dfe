"""Frames Labeled In Cinema (FLIC)."""

from __future__ import annotations

import os.path as osp
from typing import Any

import numpy as np
from mmpose.registry import DATASETS

from posestructs.datasets.base import CheckedPoseDataset
from posestructs.datasets.errors import AnnotationError
from posestructs.datasets.flic_files import RAW_JOINTS, FLICPerson, read_flic
from posestructs.datasets.instances import box_from_joints, check_finite, make_instance
from posestructs.datasets.readers import read_ids
from posestructs.structures.metainfo import joint_names, metainfo_file
from posestructs.utils.checks import check_choice

_METAINFO = {'raw11': 'flic_11kpt', 'body10': 'flic'}


@DATASETS.register_module()
class FLICDataset(CheckedPoseDataset):
    """FLIC (Sapp and Taskar, CVPR 2013): 3,987 persons to train on, 1,016 to test on; upper bodies, observer-centric.

    Several persons may share an image, each labelled as the subject of it. FLIC has no
    occlusion labels: ``keypoints_occluded`` is None. Coordinates are the file's.

    Joints of ``body10`` (0 nose, 1 neck, 2 left shoulder, 3 left elbow, 4 left wrist, 5 left hip, 6 right shoulder,
    7 right elbow, 8 right wrist, 9 right hip) are the file's, except for the neck, the mean of the shoulders. ``raw11``
    has the file's (0 left shoulder, 1 left elbow, 2 left wrist, 3 right shoulder, 4 right elbow, 5 right wrist,
    6 left hip, 7 right hip, 8 left eye, 9 right eye, 10 nose).

    Args:
        ann_file: The official ``examples.mat``, or ``train.h5`` or ``valid.h5`` of the hourglass release.
        split: 'train', 'test', or 'all' of a ``.mat``: all but those that FLIC-full marks as bad or unchecked. An h5 is
            one split already and has only 'all'.
        joint_set: 'body10' or 'raw11'. It also chooses the metainfo where none is given.
        bbox_source: 'joints': around the labelled joints. 'file': the torso box of the ``.mat``, which published
            results may use at test time, or the square of the h5; ``bbox_padding`` scales these too.
        id_file: Text file of the persons to use in place of a split, one number (row of the file, from 1) a line.
        metainfo: Metainfo in place of that of ``joint_set``.
        data_prefix: Folder of the images under the key ``img``.
        **kwargs: Arguments of :class:`CheckedPoseDataset` and of mmpose's data sets.

    Raises:
        FileNotFoundError: A file is missing.
        AnnotationError: A file does not hold what it must.
    """

    METAINFO: dict = dict(from_file=metainfo_file('flic'))

    def __init__(
        self,
        ann_file: str = 'examples.mat',
        *,
        split: str = 'all',
        joint_set: str = 'body10',
        bbox_source: str = 'joints',
        metainfo: dict | None = None,
        data_prefix: dict | None = None,
        **kwargs: Any,
    ) -> None:
        allowed = dict(split=('all', 'train', 'test'), joint_set=tuple(_METAINFO), bbox_source=('joints', 'file'))
        for key, value in dict(split=split, joint_set=joint_set, bbox_source=bbox_source).items():
            check_choice(key, value, allowed[key])
        self.split, self.joint_set, self.bbox_source = split, joint_set, bbox_source
        super().__init__(
            ann_file=ann_file,
            metainfo=metainfo or dict(from_file=metainfo_file(_METAINFO[joint_set])),
            data_prefix=data_prefix or dict(img='images'),
            **kwargs,
        )

    def _file_joints(self) -> tuple[str, ...]:
        return joint_names(_METAINFO[self.joint_set])

    def _load_annotations(self) -> tuple[list[dict], list[dict]]:
        persons, has_splits = read_flic(self.ann_file)
        image_ids = {name: i for i, name in enumerate(dict.fromkeys(person.image for person in persons))}
        instances = [self._instance(person, image_ids[person.image]) for person in self._select(persons, has_splits)]
        instances = [item for item in instances if item['img_id'] % self.sample_interval == 0]
        images = {item['img_id']: dict(img_id=item['img_id'], img_path=item['img_path']) for item in instances}
        return instances, list(images.values())

    def _select(self, persons: list[FLICPerson], has_splits: bool) -> list[FLICPerson]:
        if self.id_file is not None:
            return [persons[number - 1] for number in read_ids(self.id_file, len(persons))]
        if not has_splits:
            if self.split != 'all':
                raise AnnotationError(
                    self.ann_file, f'split={self.split!r} is asked of an h5, which is one split', "split='all'"
                )
            return persons
        if self.split == 'all':
            return [person for person in persons if 'bad' not in person.splits]
        chosen = [person for person in persons if self.split in person.splits]
        if not chosen:
            raise AnnotationError(self.ann_file, f'split={self.split!r} is empty: no person has is{self.split} set')
        return chosen

    def _instance(self, person: FLICPerson, img_id: int) -> dict:
        keypoints, labelled = person.keypoints, person.labelled
        check_finite(keypoints, labelled, RAW_JOINTS, self.ann_file, f'{person.number} ({person.image})')
        if self.bbox_source == 'joints':
            bbox = box_from_joints(keypoints, labelled, self.bbox_padding, person.img_size)
        else:
            corners = person.box.reshape(2, 2)
            bbox = box_from_joints(corners, np.ones(2, dtype=bool), self.bbox_padding, person.img_size)
        if self.joint_set == 'body10':
            keypoints, labelled = to_body10(keypoints, labelled)
        return make_instance(
            keypoints,
            labelled,
            None,
            bbox,
            img_path=osp.join(self.data_prefix['img'], person.image),
            img_id=img_id,
            ann_id=person.number,
            file_box=person.box.astype(np.float32)[None],
        )


def to_body10(keypoints: np.ndarray, labelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 10-joint body of the FLIC experiments from the 11 joints of the file.

    Args:
        keypoints: (11, 2) in pixels.
        labelled: (11,) bool.

    Returns:
        tuple[np.ndarray, np.ndarray]: (10, 2) in pixels and (10,) bool: nose, neck = mean of the shoulders, then
        shoulder, elbow, wrist, hip of the left and of the right.
    """
    order = [10, 0, 0, 1, 2, 6, 3, 4, 5, 7]
    keypoints, labelled = keypoints[order], labelled[order]
    keypoints[1] = (keypoints[2] + keypoints[6]) / 2
    labelled[1] = labelled[2] and labelled[6]
    return keypoints, labelled
