"""The best pose of all parts together, in NumPy: equal to ``posestructs.layers.max_sum``.

It is no part of the exported graph: back-tracking picks cells by what was found before, and all pairs of cells of a
line at once, as a graph of fixed operators would have them, take hundreds of megabytes at 26 parts of 13 types. Map by
map they fit into the cache.

    F = sum over k of u_k,t_k(x_k) - sum over k but the root of w (x_k - x_parent(k) - o_k,t_k)^2

Shapes: V parts, T types, H x W cells; positions are cells (x, y). One image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Placement(NamedTuple):
    """The best placement: its score F, (V, 2) int cells (x, y) and (V,) int types."""

    score: float
    positions: np.ndarray
    types: np.ndarray


def max_sum(scores: np.ndarray, parents: Sequence[int], offsets: np.ndarray, weights: np.ndarray) -> Placement:
    """Find the best placement.

    Args:
        scores: (V, T, H, W) u.
        parents: V, -1 for the root.
        offsets: (V, T, 2) x, y in cells, from the parent to the part.
        weights: (V, T, 2) in 1 / cell^2.

    Returns:
        Placement: The best one.
    """
    offsets, weights = np.asarray(offsets, scores.dtype), np.asarray(weights, scores.dtype)
    height, width = scores.shape[2:]
    lost_x = _penalties(width, offsets[..., 0], weights[..., 0])
    lost_y = _penalties(height, offsets[..., 1], weights[..., 1])
    order, columns = _leaves_first(parents), {}
    beliefs = scores.copy()
    for k in order[:-1]:
        message, columns[k] = _message(beliefs[k], lost_x[k], lost_y[k])
        # b_k,t(x) = u_k,t(x) + sum over children c of M_c(x)
        beliefs[parents[k]] += message
    positions, types = np.zeros((len(parents), 2), int), np.zeros(len(parents), int)
    root = order[-1]
    types[root], y, x = np.unravel_index(beliefs[root].argmax(), beliefs[root].shape)
    positions[root] = x, y
    for k in order[-2::-1]:
        px, py = positions[parents[k]]
        # the sums whose maximum the message is
        types[k], x = np.unravel_index((columns[k][:, py] + lost_x[k][:, px]).argmax(), (scores.shape[1], width))
        positions[k] = x, (beliefs[k][types[k], :, x] + lost_y[k][types[k], py]).argmax()
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
    """(V, T, p, s): what a part at s loses where its parent is at p."""
    cells = np.arange(size, dtype=offset.dtype)
    distance = cells - cells[:, None]
    return (distance - offset[..., None, None]) ** 2 * -weight[..., None, None]


def _message(belief: np.ndarray, lost_x: np.ndarray, lost_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) best of a part for each cell of its parent, and (T, H, W) the best along y alone for each row of it."""
    types, height, width = belief.shape
    columns = np.empty_like(belief)
    message = np.full((height, width), -np.inf, belief.dtype)
    for t in range(types):
        # G_t(p_y, x) = max over y of b_t(x, y) - w_y (y - p_y - o_y)^2
        columns[t] = (belief[t][None] + lost_y[t][:, :, None]).max(1)
        # M(p) = max over t, x of G_t(p_y, x) - w_x (x - p_x - o_x)^2
        np.maximum(message, (columns[t][:, None] + lost_x[t][None]).max(2), out=message)
    return message, columns
