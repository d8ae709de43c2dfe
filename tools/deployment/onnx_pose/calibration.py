"""Probabilities of joints by the calibration of ``fit_calibration.py`` that a file holds.

Shapes: N images, K joints, H x W cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .joint_features import NAMES, joint_features

METHODS = ('platt', 'isotonic', 'features')


def calibrated(
    pose: np.ndarray, found: Mapping[str, np.ndarray], calibration: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Probabilities of decoded joints.

    Args:
        pose: (N, K, H, W) heatmaps; only a calibration from features reads them.
        found: Decoded joints: ``keypoint_scores`` (N, K), and perhaps ``keypoints_occluded`` (N, K).
        calibration: The entry ``calibration`` of the file's metadata.

    Returns:
        ``keypoints_correct`` (N, K) float32, the probability that each joint is right; ``keypoints_present`` likewise,
        that it is in the image, where it was fitted.

    Raises:
        ValueError: The method is not implemented here.
    """
    method = calibration['method']
    if method not in METHODS:
        raise ValueError(f'calibration.method={method!r}, allowed: {", ".join(METHODS)}')
    if method != 'features':
        return dict(keypoints_correct=_from_scores(found['keypoint_scores'], method, calibration['curves']))
    features = joint_features(pose, calibration['mirror'], calibration['links'], found.get('keypoints_occluded'))
    rules = dict(keypoints_correct=calibration['correct'], keypoints_present=calibration['present'])
    return {key: _from_features(features, rule) for key, rule in rules.items() if rule is not None}


def _from_scores(scores: np.ndarray, method: str, curves: Any) -> np.ndarray:
    scores = scores.astype(np.float64)
    columns = [
        np.interp(score, first, second) if method == 'isotonic' else _sigmoid(first * score + second)
        for score, (first, second) in zip(scores.T, curves, strict=True)
    ]
    return np.stack(columns, 1).astype(np.float32)


def _from_features(features: np.ndarray, rule: Mapping[str, Any]) -> np.ndarray:
    weights = np.array([rule['weights'][name] for name in NAMES])
    return _sigmoid(features @ weights + np.array(rule['bias'])).astype(np.float32)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    # 1 / (1 + exp(-z)), which overflows for no z
    return 0.5 * (1 + np.tanh(values / 2))
