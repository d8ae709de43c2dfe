"""Rank labels by their disagreement with predictions of a model that was not trained on them.

Two kinds of mistakes are looked for. *mirror*: the labels of a whole person, of its arms or of its legs agree with the
predictions once left and right are exchanged. *joint*: one label is far from a confident prediction, while the person's
other labels agree.

Confidences are probabilities where the model gives them (``keypoints_correct``); raw scores are replaced by their rank
among all scores of the joint, so that a confidence is from 0 to 1. With d the distance between label and prediction
in torsos, d' the distance to the label of the mirror joint, and c the confidence:

    agreement a = sum c [d <= 0.3] / sum c,  exchanged a' = sum c [d' <= 0.3] / sum c
    mirror: (a' - a) mean c, over the joints of the person or group that are labelled on both sides; of a group times
            a over the person's other joints with a mirror joint, since the exchange of a whole person is more common
    joint:  c min(d, 1) a, where a is over the other joints of the person; 0 where the prediction lies on another
            labelled joint of the person, which is how models err (see :mod:`posestructs.evaluation.error_anatomy`)

Shapes: N persons, K joints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

AGREE = 0.3
"""Distance in torsos within which label and prediction agree."""
MIN_PAIRS = 2
"""Pairs of mirror joints that a group needs for its sides to be called exchanged."""


class Suspect(NamedTuple):
    """Labels of one person that may be wrong.

    Attributes:
        person: Index of the person.
        kind: 'mirror' or 'joint'.
        group: Exchanged joints ('person', or the name of a group), or the name of the one joint.
        joints: Indices of the joints.
        score: From 0 to 1; greater is more suspect.
    """

    person: int
    kind: str
    group: str
    joints: tuple[int, ...]
    score: float


def confidence_ranks(scores: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Replace scores by their rank among the scores of the same joint.

    Args:
        scores: (N, K) scores of any range.
        measured: (N, K) bool, scores that count.

    Returns:
        np.ndarray: (N, K) from 0 to 1; 0 where a score does not count.

    Raises:
        ValueError: A score is not finite.
    """
    bad = measured & ~np.isfinite(scores)
    if bad.any():
        n, k = np.argwhere(bad)[0]
        raise ValueError(f'{bad.sum()} scores are not finite, the first: joint {k} of person {n} is {scores[n, k]}')
    out = np.zeros(scores.shape)
    for k in range(scores.shape[1]):
        mask = measured[:, k]
        out[mask, k] = (rankdata(scores[mask, k]) - 0.5) / max(mask.sum(), 1)
    return out


def find_suspects(
    pred: np.ndarray,
    gt: np.ndarray,
    labelled: np.ndarray,
    size: np.ndarray,
    mirror: Sequence[int],
    confidence: np.ndarray,
    names: Sequence[str],
    groups: Mapping[str, Sequence[int]] | None = None,
) -> list[Suspect]:
    """Rank persons by their most suspect label.

    Args:
        pred: (N, K, 2) predictions in pixels, NaN where there is none.
        gt: (N, K, 2) labels in pixels.
        labelled: (N, K) bool.
        size: (N,) pixels of a torso, NaN where unknown; such persons are skipped.
        mirror: (K,) index of each joint's mirror joint.
        confidence: (N, K) from 0 to 1.
        names: (K,) names of the joints.
        groups: Joints whose sides may be exchanged by themselves, such as arms and legs.

    Returns:
        list[Suspect]: One per person that has any, the most suspect first.
    """
    mirror, joints = np.asarray(mirror), np.arange(gt.shape[1])
    known = labelled & np.isfinite(pred).all(2) & np.isfinite(size)[:, None]
    with np.errstate(invalid='ignore'):
        straight = np.linalg.norm(pred - gt, axis=2) / size[:, None]
        exchanged = np.linalg.norm(pred - gt[:, mirror], axis=2) / size[:, None]
    weight = np.where(known, confidence, 0)
    found: dict[int, Suspect] = {}

    def add(person: int, kind: str, group: str, members: Sequence[int], score: float) -> None:
        if score > 0 and (person not in found or score > found[person].score):
            found[person] = Suspect(person, kind, group, tuple(int(j) for j in members), float(score))

    for group, ids in {'person': joints, **(groups or {})}.items():
        paired = known & known[:, mirror] & (mirror != joints) & np.isin(joints, ids)
        c = np.where(paired, confidence, 0)
        gain = _share(c, exchanged <= AGREE) - _share(c, straight <= AGREE)
        score = gain * c.sum(1) / np.maximum(paired.sum(1), 1)
        if group != 'person':
            rest = np.where((mirror != joints) & ~np.isin(joints, ids), weight, 0)
            score = score * _share(rest, straight <= AGREE)
        for n in np.flatnonzero((score > 0) & (paired.sum(1) >= 2 * MIN_PAIRS)):
            add(n, 'mirror', group, np.flatnonzero(paired[n]), score[n])
    agrees = np.where(straight <= AGREE, weight, 0)
    others = weight.sum(1, keepdims=True) - weight
    agreement = np.divide(agrees.sum(1, keepdims=True) - agrees, others, out=np.zeros_like(others), where=others > 0)
    alone = (straight > AGREE) & ~_on_another(pred, gt, labelled, size)
    score = np.where(known & alone, weight * np.minimum(straight, 1) * agreement, 0)
    for n in np.flatnonzero(score.max(1, initial=0) > 0):
        k = int(score[n].argmax())
        add(n, 'joint', names[k], [k], score[n, k])
    return sorted(found.values(), key=lambda suspect: (-suspect.score, suspect.person))


def _on_another(pred: np.ndarray, gt: np.ndarray, labelled: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(N, K) whether a prediction lies on another labelled joint of the person."""
    with np.errstate(invalid='ignore'):
        distance = np.linalg.norm(pred[:, :, None] - gt[:, None], axis=3) / size[:, None, None]
    close = (distance <= AGREE) & labelled[:, None]
    return (close & ~np.eye(gt.shape[1], dtype=bool)).any(2)


def _share(weight: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(N,) weighted share of a mask; 0 where there is no weight."""
    total = weight.sum(1)
    return np.divide((weight * mask).sum(1), total, out=np.zeros(len(weight)), where=total > 0)
