"""How well scores rank joints: right ones above wrong ones, by one score or by several together.

Shapes: M joints, F scores.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from posestructs.evaluation.calibration import auroc


def combined_score(scores: np.ndarray, right: np.ndarray, person: np.ndarray) -> np.ndarray | None:
    """Combine scores by a logistic regression that was fitted to other persons.

    Persons are divided into two halves; each half is scored by the regression of the other.

    Args:
        scores: (M, F) scores.
        right: (M,) bool.
        person: (M,) number of the person that each joint belongs to.

    Returns:
        np.ndarray | None: (M,) log-odds of being right; ``None`` if a half has only right or only wrong joints.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scores, right = np.asarray(scores, np.float64), np.asarray(right, bool)
    _, number = np.unique(person, return_inverse=True)
    combined = np.empty(len(right))
    for half in (0, 1):
        own = number % 2 == half
        if right[~own].all() or not right[~own].any() or not own.any():
            return None
        fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(scores[~own], right[~own])
        combined[own] = fitted.decision_function(scores[own])
    return combined


def ranking(scores: Mapping[str, np.ndarray], right: np.ndarray, person: np.ndarray) -> dict[str, float]:
    """AUROC of right against wrong joints, by each score and by all together.

    Args:
        scores: (M,) scores by name, greater for joints that are more likely to be right.
        right: (M,) bool.
        person: (M,) number of the person.

    Returns:
        dict[str, float]: By name, and ``together`` for several; values that cannot be computed are left out.
    """
    found = {name: auroc(values, right) for name, values in scores.items()}
    if len(scores) > 1:
        combined = combined_score(np.stack(list(scores.values()), axis=1), right, person)
        found['together'] = None if combined is None else auroc(combined, right)
    return {name: value for name, value in found.items() if value is not None}
