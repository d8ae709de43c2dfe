"""COCO keypoints with occlusion labels."""

from __future__ import annotations

import logging
import os.path as osp
from collections.abc import Mapping

import numpy as np
from mmengine.logging import print_log
from mmpose.datasets.datasets.body import CocoDataset
from mmpose.registry import DATASETS

from posestructs.datasets.checked_pose import CheckedPoseMixin
from posestructs.datasets.coco_checks import CocoCheck, check_coco
from posestructs.datasets.detections import check_detections, detection_instances
from posestructs.datasets.errors import AnnotationError
from posestructs.datasets.readers import read_json, require_file
from posestructs.structures.metainfo import metainfo_file


@DATASETS.register_module()
class CocoOcclusionDataset(CheckedPoseMixin, CocoDataset):
    """mmpose's ``CocoDataset`` with ``keypoints_occluded`` from COCO's flag (0 not labelled, 1 occluded, 2 visible).

    It takes any file of COCO's format, for any skeleton. The whole file is checked by :func:`check_coco` before
    anything else reads it. Crowds and persons without a labelled joint are not samples, as in mmpose. A person who
    cannot be used is an error in a test set, and is left out of a training set with a warning and a count.

    Args:
        *args: Arguments of ``CocoDataset``.
        **kwargs: Arguments of :class:`CheckedPoseMixin` and ``CocoDataset``. With a ``bbox_file`` there are no labels.

    Raises:
        FileNotFoundError: A file is missing.
        AnnotationError: A file does not hold what it must.
    """

    METAINFO: dict = dict(from_file=metainfo_file('coco_occlusion'))

    def _load_annotations(self) -> tuple[list[dict], list[dict]]:
        content = self._checked_content()
        if not content['annotations']:
            raise AnnotationError(
                self.ann_file,
                f'has {len(content["images"])} images and no annotation with joints and a box',
                'at least one',
            )
        images = {image['id']: image for image in content['images'] if image['id'] % self.sample_interval == 0}
        anns_of: dict[int, list[dict]] = {number: [] for number in images}
        for ann in content['annotations']:
            if ann['image_id'] in anns_of:
                anns_of[ann['image_id']].append(ann)
        pairs = [(ann, images[number]) for number, anns in anns_of.items() for ann in anns]
        instances = [self.parse_data_info(dict(raw_ann_info=ann, raw_img_info=image)) for ann, image in pairs]
        return instances, list(images.values())

    def _load_detection_results(self) -> list[dict]:
        require_file('bbox_file', self.bbox_file)
        content = self._checked_content()
        images = {image['id']: image for image in content['images']}
        found = check_detections(
            read_json(self.bbox_file), self.bbox_file, images, content['categories'], self.ann_file
        )
        thr = (self.filter_cfg or {}).get('bbox_score_thr')
        if thr is not None and all(detection['score'] < thr for detection in found):
            raise AnnotationError(self.bbox_file, f'filter_cfg.bbox_score_thr={thr} leaves none of its detections')
        return detection_instances(found, images, len(self._metainfo['keypoint_id2name']))

    def _checked_content(self) -> dict[str, list]:
        """Images with their paths, annotations and categories of the file, checked and normalised."""
        check = check_coco(read_json(self.ann_file), self.ann_file, list(self._metainfo['keypoint_name2id']))
        self._report(check)
        for image in check.content['images']:
            image |= dict(img_id=image['id'], img_path=osp.join(self.data_prefix['img'], image['file_name']))
        self._metainfo['CLASSES'] = check.content['categories']
        return check.content

    def _report(self, check: CocoCheck) -> None:
        def describe(found: Mapping[int, str]) -> list[str]:
            return [f'annotation {ann_id}: {text}' for ann_id, text in found.items()]

        total = max(check.persons, len(check.problems))
        self._leave_out(describe(check.problems), total, 'cannot be used')
        if check.contradictions:
            message = (
                f'{self.ann_file}: {len(check.contradictions)} annotations contradict themselves, their image or each '
                f'other; the first: {describe(check.contradictions)[0]}'
            )
            if self.test_mode or self.strict:
                raise ValueError(f'{message}. A test set must be free of doubt: correct the file')
            print_log(
                f'{message}. They are used. The flags count, not num_keypoints', logger='current', level=logging.WARNING
            )
        for found, remedy in ((check.doubts, 'They are used'), (check.estimated_areas, 'It is estimated from bbox')):
            if found:
                first = describe(found)[0]
                message = f'{self.ann_file}: {len(found)} of {check.persons} persons look wrong; the first: {first}'
                if found is check.doubts and len(found) > self.max_bad_images * check.persons:
                    raise ValueError(
                        f'{message}. max_bad_images={self.max_bad_images:g} allows {self.max_bad_images:.2%}'
                    )
                print_log(f'{message}. {remedy}', logger='current', level=logging.WARNING)

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Convert one checked annotation to mmpose's fields.

        Args:
            raw_data_info: ``raw_ann_info`` and ``raw_img_info`` of COCO.

        Returns:
            The person.
        """
        image = raw_data_info['raw_img_info']
        instance = super().parse_data_info(raw_data_info)
        flags = np.array(raw_data_info['raw_ann_info']['keypoints'], dtype=np.float64).reshape(-1, 3)[:, 2]
        instance['keypoints_occluded'] = (flags == 1).astype(np.float32)[None]
        instance['ann_img_shape'] = (image['height'], image['width'])
        return instance

    def _instance_problem(self, instance: dict) -> str | None:
        if instance['iscrowd'] or instance['num_keypoints'] == 0:
            return None
        return super()._instance_problem(instance)
