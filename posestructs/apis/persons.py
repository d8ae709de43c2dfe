"""Predictions for the persons of one image, in the form of mmpose's inferencers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.structures import InstanceData
from mmpose.evaluation.functional import nearby_joints_nms
from mmpose.structures import PoseDataSample, merge_data_samples, split_instances

from posestructs.utils.usage import UsageError


def merge_persons(persons: Sequence[PoseDataSample], path: str, num_joints: int) -> PoseDataSample:
    """Merge the persons of an image into one sample, without their maps.

    Args:
        persons: One sample each; their maps are removed.
        path: Path of the image.
        num_joints: Number of joints, for an image without persons.

    Returns:
        A sample with the ``pred_instances`` of all.

    Raises:
        UsageError: A joint or score is not finite.
    """
    if not persons:
        sample = PoseDataSample(metainfo=dict(img_path=path))
        sample.pred_instances = InstanceData(
            keypoints=np.zeros((0, num_joints, 2), np.float32),
            keypoint_scores=np.zeros((0, num_joints), np.float32),
            keypoints_visible=np.zeros((0, num_joints), np.float32),
            bboxes=np.zeros((0, 4), np.float32),
            bbox_scores=np.zeros(0, np.float32),
        )
        return sample
    for person in persons:
        found = person.pred_instances
        if not np.isfinite(found.keypoints).all() or not np.isfinite(found.keypoint_scores).all():
            raise UsageError('the model predicts joints or scores that are not finite')
        if 'pred_fields' in person:
            del person.pred_fields  # mmpose would enlarge each of them to the whole image
    return merge_data_samples(list(persons))


def keep_distinct(sample: PoseDataSample) -> None:
    """Keep the one with the best box of persons who share at least a third of their joints, as mmpose does.

    Args:
        sample: Result of :func:`merge_persons`; changed in place.
    """
    found = sample.pred_instances
    if len(found) > 1:
        persons = [dict(keypoints=k, score=s) for k, s in zip(found.keypoints, found.bbox_scores, strict=True)]
        kept = nearby_joints_nms(persons, num_nearby_joints_thr=found.keypoints.shape[1] // 3)
        sample.pred_instances = found[kept]


def instance_dicts(sample: PoseDataSample, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Convert each person to a dict of plain numbers.

    Args:
        sample: Result of :func:`merge_persons`.
        names: Names of the joints, which each dict gets as ``keypoint_names``.

    Returns:
        mmpose's ``keypoints``, ``keypoint_scores``, ``bbox`` (the one element of a tuple) and ``bbox_score``; and
        where the model predicts them ``keypoints_occluded``, ``keypoints_correct`` and ``keypoints_present``, K
        probabilities each, and ``pose_score``; and ``track_id`` in a video whose persons are tracked.
    """
    found = sample.pred_instances
    persons = split_instances(found)
    for i, person in enumerate(persons):
        if 'bbox_score' in person:
            person['bbox_score'] = float(person['bbox_score'])
        for key in ('keypoints_occluded', 'keypoints_correct', 'keypoints_present'):
            if key in found:
                person[key] = np.asarray(found[key][i], dtype=float).tolist()
        if 'pose_scores' in found:
            person['pose_score'] = float(found.pose_scores[i])
        if 'track_ids' in found:
            person['track_id'] = int(found.track_ids[i])
        if names:
            person['keypoint_names'] = list(names)
    return persons
