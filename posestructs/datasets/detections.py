"""Check a file of detected boxes (``bbox_file``) against the images it is meant for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from posestructs.datasets.coco_targets import is_finite
from posestructs.datasets.errors import AnnotationError


def check_detections(
    detections: Any, path: str, images: Mapping[int, dict], categories: Sequence[dict], ann_file: str
) -> list[dict]:
    """Check detections and keep those of the category that has poses.

    Args:
        detections: Parsed JSON of ``bbox_file``.
        path: That file, for errors.
        images: Images of the annotation file by id.
        categories: Its categories. Detections of the only one are kept; of several, those of category 1, as in mmpose.
        ann_file: The annotation file, for errors.

    Returns:
        The detections, without those whose box is empty or outside its image: these are counted in one warning.

    Raises:
        AnnotationError: Not a list of detections, an unknown image, a box or a score that is none, or nothing is left.
    """
    if not isinstance(detections, list):
        raise AnnotationError(path, f'holds a {type(detections).__name__}', 'a list of detections')
    wanted = categories[0]['id'] if len(categories) == 1 else 1
    kept, empty, others = [], [], set()
    for i, detection in enumerate(detections):
        _check_detection(detection, i, path, images, ann_file)
        if detection['category_id'] != wanted:
            others.add(detection['category_id'])
        elif fault := _box_fault(detection, images[detection['image_id']]):
            empty.append(f'detection {i} (image {detection["image_id"]}): {fault}')
        else:
            kept.append(detection)
    if not kept:
        found = f'of categories {sorted(others)}' if others else empty[0] if empty else 'it is empty'
        raise AnnotationError(
            path, f'has no usable detection: {found}', f'detections of category {wanted} for {ann_file}'
        )
    if empty:
        print_log(
            f'{path}: {len(empty)} of {len(detections)} detections are left out; the first: {empty[0]}',
            logger='current',
            level=logging.WARNING,
        )
    return kept


def detection_instances(detections: Sequence[dict], images: Mapping[int, dict], num_keypoints: int) -> list[dict]:
    """Make samples of detections, whose joints count as not labelled.

    Args:
        detections: As :func:`check_detections` returns them.
        images: Images of the annotation file by id, with ``img_path``.
        num_keypoints: Number of joints.

    Returns:
        mmpose's fields of each sample.
    """
    instances = []
    for number, detection in enumerate(detections):
        image = images[detection['image_id']]
        x, y, width, height = detection['bbox'][:4]
        instances.append(
            dict(
                img_id=image['id'],
                img_path=image['img_path'],
                img_shape=(image['height'], image['width']),
                ann_img_shape=(image['height'], image['width']),
                bbox=np.array([[x, y, x + width, y + height]], dtype=np.float32),
                bbox_score=np.array([detection['score']], dtype=np.float32),
                keypoints=np.zeros((1, num_keypoints, 2), dtype=np.float32),
                keypoints_visible=np.zeros((1, num_keypoints), dtype=np.float32),
                category_id=np.array(detection['category_id']),
                id=number,
            )
        )
    return instances


def _check_detection(detection: Any, number: int, path: str, images: Mapping[int, dict], ann_file: str) -> None:
    where = f'detection {number}'
    for key in ('image_id', 'category_id', 'bbox', 'score'):
        if not isinstance(detection, Mapping) or key not in detection:
            raise AnnotationError(path, f'{where} has no key {key!r}', 'image_id, category_id, bbox and score')
    if not isinstance(detection['image_id'], int) or detection['image_id'] not in images:
        raise AnnotationError(
            path, f'{where}: image_id {detection["image_id"]!r} is not among the images of {ann_file}', 'one of them'
        )
    if not isinstance(detection['category_id'], int):
        raise AnnotationError(path, f'{where}: category_id is {detection["category_id"]!r}', 'an integer')
    box = detection['bbox']
    if not isinstance(box, list) or len(box) < 4 or not all(map(is_finite, box[:4])):
        raise AnnotationError(path, f'{where}: bbox is {box!r}', '4 finite numbers x, y, width, height')
    if not is_finite(detection['score']):
        raise AnnotationError(path, f'{where}: score is {detection["score"]!r}', 'a finite number')


def _box_fault(detection: Mapping, image: Mapping) -> str | None:
    x, y, width, height = detection['bbox'][:4]
    if width <= 0 or height <= 0:
        return f'bbox {detection["bbox"]} is {width:g} x {height:g} pixels'
    if x >= image['width'] or y >= image['height'] or x + width <= 0 or y + height <= 0:
        return f'bbox {detection["bbox"]} is outside the image of {image["width"]} x {image["height"]} pixels'
    return None
