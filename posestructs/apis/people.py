"""Predictions of the people of one image, as mmpose's inferencers give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.structures import InstanceData
from mmpose.evaluation.functional import nearby_joints_nms
from mmpose.structures import PoseDataSample, merge_data_samples, split_instances


def merge_people(people: Sequence[PoseDataSample], path: str, num_joints: int) -> PoseDataSample:
    """Put the people of an image into one sample, without their maps.

    Args:
        people: One sample each; their maps are taken out.
        path: Of the image.
        num_joints: K, for an image without people.

    Returns:
        PoseDataSample: With ``pred_instances`` of all.
    """
    if not people:
        sample = PoseDataSample(metainfo=dict(img_path=path))
        sample.pred_instances = InstanceData(
            keypoints=np.zeros((0, num_joints, 2), np.float32),
            keypoint_scores=np.zeros((0, num_joints), np.float32),
            keypoints_visible=np.zeros((0, num_joints), np.float32),
            bboxes=np.zeros((0, 4), np.float32),
            bbox_scores=np.zeros(0, np.float32),
        )
        return sample
    for person in people:
        if 'pred_fields' in person:
            del person.pred_fields  # mmpose would enlarge each of them to the whole image
    return merge_data_samples(list(people))


def keep_different(sample: PoseDataSample) -> None:
    """Of people who share at least a third of their joints keep the one with the best box, as mmpose does.

    Args:
        sample: Of :func:`merge_people`; changed in place.
    """
    found = sample.pred_instances
    if len(found) > 1:
        people = [dict(keypoints=k, score=s) for k, s in zip(found.keypoints, found.bbox_scores, strict=True)]
        kept = nearby_joints_nms(people, num_nearby_joints_thr=found.keypoints.shape[1] // 3)
        sample.pred_instances = found[kept]


def instance_dicts(sample: PoseDataSample) -> list[dict[str, Any]]:
    """Each person as a dict of plain numbers.

    Args:
        sample: Of :func:`merge_people`.

    Returns:
        list[dict[str, Any]]: mmpose's ``keypoints``, ``keypoint_scores``, ``bbox`` (the one element of a tuple) and
        ``bbox_score``; and where the model gives them ``keypoints_occluded`` (K) probabilities, and ``pose_score``.
    """
    found = sample.pred_instances
    people = split_instances(found)
    for i, person in enumerate(people):
        if 'bbox_score' in person:
            person['bbox_score'] = float(person['bbox_score'])
        if 'keypoints_occluded' in found:
            person['keypoints_occluded'] = np.asarray(found.keypoints_occluded[i], dtype=float).tolist()
        if 'pose_scores' in found:
            person['pose_score'] = float(found.pose_scores[i])
    return people
