"""Kinds of pose errors: good, jitter, inversion, swap, miss.

Localisation errors after Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation"
(ICCV 2017, section 3.1). With d(i, j) the distance from predicted joint i to labelled joint j, in units of the size of
the person that j belongs to:

==========  =================================================================================================
good        d(i, i) <= thr
jitter      thr < d(i, i) <= near: close to its own joint, but not within the threshold
inversion   farther, and the closest other joint within ``near`` is the mirror joint of the same person
swap        farther, and the closest other joint within ``near`` is any other joint of the same person, or any
            joint of another person
miss        farther than ``near`` from every labelled joint, or not predicted at all
==========  =================================================================================================

Differences from the paper: an inversion is a left-right confusion only, any other joint of the same person counts as
a swap; where several other joints are within ``near``, the closest decides; the unit may also be the torso.

For OKS a similarity ks = exp(-d^2 / 2), with d in units of sqrt(area) * 2 * sigma, is a distance of
sqrt(-2 ln ks); the paper's 0.85 and 0.5 are 0.57 and 1.18. For the torso the defaults are 0.2, LSP's threshold, and
0.4, which keeps their proportion.

Shapes: N persons, K joints, G kinds (5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from posestructs.evaluation.person_metric import MIN_LENGTH
from posestructs.evaluation.torso_pck import pair_length

KINDS = ('good', 'jitter', 'inversion', 'swap', 'miss')
GOOD, JITTER, INVERSION, SWAP, MISS = range(5)
NOT_MEASURED = -1
DEFAULTS = dict(torso=(0.2, 0.4), oks=(0.85, 0.5))
"""Thresholds ``thr`` and ``near`` of each scale."""


class JointErrors(NamedTuple):
    """Error kind of every joint.

    Attributes:
        kind: (N, K) int8, index into ``KINDS``; -1 where the joint is not labelled or its person has no size.
        distance: (N, K) distance to the own joint in units of the person's size; infinite where the joint is not
            predicted, NaN where it is not measured.
        other_person: (N, K) bool, swaps onto another person.
    """

    kind: np.ndarray
    distance: np.ndarray
    other_person: np.ndarray


def oks_distance(similarity: float) -> float:
    """Distance, in units of sqrt(area) * 2 * sigma, at which the keypoint similarity has a value.

    Args:
        similarity: Keypoint similarity, above 0 and at most 1.

    Returns:
        float: sqrt(-2 ln similarity).
    """
    return float(np.sqrt(-2 * np.log(similarity)))


def oks_scale(areas: np.ndarray, sigmas: Sequence[float]) -> np.ndarray:
    """Unit of distance of each joint for OKS.

    Args:
        areas: (N,) areas of the persons in pixels; a person whose area is not above 0 has no size.
        sigmas: (K,) standard deviations of the joints' labels, as COCO defines them.

    Returns:
        np.ndarray: (N, K) pixels, NaN where a person has no size.
    """
    areas = np.asarray(areas, np.float64)
    sides = np.sqrt(np.where(areas > 0, areas, np.nan))
    return sides[:, None] * 2 * np.asarray(sigmas, np.float64)


def torso_scale(gt: np.ndarray, labelled: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """Unit of distance of each person for the torso.

    Args:
        gt: (N, K, 2) labelled joints in pixels.
        labelled: (N, K) bool.
        pair: Indices of the two joints that span the torso.

    Returns:
        np.ndarray: (N,) pixels, NaN where one of the two is not labelled or both are in one place.
    """
    lengths = pair_length(gt, np.asarray(labelled, bool), pair)
    return np.where(lengths > MIN_LENGTH, lengths, np.nan)


def classify_errors(
    pred: np.ndarray,
    gt: np.ndarray,
    labelled: np.ndarray,
    scale: np.ndarray,
    mirror: Sequence[int],
    thr: float = 0.2,
    near: float = 0.4,
    image: Sequence | None = None,
) -> JointErrors:
    """Assign an error kind to each labelled joint.

    Args:
        pred: (N, K, 2) predicted joints in pixels; not finite where a joint is not predicted.
        gt: (N, K, 2) labelled joints in pixels; unlabelled ones may hold anything.
        labelled: (N, K) bool.
        scale: (N,) or (N, K) pixels of one unit of distance; NaN or 0 where a person has no size.
        mirror: (K,) index of each joint's mirror joint, its own where it has none (mmpose's ``flip_indices``).
        thr: Greatest distance of a good joint.
        near: Greatest distance at which a prediction lies on a joint, at least ``thr``.
        image: (N,) image of each person, to recognise swaps between persons; None considers each person alone.

    Returns:
        JointErrors: One kind per joint.

    Raises:
        ValueError: Shapes do not fit, or the thresholds are not in order.
    """
    pred, gt = np.asarray(pred, np.float64), np.asarray(gt, np.float64)
    _check(pred, gt, labelled, mirror, thr, near)
    scale = np.asarray(scale, np.float64)
    scale = np.broadcast_to(scale.reshape(len(gt), -1), gt.shape[:2])
    known = np.asarray(labelled, bool) & (scale > 0)
    own_person = _distances(pred[:, :, None], gt[:, None], scale[:, None], known[:, None])
    joints = np.arange(gt.shape[1])
    own = own_person[:, joints, joints]
    mirrored = np.where(np.asarray(mirror) == joints, np.inf, own_person[:, joints, list(mirror)])
    rest = own_person.copy()
    rest[:, joints, joints] = rest[:, joints, list(mirror)] = np.inf
    rest = rest.min(axis=2, initial=np.inf)
    neighbours = _nearest_of_others(pred, gt, scale, known, image)

    closest = np.minimum(rest, neighbours)
    kind = np.full(gt.shape[:2], MISS, np.int8)
    kind[closest <= near] = SWAP
    kind[(mirrored <= near) & (mirrored < closest)] = INVERSION
    kind[own <= near] = JITTER
    kind[own <= thr] = GOOD
    kind[~known] = NOT_MEASURED
    other_person = (kind == SWAP) & (neighbours < rest)
    return JointErrors(kind, np.where(known, own, np.nan), other_person)


def kind_counts(kind: np.ndarray, subset: np.ndarray | None = None) -> np.ndarray:
    """Count the kinds of each joint.

    Args:
        kind: (N, K) of :func:`classify_errors`.
        subset: (N, K) bool, joints to count; all by default.

    Returns:
        np.ndarray: (K, G) counts.
    """
    subset = True if subset is None else np.asarray(subset, bool)
    return np.stack([((kind == g) & subset).sum(0) for g in range(len(KINDS))], axis=1)


def kind_shares(counts: np.ndarray) -> dict[str, float]:
    """Percentages of the kinds over all measured joints; they sum to 100.

    Args:
        counts: (..., G) counts of :func:`kind_counts`.

    Returns:
        dict[str, float]: Percentage by kind; empty where nothing was measured.
    """
    totals = np.asarray(counts).reshape(-1, len(KINDS)).sum(0)
    return {name: float(100 * n / totals.sum()) for name, n in zip(KINDS, totals, strict=True)} if totals.any() else {}


def forgiven(shares: Mapping[str, float]) -> dict[str, float]:
    """PCK if the errors of one kind alone were forgiven.

    Args:
        shares: Percentages of :func:`kind_shares`.

    Returns:
        dict[str, float]: Percentage of good joints plus that of each kind of error.
    """
    return {name: shares['good'] + shares[name] for name in KINDS[1:]} if shares else {}


class Difference(NamedTuple):
    """Difference of two models' percentages of one kind, second minus first, with a confidence interval."""

    mean: float
    low: float
    high: float


def compare_kinds(
    first: np.ndarray,
    second: np.ndarray,
    group: Sequence | None = None,
    resamples: int = 5000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Difference]:
    """Compare the error kinds of two models on the same joints with a paired bootstrap.

    Persons are drawn with replacement, both models' results of a person together. The differences of all kinds sum to
    0, so that the difference of ``good``, which is that of PCK, is split among the kinds of error.

    Args:
        first: (N, K) kinds of the first model.
        second: (N, K) kinds of the second model.
        group: (N,) unit of resampling, such as the image; by default each person.
        resamples: Number of bootstrap samples.
        level: Coverage of the interval.
        seed: Seed of the draws.

    Returns:
        dict[str, Difference]: Percentage points by kind.

    Raises:
        ValueError: The models were not measured on the same joints, or on none.
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or ((first < 0) != (second < 0)).any():
        raise ValueError('the two models were not measured on the same labelled joints of the same persons')
    if not (first >= 0).any():
        raise ValueError('there is no measured joint to compare the two models on')
    _, ids = np.unique(np.arange(len(first)) if group is None else np.asarray(group), return_inverse=True)
    gains = np.stack([((second == g).sum(1) - (first == g).sum(1)) for g in range(len(KINDS))], axis=1)
    table = np.zeros((ids.max() + 1, len(KINDS) + 1))
    np.add.at(table, ids, np.column_stack([gains, (first >= 0).sum(1)]))
    rng, units = np.random.default_rng(seed), len(table)
    sums = np.stack([rng.multinomial(units, np.full(units, 1 / units)) @ table for _ in range(resamples)])
    # a draw of persons without a measured joint says nothing
    sums = sums[sums[:, -1] > 0]
    draws = 100 * sums[:, :-1] / sums[:, -1:]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    means = 100 * table[:, :-1].sum(0) / table[:, -1].sum()
    return {
        name: Difference(*map(float, row)) for name, row in zip(KINDS, zip(means, low, high, strict=True), strict=True)
    }


def _check(
    pred: np.ndarray, gt: np.ndarray, labelled: np.ndarray, mirror: Sequence[int], thr: float, near: float
) -> None:
    if gt.ndim != 3 or gt.shape[2] != 2 or pred.shape != gt.shape or np.shape(labelled) != gt.shape[:2]:
        raise ValueError(
            f'pred has the shape {pred.shape}, gt {gt.shape}, labelled {np.shape(labelled)}, '
            'allowed: (N, K, 2), (N, K, 2), (N, K)'
        )
    if sorted(mirror) != list(range(gt.shape[1])):
        raise ValueError(f'mirror={list(mirror)}, allowed: a permutation of the {gt.shape[1]} joints')
    if not 0 < thr <= near < np.inf:
        raise ValueError(f'thr={thr!r}, near={near!r}, allowed: finite distances above 0, near at least thr')


def _distances(pred: np.ndarray, gt: np.ndarray, scale: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Distances in units of the labelled person's size, infinite where either end is not known."""
    delta = pred - gt
    with np.errstate(invalid='ignore', divide='ignore'):
        distance = np.hypot(delta[..., 0], delta[..., 1]) / scale
    return np.where(known & np.isfinite(distance), distance, np.inf)


def _nearest_of_others(
    pred: np.ndarray, gt: np.ndarray, scale: np.ndarray, known: np.ndarray, image: Sequence | None
) -> np.ndarray:
    """(N, K) distance to the closest joint of another person in the same image."""
    nearest = np.full(gt.shape[:2], np.inf)
    if image is None:
        return nearest
    if len(image) != len(gt):
        raise ValueError(f'image has {len(image)} entries, there are {len(gt)} persons')
    _, ids, sizes = np.unique(np.asarray(image), return_inverse=True, return_counts=True)
    for i in np.flatnonzero(sizes > 1):
        persons = np.flatnonzero(ids == i)
        for n in persons:
            others = persons[persons != n]
            flat = [array[others].reshape(-1, *array.shape[2:]) for array in (gt, scale, known)]
            nearest[n] = _distances(pred[n][:, None], *(array[None] for array in flat)).min(1, initial=np.inf)
    return nearest
