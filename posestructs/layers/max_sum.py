"""Exact max-sum inference over a tree of parts with types and quadratic deformation.

A placement gives every part a cell and a type. Its score is the one that the release of Chu et al. (Structured Feature
Learning for Pose Estimation, CVPR 2016) maximises at test time, that of Yang and Ramanan (CVPR 2011) without
co-occurrence terms::

    F = sum over k of u_k,t_k(x_k) - sum over k but the root of w_x d_x^2 + w_y d_y^2,   d = x_k - x_parent(k) - o_k,t_k

The type of the *child* determines the offset o and the weight w of its edge. From the leaves to the root, every part
sends its parent the best score that it can add for each of the parent's cells (:mod:`.distance_transform`)::

    b_k,t(x) = u_k,t(x) + sum over children c of M_c(x)
    M_k(p)   = max over t, x of b_k,t(x) - deformation

The greatest belief of the root is the greatest score. From the root back to the leaves, each part is then placed best
for the one cell of its parent, so that no arg-max has to be stored.

Shapes: N batch, V parts, T types, H x W cells; positions are cells (x, y).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from posestructs.layers.distance_transform import Workspace, backtrack, distance_transform, penalty, penalty_table
from posestructs.layers.heatmaps import unravel
from posestructs.structures.tree_checks import tree_levels


class MaxSumResult(NamedTuple):
    """Best placement of each image.

    Args:
        score: (N,) F. Gradients reach the scores at the best placement, its offsets and its weights.
        positions: (N, V, 2) int64 cells (x, y).
        types: (N, V) int64.
    """

    score: Tensor
    positions: Tensor
    types: Tensor


def max_sum(scores: Tensor, parents: Sequence[int], offsets: Tensor, weights: Tensor) -> MaxSumResult:
    """Find the placement with the greatest score.

    The parts of a level are processed at once, and nothing waits for a GPU.

    Args:
        scores: (N, V, T, H, W) u, such as log probabilities. Half precision is computed in float32.
        parents: Parent of each part, -1 for the root.
        offsets: (V, T, 2) x and y in cells from the parent to the part, not necessarily whole; the root's are ignored.
        weights: (V, T, 2) for x and y in 1 / cell^2, at least 0; the root's are ignored.

    Returns:
        MaxSumResult: Scores, positions and types.

    Raises:
        TypeError: The scores are not a floating-point tensor.
        ValueError: Shapes that disagree, empty maps, parents that form no tree with one root; on a CPU also a negative
            weight, or an offset or weight that is not finite.
    """
    levels = tree_levels(tuple(parents))
    scores, offsets, weights = _checked(scores, len(parents), offsets, weights)
    with torch.no_grad():
        # along x, then along y
        penalties = [penalty_table(scores.shape[4 - axis], offsets[..., axis], weights[..., axis]) for axis in (0, 1)]
        root_belief, done = _to_root(scores, parents, levels, penalties)
        positions, types = _to_leaves(root_belief, parents, done)
    return MaxSumResult(placement_score(scores, parents, offsets, weights, positions, types), positions, types)


def placement_score(
    scores: Tensor, parents: Sequence[int], offsets: Tensor, weights: Tensor, positions: Tensor, types: Tensor
) -> Tensor:
    """Score F of one placement of each image, see :func:`max_sum`.

    Args:
        scores: (N, V, T, H, W).
        parents: Parent of each part, -1 for the root.
        offsets: (V, T, 2) in cells.
        weights: (V, T, 2) in 1 / cell^2.
        positions: (N, V, 2) int64 cells (x, y), on the map.
        types: (N, V) int64.

    Returns:
        Tensor: (N,).
    """
    (h, w), (x, y) = scores.shape[-2:], positions.unbind(-1)
    # sum over k of u_k,t_k(x_k)
    score = scores.flatten(2).gather(2, ((types * h + y) * w + x)[..., None]).squeeze(2).sum(1)
    edges = torch.tensor([(k, parent) for k, parent in enumerate(parents) if parent >= 0], dtype=torch.int64)
    # not blocking: a blocking copy from pageable memory would wait for all pending work of the device
    child, parent = edges.view(-1, 2).to(scores.device, non_blocking=True).unbind(1)
    kind = types[:, child]
    # - sum over k but the root of w_x d_x^2 + w_y d_y^2
    deformation = penalty(positions[:, child] - positions[:, parent], offsets[child, kind], weights[child, kind])
    return score + deformation.sum((1, 2))


def _checked(scores: Tensor, num_parts: int, offsets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Check the inputs of :func:`max_sum` and bring offsets and weights to the type and device of the scores."""
    if not isinstance(scores, Tensor) or not scores.is_floating_point():
        kind = scores.dtype if isinstance(scores, Tensor) else type(scores).__name__
        raise TypeError(f'max_sum: scores is {kind}, allowed: a floating-point tensor')
    shape = tuple(scores.shape)
    if scores.ndim != 5 or shape[1] != num_parts or 0 in shape[1:]:
        raise ValueError(
            f'max_sum: scores is {shape}, allowed: (N, {num_parts}, T, H, W), parents has {num_parts} parts'
        )
    if scores.dtype in (torch.float16, torch.bfloat16):
        scores = scores.float()
    tables = (
        _checked_table(name, table, (num_parts, shape[2], 2), lowest)
        for name, table, lowest in (('offsets', offsets, -math.inf), ('weights', weights, 0.0))
    )
    # not blocking, as in placement_score
    return scores, *(table.to(scores, non_blocking=True) for table in tables)


def _checked_table(name: str, table: Tensor, shape: tuple[int, ...], lowest: float) -> Tensor:
    table = torch.as_tensor(table)
    if tuple(table.shape) != shape:
        raise ValueError(f'max_sum: {name} is {tuple(table.shape)}, allowed: {shape} of V, T, (x, y)')
    # checking values on another device would stall it
    if table.device.type == 'cpu':
        wrong = table[~table.isfinite() | (table < lowest)]
        if len(wrong):
            allowed = 'finite numbers' if lowest == -math.inf else f'finite numbers of at least {lowest:g}'
            raise ValueError(f'max_sum: {name} holds {wrong[0].item():g}, allowed: {allowed}')
    return table


class _Level(NamedTuple):
    """P parts of a level, which are processed at once, and what back-tracking needs of them."""

    parts: Sequence[int]
    beliefs: Tensor
    columns: Tensor
    penalties: Sequence[Tensor]


def _to_root(
    scores: Tensor, parents: Sequence[int], levels: Sequence[Sequence[int]], penalties: Sequence[Tensor]
) -> tuple[Tensor, list[_Level]]:
    """Messages from the leaves to the root: its (N, T, H, W) belief, and the levels below it, the deepest first."""
    incoming: list[Tensor | None] = [None] * len(parents)
    done, workspace = [], Workspace()

    def beliefs_of(level: Sequence[int]) -> Tensor:
        beliefs = torch.stack([scores[:, k] for k in level], dim=1)
        for i, k in enumerate(level):
            if incoming[k] is not None:
                # b_k,t(x) = u_k,t(x) + sum over children c of M_c(x)
                beliefs[:, i] += incoming[k][:, None]
        return beliefs

    for level in reversed(levels[1:]):
        beliefs = beliefs_of(level)
        level_penalties = [torch.stack([table[k] for k in level]) for table in penalties]
        # M_k(p) = max over t, x of b_k,t(x) - deformation
        messages, columns = distance_transform(beliefs, *level_penalties, workspace)
        for k, message in zip(level, messages.unbind(1), strict=True):
            total = incoming[parents[k]]
            incoming[parents[k]] = message if total is None else total + message
        done.append(_Level(level, beliefs, columns, level_penalties))
    return beliefs_of(levels[0])[:, 0], done


def _to_leaves(root_belief: Tensor, parents: Sequence[int], levels: Sequence[_Level]) -> tuple[Tensor, Tensor]:
    """Back-tracking from the root: (N, V, 2) positions and (N, V) types."""
    h, w = root_belief.shape[-2:]
    best = root_belief.flatten(1).argmax(1)
    cell, kind = unravel(best % (h * w), w), best.div(h * w, rounding_mode='floor')
    # every part but the root is overwritten
    positions, types = [cell] * len(parents), [kind] * len(parents)
    for level in reversed(levels):
        above = torch.stack([positions[parents[k]] for k in level.parts], dim=1)
        cells, kinds = backtrack(level.beliefs, level.columns, above, *level.penalties)
        for k, cell, kind in zip(level.parts, cells.unbind(1), kinds.unbind(1), strict=True):
            positions[k], types[k] = cell, kind
    return torch.stack(positions, dim=1), torch.stack(types, dim=1)
