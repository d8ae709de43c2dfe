"""MPII Human Pose with true visibility."""

from __future__ import annotations

import os.path as osp
from typing import Any

import numpy as np
from mmpose.datasets.datasets.body import MpiiDataset
from mmpose.registry import DATASETS

from posestructs.datasets.checked_pose import CheckedPoseMixin
from posestructs.datasets.errors import AnnotationError
from posestructs.datasets.mpii_files import check_mpii_json, load_sidecar
from posestructs.datasets.readers import read_json, read_mat
from posestructs.structures.metainfo import joint_names, metainfo_file


@DATASETS.register_module()
class MpiiOcclusionDataset(CheckedPoseMixin, MpiiDataset):
    """mmpose's ``MpiiDataset`` with ``keypoints_occluded`` from a side-car file.

    Args:
        ann_file: mmpose's MPII json.
        occlusion_file: Output of ``tools/dataset_converters/mpii_occlusion.py`` for that json, relative to
            ``data_root``. Without one ``keypoints_occluded`` is None.
        **kwargs: Arguments of :class:`CheckedPoseMixin` and ``MpiiDataset``.

    Raises:
        FileNotFoundError: A file is missing.
        AnnotationError: A file does not hold what it must, or the side-car was made for another json.
    """

    METAINFO: dict = dict(from_file=metainfo_file('mpii_occlusion'))

    def __init__(self, ann_file: str = '', *, occlusion_file: str | None = None, **kwargs: Any) -> None:
        self.occlusion_file = occlusion_file
        super().__init__(ann_file=ann_file, **kwargs)

    def _file_joints(self) -> tuple[str, ...]:
        return joint_names('mpii_occlusion')

    def _join_prefix(self) -> None:
        super()._join_prefix()
        if self.occlusion_file and self.data_root:
            self.occlusion_file = osp.join(self.data_root, self.occlusion_file)

    def _load_annotations(self) -> tuple[list[dict], list[dict]]:
        images, joints, labelled = check_mpii_json(read_json(self.ann_file), self.ann_file)
        if self.headbox_file:
            self._check_headboxes(len(images))
        occluded = None
        if self.occlusion_file:
            occluded = load_sidecar(self.occlusion_file, self.ann_file, images, joints)
        instances, image_list = super()._load_annotations()
        for i, instance in enumerate(instances):
            instance['keypoints'][0, ~labelled[i]] = 0
            instance['keypoints_visible'] = labelled[i].astype(np.float32)[None]
            instance['num_keypoints'] = int(labelled[i].sum())
            instance['keypoints_occluded'] = (
                None if occluded is None else np.where(labelled[i], occluded[i], 0).astype(np.float32)[None]
            )
        return instances, image_list

    def _check_headboxes(self, count: int) -> None:
        boxes = read_mat(self.headbox_file, ['headboxes_src'])['headboxes_src']
        if boxes.shape != (2, 2, count):
            raise AnnotationError(
                self.headbox_file,
                f"key 'headboxes_src' has shape {boxes.shape}",
                f'{(2, 2, count)} for {self.ann_file}',
            )
