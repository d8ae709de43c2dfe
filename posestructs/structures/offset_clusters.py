"""Fit mixture types to persons: K-means of the offsets between parts and parents, symmetric to the body's axis.

Chu et al. (CVPR 2016) cluster each part's offset to its parent by K-means with 50 restarts. Beyond the paper, the types
of a flipped person are the flipped types, so that the scores of the two images can be averaged:

- a part with a partner: one K-means over both, with the partner's offsets mirrored, (-x, y);
- a part on the axis: K-means under the constraint that the mean of a type is the mirrored mean of another, or its own.

Shapes: N persons, V parts, T types, M offsets of a part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans, kmeans_plusplus

from posestructs.structures.deformation import Deformation
from posestructs.structures.kinematic_tree import KinematicTree
from posestructs.structures.part_offsets import check_symmetric, relative_offsets
from posestructs.utils.checks import check_integer, check_number

_MIRROR = np.array([-1.0, 1.0])
# Prior of the variances: number of persons with the pooled variances of the part, added to each type. Without it,
# a type of two or three persons could get an arbitrarily large weight.
PRIOR_PERSONS = 10
_MOST_STEPS = 300


class Clusters(NamedTuple):
    """Types of one part."""

    means: np.ndarray  # (T, 2)
    mirror: np.ndarray  # (T,), for a part on the axis: the type that each becomes in a flipped image
    labels: np.ndarray  # (M,)


def fit_types(
    tree: KinematicTree,
    positions: np.ndarray,
    labelled: np.ndarray,
    num_types: int,
    *,
    aspect_ratio: float,
    restarts: int = 50,
    seed: int = 0,
    trim: float = 0.0,
    source: str = '',
) -> Deformation:
    """Fit mixture types to persons.

    Args:
        tree: Symmetric tree of V parts.
        positions: (N, V, 2) parts in crops whose longer side is 1.
        labelled: (N, V) bool mask of the labelled parts; others are left out.
        num_types: Number of types of a part, T.
        aspect_ratio: Width over height of the crops.
        restarts: Number of runs of K-means from different random means, of which the best counts.
        seed: Seed of the random means.
        trim: Share of the offsets of each part to leave out, those farthest from their median, since K-means spends
            types on a few wrong labels. The paper leaves out none.
        source: Description of the persons, for the file.

    Returns:
        Deformation: The types; those of a part are sorted by the angle of their mean.

    Raises:
        ValueError: A part has too few offsets for so many types, or the tree is not symmetric.
    """
    check_integer('num_types', num_types, 1)
    check_integer('restarts', restarts, 1)
    check_number('trim', trim, 0, below=1)
    check_symmetric(tree)
    offsets, known = relative_offsets(tree, positions, labelled)
    shape = (tree.num_parts, num_types)
    means, variances, shares = np.zeros((*shape, 2)), np.ones((*shape, 2)), np.full(shape, 1 / num_types)
    mirror_types = np.tile(np.arange(num_types), (tree.num_parts, 1))
    for v, image in _one_of_each_pair(tree):
        points = offsets[known[:, v], v]
        if image != v:
            points = np.concatenate([points, offsets[known[:, image], image] * _MIRROR])
        points = _trimmed(points, trim)
        _check_enough(tree, v, points, num_types)
        clusters, variances[v], shares[v] = _fit_part(points, image == v, num_types, restarts, seed)
        means[v] = clusters.means
        if image == v:
            mirror_types[v] = clusters.mirror
        else:
            means[image], variances[image], shares[image] = means[v] * _MIRROR, variances[v], shares[v]
    return Deformation(tree, means, variances, mirror_types, shares, aspect_ratio, source)


def _fit_part(
    points: np.ndarray, on_axis: bool, num_types: int, restarts: int, seed: int
) -> tuple[Clusters, np.ndarray, np.ndarray]:
    """Types of one part or pair of parts, their (T, 2) variances and their (T,) shares."""
    if on_axis:
        clusters = cluster_symmetric(points, num_types, restarts, seed)
        # each person as is and mirrored: two points per person
        counted, copies = np.concatenate([points, points * _MIRROR]), 2
        labels = np.concatenate([clusters.labels, clusters.mirror[clusters.labels]])
    else:
        clusters = cluster_offsets(points, num_types, restarts, seed)
        counted, labels, copies = points, clusters.labels, 1
    shares = np.bincount(labels, minlength=num_types) / len(labels)
    return clusters, _variances(counted, labels, clusters.means, copies), shares


def cluster_offsets(points: np.ndarray, num_types: int, restarts: int, seed: int) -> Clusters:
    """Cluster offsets by K-means.

    Args:
        points: (M, 2) offsets.
        num_types: Number of clusters, T, at most the number of different offsets.
        restarts: Number of runs, of which the best counts.
        seed: Seed of their initial means.

    Returns:
        Clusters: Clusters sorted by the angle of their means; each its own mirror image, as the partner has the same
        types.
    """
    found = KMeans(num_types, n_init=restarts, random_state=seed).fit(points)
    order = _by_angle(found.cluster_centers_)
    return Clusters(found.cluster_centers_[order], np.arange(num_types), np.argsort(order)[found.labels_])


def cluster_symmetric(points: np.ndarray, num_types: int, restarts: int, seed: int) -> Clusters:
    """Cluster offsets by K-means whose set of means is its own mirror image.

    With offsets folded onto x >= 0, a pair of types is one mean, and a type that is its own mirror image is a mean with
    x = 0. Lloyd's algorithm runs under this constraint for every possible number of pairs; the least squared distance
    counts.

    Args:
        points: (M, 2) offsets.
        num_types: Number of clusters, T, at most the number of different offsets and mirrored offsets.
        restarts: Number of runs for each number of pairs, of which the best counts.
        seed: Seed of their initial means.

    Returns:
        Clusters: Clusters sorted by the angle of their means.
    """
    folded = np.stack([np.abs(points[:, 0]), points[:, 1]], axis=1)
    distinct = len(np.unique(folded, axis=0))
    rng = np.random.RandomState(seed)
    best, best_cost = None, np.inf
    for pairs in range(num_types // 2 + 1):
        own = num_types - 2 * pairs
        for _ in range(restarts if pairs + own <= distinct else 0):
            centres, cost = _folded_lloyd(folded, pairs, own, rng)
            if cost < best_cost:
                best, best_cost = (centres, pairs), cost
    if best is None:
        raise ValueError(f'{distinct} different offsets are too few for {num_types} types that mirror each other')
    (centres, pairs) = best
    right, axis = centres[:pairs], centres[pairs:]
    means = np.concatenate([right, right * _MIRROR, axis])
    partner = np.concatenate([np.arange(pairs) + pairs, np.arange(pairs), np.arange(2 * pairs, num_types)]).astype(int)
    order = _by_angle(means)
    place = np.argsort(order)
    means = means[order]
    return Clusters(means, place[partner[order]], _nearest(points, means))


def _folded_lloyd(folded: np.ndarray, pairs: int, own: int, rng: np.random.RandomState) -> tuple[np.ndarray, float]:
    """One run from k-means++ means, of which those nearest to the axis start on it: (pairs + own, 2) means, cost."""
    centres, _ = kmeans_plusplus(folded, pairs + own, random_state=rng)
    centres = centres[np.argsort(-centres[:, 0], kind='stable')]
    centres[pairs:, 0] = 0
    labels = None
    for _ in range(_MOST_STEPS):
        before, labels = labels, _nearest(folded, centres)
        if before is not None and (labels == before).all():
            break
        counts = np.bincount(labels, minlength=len(centres))
        sums = np.stack([np.bincount(labels, column, minlength=len(centres)) for column in folded.T], axis=1)
        moved = sums / np.maximum(counts, 1)[:, None]
        moved[pairs:, 0] = 0  # the mean of points and their mirror images
        centres = np.where(counts[:, None] > 0, moved, centres)
    return centres, float(np.square(folded - centres[labels]).sum())


def _nearest(points: np.ndarray, means: np.ndarray) -> np.ndarray:
    # argmin_t |p - m_t|^2 = argmin_t |m_t|^2 - 2 p.m_t
    return (np.square(means).sum(axis=1) - 2 * points @ means.T).argmin(axis=1)


def _by_angle(means: np.ndarray) -> np.ndarray:
    return np.lexsort((np.hypot(*means.T), np.arctan2(means[:, 1], means[:, 0])))


def _variances(points: np.ndarray, labels: np.ndarray, means: np.ndarray, copies: int) -> np.ndarray:
    """(T, 2) variances of x and y about the means; ``copies`` points are one person."""
    squares = np.square(points - means[labels])
    counts = np.bincount(labels, minlength=len(means))[:, None] / copies
    sums = np.stack([np.bincount(labels, column, minlength=len(means)) for column in squares.T], axis=1) / copies
    # s_t^2 = (sum_n d_n^2 + n_0 s^2) / (n_t + n_0),  s^2 = mean of d_n^2 over all types
    return (sums + PRIOR_PERSONS * squares.mean(axis=0)) / (counts + PRIOR_PERSONS)


def _trimmed(points: np.ndarray, share: float) -> np.ndarray:
    kept = len(points) - int(share * len(points))
    if kept == len(points):
        return points
    distances = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    return points[np.sort(np.argsort(distances, kind='stable')[:kept])]


def _one_of_each_pair(tree: KinematicTree) -> Iterator[tuple[int, int]]:
    for v, image in enumerate(tree.mirror):
        if v <= image:
            yield v, image


def _check_enough(tree: KinematicTree, v: int, points: np.ndarray, num_types: int) -> None:
    image = tree.mirror[v]
    both = points if image != v else np.concatenate([points, points * _MIRROR])
    distinct = len(np.unique(both, axis=0)) if len(both) else 0
    if distinct < num_types:
        whose = repr(tree.names[v]) if image == v else f'{tree.names[v]!r} and {tree.names[image]!r} together'
        raise ValueError(
            f'num_types={num_types} is too many for part {whose}: {len(points)} persons have it and its parent '
            f'labelled, with {distinct} different offsets'
        )
