"""Fit the regressions of a feature calibration: one set of weights for all joints, and a constant for each joint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posestructs.evaluation.calibration_fit import check_outcomes
from posestructs.structures.feature_calibration import Regression
from posestructs.structures.joint_features import NAMES


def fit_regression(
    features: np.ndarray, positive: np.ndarray, measured: np.ndarray, mirror: Sequence[int]
) -> Regression:
    """Fit a logistic regression. A joint and its mirror joint share their constant.

    Args:
        features: (N, K, F) features of :mod:`~posestructs.structures.joint_features`.
        positive: (N, K) bool, joints that are right, or present.
        measured: (N, K) bool, joints that count.
        mirror: (K,) index of each joint's mirror joint.

    Returns:
        Regression: Weights of the features as they are.

    Raises:
        ValueError: A feature is not finite, or all joints are positive, or none.
    """
    from sklearn.linear_model import LogisticRegression

    check_outcomes(features.min(2) + features.max(2), positive, measured)
    joints = np.arange(features.shape[1])
    names, kind = np.unique(np.minimum(joints, np.asarray(mirror)), return_inverse=True)
    which = np.broadcast_to(np.eye(len(names))[kind], (*features.shape[:2], len(names)))
    x = features[measured]
    mean, spread = x.mean(0), np.maximum(x.std(0), 1e-9)
    # scaled, so that the penalty treats all features alike
    inputs = np.concatenate([(x - mean) / spread, which[measured]], 1)
    model = LogisticRegression(C=1.0, max_iter=1000).fit(inputs, positive[measured])
    weights = model.coef_[0, : len(NAMES)] / spread
    bias = model.coef_[0, len(NAMES) :][kind] + model.intercept_[0] - weights @ mean
    return Regression(
        {name: float(value) for name, value in zip(NAMES, weights, strict=True)}, tuple(float(value) for value in bias)
    )
