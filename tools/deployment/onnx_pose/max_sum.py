"""Tree max-sum in NumPy, equal to ``posestructs.layers.max_sum``.

It is not part of the exported graph: back-tracking depends on earlier results, and as fixed operators on all pairs of
cells of a line it would take hundreds of megabytes for 26 parts of 13 types. Map by map it fits into the cache.

    F = sum over k of u_k,t_k(x_k) - sum over k but the root of w (x_k - x_parent(k) - o_k,t_k)^2

Shapes: V parts, T types, H x W cells; positions are cells (x, y). One image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Placement(NamedTuple):
    """Best placement: its score F, (V, 2) int cells (x, y) and (V,) int types."""

    score: float
    positions: np.ndarray
    types: np.ndarray


def max_sum(scores: np.ndarray, parents: Sequence[int], offsets: np.ndarray, weights: np.ndarray) -> Placement:
    """Find the placement of all parts with the highest score.

    Args:
        scores: (V, T, H, W) unary scores u.
        parents: Parent of each part, -1 for the root.
        offsets: (V, T, 2) mean offsets from the parent to the part, x, y in cells.
        weights: (V, T, 2) deformation weights in 1 / cell^2.

    Returns:
        The best placement.
    """
    offsets, weights = np.asarray(offsets, scores.dtype), np.asarray(weights, scores.dtype)
    height, width = scores.shape[2:]
    cost_x = _penalties(width, offsets[..., 0], weights[..., 0])
    cost_y = _penalties(height, offsets[..., 1], weights[..., 1])
    order, columns = _leaves_first(parents), {}
    beliefs = scores.copy()
    for k in order[:-1]:
        message, columns[k] = _message(beliefs[k], cost_x[k], cost_y[k])
        # b_k,t(x) = u_k,t(x) + sum over children c of M_c(x)
        beliefs[parents[k]] += message
    positions, types = np.zeros((len(parents), 2), int), np.zeros(len(parents), int)
    root = order[-1]
    types[root], y, x = np.unravel_index(beliefs[root].argmax(), beliefs[root].shape)
    positions[root] = x, y
    for k in order[-2::-1]:
        px, py = positions[parents[k]]
        # arg-max of the sums whose maximum is the message
        types[k], x = np.unravel_index((columns[k][:, py] + cost_x[k][:, px]).argmax(), (scores.shape[1], width))
        positions[k] = x, (beliefs[k][types[k], :, x] + cost_y[k][types[k], py]).argmax()
    return Placement(float(beliefs[root].max()), positions, types)


def _leaves_first(parents: Sequence[int]) -> list[int]:
    """Parts from the deepest level to the root."""
    depths = []
    for k in range(len(parents)):
        depth, above = 0, parents[k]
        while above >= 0:
            depth, above = depth + 1, parents[above]
        depths.append(depth)
    return sorted(range(len(parents)), key=lambda k: -depths[k])


def _penalties(size: int, offset: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(V, T, p, s) deformation score of a part at s with its parent at p."""
    cells = np.arange(size, dtype=offset.dtype)
    distance = cells - cells[:, None]
    return (distance - offset[..., None, None]) ** 2 * -weight[..., None, None]


def _message(belief: np.ndarray, cost_x: np.ndarray, cost_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) message to the parent, and (T, H, W) partial maxima over y alone."""
    types, height, width = belief.shape
    columns = np.empty_like(belief)
    message = np.full((height, width), -np.inf, belief.dtype)
    for t in range(types):
        # G_t(p_y, x) = max over y of b_t(x, y) - w_y (y - p_y - o_y)^2
        columns[t] = (belief[t][None] + cost_y[t][:, :, None]).max(1)
        # M(p) = max over t, x of G_t(p_y, x) - w_x (x - p_x - o_x)^2
        np.maximum(message, (columns[t][:, None] + cost_x[t][None]).max(2), out=message)
    return message, columns
