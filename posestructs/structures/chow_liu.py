"""Tree of highest mutual information between part positions (Chow and Liu, IEEE Trans. Information Theory, 1968).

Of all trees it approximates the joint distribution of the positions best. With Gaussian positions::

    I(i, j) = 1/2 log (det S_i det S_j / det S_ij)

S_i (2, 2) and S_ij (4, 4) are covariances of the positions of one and of two parts.

Shapes: N persons, V parts.
"""

from __future__ import annotations

import numpy as np

LEAST_PERSONS = 30
"""Persons with both labels that a pair of parts needs; fewer give no usable covariance."""
_RIDGE = 1e-6
"""Share of the mean variance that is added to each variance, as labels are whole pixels."""


def mutual_information(positions: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Mutual information of the positions of all pairs of parts.

    Args:
        positions: (N, V, 2) in any unit, in the coordinates of each person's crop.
        labelled: (N, V) bool.

    Returns:
        np.ndarray: (V, V) symmetric, in nats; 0 on the diagonal.

    Raises:
        ValueError: A pair has too few persons, or a part or pair does not move.
    """
    positions, labelled = np.asarray(positions, np.float64), np.asarray(labelled, bool)
    if positions.ndim != 3 or positions.shape[2] != 2 or labelled.shape != positions.shape[:2]:
        raise ValueError(f'positions {positions.shape} and labelled {labelled.shape}, needed: (N, V, 2) and (N, V)')
    count = positions.shape[1]
    information = np.zeros((count, count))
    for i in range(count):
        for j in range(i):
            both = labelled[:, i] & labelled[:, j]
            if both.sum() < LEAST_PERSONS:
                raise ValueError(f'parts {j} and {i} are labelled together in {both.sum()} persons, needed: 30')
            information[i, j] = information[j, i] = _gaussian(positions[both, i], positions[both, j], (j, i))
    return information


def _gaussian(first: np.ndarray, second: np.ndarray, pair: tuple[int, int]) -> float:
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError(f'positions of parts {pair[0]} and {pair[1]} are not finite')
    covariance = np.cov(np.concatenate([first, second], 1).T)
    variance = np.trace(covariance) / 4
    if min(np.trace(covariance[:2, :2]), np.trace(covariance[2:, 2:])) <= 0:
        raise ValueError(f'part {pair[0]} or {pair[1]} has one position in all persons')
    covariance += _RIDGE * variance * np.eye(4)
    _, of_first = np.linalg.slogdet(covariance[:2, :2])
    _, of_second = np.linalg.slogdet(covariance[2:, 2:])
    _, of_both = np.linalg.slogdet(covariance)
    return float((of_first + of_second - of_both) / 2)


def maximum_spanning_tree(weights: np.ndarray, root: int) -> list[int]:
    """Parents of the spanning tree with the highest sum of weights (Prim's algorithm).

    Args:
        weights: (V, V) symmetric.
        root: Index of the root.

    Returns:
        list[int]: Parent of each part, -1 for the root.
    """
    parents, inside = [-1] * len(weights), [root]
    while len(inside) < len(weights):
        edges = ((weights[i, j], i, j) for i in inside for j in range(len(weights)) if j not in inside)
        _, parent, child = max(edges)
        parents[child] = parent
        inside.append(child)
    return parents
