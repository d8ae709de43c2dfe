"""Calibration of scores: reliability diagram, ECE, Brier score, AUROC and risk-coverage curve.

A joint's score p is calibrated if a share p of all joints with about this score is right (Guo et al., "On
Calibration of Modern Neural Networks", ICML 2017). The risk-coverage curve (Geifman and El-Yaniv, NeurIPS 2017) is read
as "PCK of the x % most trusted joints".

Shapes: M joints, B bins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Reliability(NamedTuple):
    """Reliability diagram: B bins of equal width from 0 to 1.

    Attributes:
        count: (B,) joints in each bin.
        confidence: (B,) mean score, NaN in an empty bin.
        accuracy: (B,) share of right joints, NaN in an empty bin.
    """

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    def ece(self) -> float:
        """Expected calibration error: mean distance of confidence and accuracy, weighted by the count."""
        gap = np.nan_to_num(np.abs(self.confidence - self.accuracy))
        return float((self.count * gap).sum() / self.count.sum())


def reliability(score: np.ndarray, right: np.ndarray, bins: int = 15) -> Reliability:
    """Compare scores with the share of right joints, bin by bin.

    Args:
        score: (M,) probabilities from 0 to 1.
        right: (M,) bool.
        bins: Number of bins.

    Returns:
        Reliability: B bins.

    Raises:
        ValueError: Scores are not finite or not probabilities, or there are none.
    """
    score, right = check_scores(score, right)
    if score.min() < 0 or score.max() > 1:
        raise ValueError(f'scores reach from {score.min():g} to {score.max():g}, probabilities are from 0 to 1')
    index = np.minimum((score * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    sums = (np.bincount(index, weights=values, minlength=bins) for values in (score, right.astype(float)))
    confidence, accuracy = (np.divide(s, count, out=np.full(bins, np.nan), where=count > 0) for s in sums)
    return Reliability(count, confidence, accuracy)


def brier(score: np.ndarray, right: np.ndarray) -> float:
    """Mean squared difference of probability and outcome; 0 is best.

    Args:
        score: (M,) probabilities.
        right: (M,) bool.
    """
    score, right = check_scores(score, right)
    return float(((score - right) ** 2).mean())


def auroc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Probability that a positive joint has a greater score than a negative one; ties count half.

    Args:
        score: (M,) scores.
        positive: (M,) bool.

    Returns:
        float | None: None where all joints are positive, or all negative.
    """
    from sklearn.metrics import roc_auc_score

    score, positive = check_scores(score, positive)
    return None if positive.all() or not positive.any() else float(roc_auc_score(positive, score))


def average_precision(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the precision-recall curve.

    Args:
        score: (M,) scores.
        positive: (M,) bool.

    Returns:
        float | None: None where no joint is positive, or all are.
    """
    from sklearn.metrics import average_precision_score

    score, positive = check_scores(score, positive)
    return None if positive.all() or not positive.any() else float(average_precision_score(positive, score))


def false_joints(score: np.ndarray, right: np.ndarray, absent: np.ndarray, kept: float) -> float | None:
    """Share of absent joints that are drawn where the threshold keeps a given share of the right joints.

    Args:
        score: (M,) scores; a joint is drawn from the threshold on.
        right: (M,) bool, joints that are in the image and predicted right.
        absent: (M,) bool, joints that are outside the image.
        kept: Share of the right joints that is to be drawn.

    Returns:
        float | None: None where no joint is right, or none absent.
    """
    score = check_scores(score, right)[0]
    if not right.any() or not absent.any():
        return None
    # the greatest threshold that keeps so many
    ordered = np.sort(score[right])[::-1]
    threshold = ordered[max(int(np.ceil(kept * len(ordered))), 1) - 1]
    return float((score[absent] >= threshold).mean())


def risk_coverage(score: np.ndarray, right: np.ndarray, coverage: np.ndarray | None = None) -> np.ndarray:
    """Share of right joints among the most trusted ones.

    Args:
        score: (M,) scores; joints of equal score are taken in proportion.
        right: (M,) bool.
        coverage: (C,) shares of the joints, above 0 and up to 1; by default 0.1, 0.2, ... 1.

    Returns:
        np.ndarray: (C,) share of right joints at each coverage; 1 minus the risk.
    """
    score, right = check_scores(score, right)
    coverage = np.arange(1, 11) / 10 if coverage is None else np.asarray(coverage, float)
    # joints with one score are one step of the curve, taken in proportion
    _, group = np.unique(-score, return_inverse=True)
    taken = np.concatenate([[0], np.bincount(group).cumsum()])
    found = np.concatenate([[0], np.bincount(group, weights=right.astype(float)).cumsum()])
    return np.interp(coverage * len(score), taken, found) / (coverage * len(score))


def check_scores(score: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores as float64 and outcomes as bool.

    Args:
        score: (M,) scores.
        right: (M,) outcomes.

    Returns:
        tuple[np.ndarray, np.ndarray]: Both.

    Raises:
        ValueError: There is no joint, the two differ in length, or a score is not finite.
    """
    score, right = np.asarray(score, np.float64).reshape(-1), np.asarray(right).astype(bool).reshape(-1)
    if len(score) != len(right) or not len(score):
        raise ValueError(f'{len(score)} scores and {len(right)} outcomes, needed: one of each for at least one joint')
    bad = ~np.isfinite(score)
    if bad.any():
        raise ValueError(f'{bad.sum()} of {len(score)} scores are not finite')
    return score, right


def summary(score: np.ndarray, right: np.ndarray, bins: int = 15) -> dict[str, float]:
    """Compute all metrics of this module.

    Args:
        score: (M,) scores; values outside 0 to 1 are cut off for ECE and the Brier score, and counted.
        right: (M,) bool.
        bins: Bins of the ECE.

    Returns:
        dict[str, float]: ``ECE``, ``Brier``, ``AUROC`` (of wrong against right joints, left out where all joints are
        right or all wrong), ``PCK_of_trusted_50`` (share of right joints among the half with the greatest scores),
        ``AURC`` (mean risk over all coverages), ``right`` (share of right joints), ``joints``, ``clipped``.
    """
    score, right = check_scores(score, right)
    probability = np.clip(score, 0, 1)
    steps = np.arange(1, 101) / 100
    out = dict(ECE=reliability(probability, right, bins).ece(), Brier=brier(probability, right))
    # a wrong joint should have the smaller score
    ranking = auroc(-score, ~right)
    if ranking is not None:
        out['AUROC'] = ranking
    out |= dict(
        PCK_of_trusted_50=float(risk_coverage(score, right, np.array([0.5]))[0]),
        AURC=float(1 - risk_coverage(score, right, steps).mean()),
        right=float(right.mean()),
        joints=len(right),
        clipped=int((probability != score).sum()),
    )
    return out
