"""Predictions that ``tools/test.py --dump`` or mmengine's ``DumpResults`` wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posestructs.evaluation.prediction_files.poses import Poses
from posestructs.utils.arrays import to_array
from posestructs.utils.safe_pickle import load_pickle

FIELDS = ('keypoints_occluded', 'keypoints_correct', 'keypoints_present', 'keypoint_features')
LABELS = ('keypoints', 'labelled', 'keypoints_occluded', 'keypoints_present')


def read_dump(path: str | Path) -> Poses:
    """Read a dump.

    Args:
        path: A pickle file of data samples.

    Returns:
        Poses: One person per prediction, with the labels of the samples where there is one prediction per label.

    Raises:
        ValueError: It holds anything but data, or is not a list of data samples with predicted joints.
    """
    content = load_pickle(path)
    if not isinstance(content, (list, tuple)) or not content:
        raise ValueError(f'{path}: content={type(content).__name__}, allowed: a list of data samples')
    return poses_of_samples(content, str(path))


def poses_of_samples(samples: Sequence[Any], source: str) -> Poses:
    """Predictions of mmpose data samples.

    Args:
        samples: Data samples, as objects or as dicts.
        source: Origin of the samples, for messages.

    Returns:
        Poses: As :func:`read_dump`.

    Raises:
        ValueError: A sample has no predicted joints, or shapes do not fit.
    """
    persons = [_read(sample, i, source) for i, sample in enumerate(samples)]
    with_labels = all('keypoints' in person['labels'] for person in persons)
    kinds = {person['pred'].shape[1] for person in persons}
    if len(kinds) > 1:
        raise ValueError(f'{source}: data samples have different numbers of joints: {sorted(kinds)}')
    labels = {}
    if with_labels:
        keys = [key for key in LABELS if all(key in p['labels'] for p in persons)]
        labels = {key: np.concatenate([person['labels'][key] for person in persons]) for key in keys}
    common = [key for key in FIELDS if all(key in person['fields'] for person in persons)]
    ids = [i for person in persons for i in person['ids']]
    return Poses(
        source=source,
        keypoints=np.concatenate([person['pred'] for person in persons]).astype(np.float64),
        scores=np.concatenate([person['scores'] for person in persons]).astype(np.float64),
        images=[person['image'] for person in persons for _ in person['pred']],
        ids=None if None in ids else ids,
        labels=labels,
        fields={key: np.concatenate([person['fields'][key] for person in persons]) for key in common},
    )


def _read(sample: Any, index: int, source: str) -> dict[str, Any]:
    sample = sample.to_dict() if hasattr(sample, 'to_dict') else sample
    where = f'{source}: data sample {index}'
    if not isinstance(sample, Mapping) or 'keypoints' not in (sample.get('pred_instances') or {}):
        raise ValueError(f'{where} has no pred_instances.keypoints')
    found, gt = sample['pred_instances'], sample.get('gt_instances') or {}
    pred = to_array(found['keypoints'])
    if pred.ndim != 3 or pred.shape[2] < 2:
        raise ValueError(f'{where}: pred_instances.keypoints.shape={pred.shape}, allowed: (N, K, 2)')
    pred = pred[..., :2]
    scores = to_array(found['keypoint_scores']) if 'keypoint_scores' in found else np.full(pred.shape[:2], np.nan)
    fields = {key: np.asarray(to_array(found[key]), np.float64) for key in FIELDS if key in found}
    for key, value in dict(keypoint_scores=scores, **fields).items():
        if value.shape[:2] != pred.shape[:2] or (value.ndim > 2 and key != 'keypoint_features'):
            raise ValueError(f'{where}: pred_instances.{key}.shape={value.shape}, allowed: {pred.shape[:2]}')
    image = sample.get('img_path') or sample.get('img_id')
    if image is None:
        raise ValueError(f'{where} has neither img_path nor img_id')
    ids = np.ravel(sample['id']).tolist() if sample.get('id') is not None else []
    ids = ids if len(ids) == len(pred) else [None] * len(pred)
    return dict(pred=pred, scores=scores, fields=fields, image=image, ids=ids, labels=_labels(gt, pred))


def _labels(gt: Mapping[str, Any], pred: np.ndarray) -> dict[str, np.ndarray]:
    if 'keypoints' not in gt or 'keypoints_visible' not in gt:
        return {}
    points, visible = to_array(gt['keypoints']), to_array(gt['keypoints_visible'])
    visible = visible[..., 0] if visible.ndim == 3 else visible
    if points.shape != pred.shape or visible.shape != pred.shape[:2]:
        return {}
    labels = dict(keypoints=points.astype(np.float64), labelled=visible > 0)
    for key in ('keypoints_occluded', 'keypoints_present'):
        if gt.get(key) is not None and to_array(gt[key]).shape == visible.shape:
            labels[key] = to_array(gt[key])
    return labels
