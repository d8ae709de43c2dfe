"""Fit score calibrations: isotonic regression or Platt scaling, joint by joint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posestructs.structures.score_calibration import METHODS

MIN_OF_EACH = 20
"""Right and wrong labels that a joint needs for a curve of its own; else it gets that of all joints together."""


def fit_curves(
    scores: np.ndarray, right: np.ndarray, measured: np.ndarray, method: str = 'platt', pooled: bool = False
) -> tuple[list, list[int]]:
    """Fit a curve from score to probability for each joint.

    Args:
        scores: (N, K) scores.
        right: (N, K) bool.
        measured: (N, K) bool, joints that are known to be right or wrong.
        method: 'isotonic' or 'platt'.
        pooled: Fit one curve for all joints.

    Returns:
        tuple[list, list[int]]: (K,) curves of :class:`~posestructs.structures.score_calibration.ScoreCalibration`;
        indices of the joints that got the curve of all joints together.

    Raises:
        ValueError: A score is not finite, or all joints are right, or all wrong.
    """
    if method not in METHODS:
        raise ValueError(f'method={method!r}, allowed: {", ".join(METHODS)}')
    scores, right, measured = np.asarray(scores, np.float64), np.asarray(right, bool), np.asarray(measured, bool)
    check_outcomes(scores, right, measured)
    common = _fit(scores[measured], right[measured], method)
    curves, shared = [], []
    for k in range(scores.shape[1]):
        mask = measured[:, k]
        enough = min((right[mask, k]).sum(), (~right[mask, k]).sum()) >= MIN_OF_EACH
        if pooled or not enough:
            shared.append(k)
        curves.append(common if pooled or not enough else _fit(scores[mask, k], right[mask, k], method))
    return curves, shared


def check_outcomes(scores: np.ndarray, right: np.ndarray, measured: np.ndarray) -> None:
    """Refuse what no calibration can be fitted to.

    Args:
        scores: (N, K) scores.
        right: (N, K) bool.
        measured: (N, K) bool, joints that count.

    Raises:
        ValueError: A score is not finite, or all joints are right, or all wrong.
    """
    bad = measured & ~np.isfinite(scores)
    if bad.any():
        n, k = np.argwhere(bad)[0]
        raise ValueError(f'{bad.sum()} scores are not finite, the first: joint {k} of person {n} is {scores[n, k]}')
    numbers = int((right & measured).sum()), int((~right & measured).sum())
    if not all(numbers):
        raise ValueError(
            f'of {sum(numbers)} measured joints {numbers[0]} are right: a calibration needs right and wrong ones; '
            'use another split or threshold'
        )


def hold_out(images: Sequence, share: float, seed: int = 0) -> np.ndarray:
    """Hold out persons for measuring who share no image with the others.

    Args:
        images: (N,) image of each person.
        share: Share of the images to hold out.
        seed: Seed of the choice.

    Returns:
        np.ndarray: (N,) bool, persons that are held out.
    """
    names, index = np.unique([str(image) for image in images], return_inverse=True)
    held = np.random.default_rng(seed).permutation(len(names))[: round(share * len(names))]
    return np.isin(index, held)


def _fit(score: np.ndarray, right: np.ndarray, method: str) -> Sequence:
    if method == 'platt':
        from sklearn.linear_model import LogisticRegression

        # scaled, so that the solver's weak penalty is the same for scores of any range
        mean, spread = score.mean(), max(float(score.std()), 1e-12)
        model = LogisticRegression(C=1e4).fit((score[:, None] - mean) / spread, right)
        slope = float(model.coef_[0, 0]) / spread
        return [slope, float(model.intercept_[0]) - slope * float(mean)]
    from sklearn.isotonic import IsotonicRegression

    # no joint is certain: Laplace's rule for the ends of the curve
    margin = 1 / (len(score) + 2)
    model = IsotonicRegression(y_min=margin, y_max=1 - margin).fit(score, right)
    return [model.X_thresholds_.tolist(), model.y_thresholds_.tolist()]
