"""COCO keypoints with occlusion labels."""

from __future__ import annotations

import numpy as np
from mmpose.datasets.datasets.body import CocoDataset
from mmpose.registry import DATASETS

from posestructs.datasets.base import CheckedPoseMixin
from posestructs.datasets.errors import AnnotationError
from posestructs.datasets.instances import check_finite
from posestructs.structures.metainfo import metainfo_file


@DATASETS.register_module()
class CocoOcclusionDataset(CheckedPoseMixin, CocoDataset):
    """mmpose's ``CocoDataset`` with ``keypoints_occluded`` from COCO's flag (0 not labelled, 1 occluded, 2 visible).

    Crowds and people without a labelled joint are dropped without a word, as mmpose does.

    Args:
        *args: ``CocoDataset``'s.
        **kwargs: :class:`CheckedPoseMixin`'s and ``CocoDataset``'s. With a ``bbox_file`` there are no labels.

    Raises:
        FileNotFoundError: A file is missing.
        AnnotationError: The annotation file does not hold what it must.
    """

    METAINFO: dict = dict(from_file=metainfo_file('coco_occlusion'))

    def _load_annotations(self) -> tuple[list[dict], list[dict]]:
        try:
            annotations = super()._load_annotations()
        except AnnotationError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
            what = f'cannot be read as COCO keypoints: {type(error).__name__}: {error}'
            raise AnnotationError(self.ann_file, what, 'COCO keypoint annotations') from error
        for image in set(self.coco.imgToAnns) - set(self.coco.imgs):
            ann_id = self.coco.imgToAnns[image][0]['id']
            raise AnnotationError(self.ann_file, f'annotation {ann_id}: image_id {image} is not among its images')
        return annotations

    def parse_data_info(self, raw_data_info: dict) -> dict | None:
        """One annotation in mmpose's fields.

        Args:
            raw_data_info (dict): ``raw_ann_info`` and ``raw_img_info`` of COCO.

        Returns:
            dict | None: The person, or None where it has no box or joints.
        """
        ann = raw_data_info['raw_ann_info']
        names = self._metainfo['keypoint_id2name']
        if 'keypoints' in ann and len(ann['keypoints']) != 3 * len(names):
            raise AnnotationError(
                self.ann_file,
                f'annotation {ann.get("id")}: keypoints has {len(ann["keypoints"])} numbers',
                3 * len(names),
            )
        instance = super().parse_data_info(raw_data_info)
        if instance is None:
            return None
        flags = np.array(ann['keypoints'], dtype=np.float64).reshape(-1, 3)[:, 2]
        if not np.isin(flags, (0, 1, 2)).all():
            raise AnnotationError(
                self.ann_file, f'annotation {ann["id"]}: keypoints has a flag out of {flags}', '0, 1, 2'
            )
        check_finite(instance['keypoints'][0], flags > 0, names, self.ann_file, ann['id'])
        instance['keypoints'][0, flags == 0] = 0
        instance['keypoints_occluded'] = (flags == 1).astype(np.float32)[None]
        return instance

    def _instance_problem(self, instance: dict) -> str | None:
        if instance['iscrowd'] or instance['num_keypoints'] == 0:
            return None
        return super()._instance_problem(instance)
