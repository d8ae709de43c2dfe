"""The best pose of all: exact inference over a tree of parts with types and quadratic deformation.

A placement gives every part a cell and a type. Its score is the one that the release of Chu et al. (Structured Feature
Learning for Pose Estimation, CVPR 2016) maximises at test time, that of Yang and Ramanan (CVPR 2011) without
co-occurrence terms::

    F = sum over k of u_k,t_k(x_k) - sum over k but the root of w_x d_x^2 + w_y d_y^2,   d = x_k - x_parent(k) - o_k,t_k

The type of the *child* decides on the offset o and on the weight w of its edge. From the leaves to the root every part
tells its parent the best that it can add for each of the parent's cells (:mod:`.deformation_message`)::

    b_k,t(x) = u_k,t(x) + sum over children c of M_c(x)
    M_k(p)   = max over t, x of b_k,t(x) - deformation

The best belief of the root is the best score. Back from the root to the leaves, each part then looks for what is best
for it at the one cell that its parent has been given, so that no maximum has to remember where it was.

Shapes: N images, V parts, T types, H x W cells; positions are cells (x, y).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from posestructs.layers.deformation_message import best_given_parent, deformation_message
from posestructs.layers.shifted_max import Workspace, penalty, penalty_table


class MaxSumResult(NamedTuple):
    """The best placement of each image.

    Args:
        score (Tensor): (N,) F. Gradients reach the scores at the best placement, its offsets and weights.
        positions (Tensor): (N, V, 2) int64 cells (x, y).
        types (Tensor): (N, V) int64.
        root_map (Tensor): (N, H, W) max-marginal of the root: the best F with the root in a cell. Gradients reach the
            best placement for each cell.
    """

    score: Tensor
    positions: Tensor
    types: Tensor
    root_map: Tensor


def max_sum(scores: Tensor, parents: Sequence[int], offsets: Tensor, weights: Tensor) -> MaxSumResult:
    """Find the best placement of all.

    The parts of a level run at once, and nothing waits for a GPU.

    Args:
        scores (Tensor): (N, V, T, H, W) u, log probabilities for instance. Half precision is computed in float32.
        parents (Sequence[int]): V, -1 for the root.
        offsets (Tensor): (V, T, 2) x, y in cells, from the parent to the part; need not be whole. The root's do not
            count.
        weights (Tensor): (V, T, 2) for x, y in 1 / cell^2, at least 0. The root's do not count.

    Returns:
        MaxSumResult: Scores, positions, types and the root's map.

    Raises:
        TypeError: The scores are no floating-point tensor.
        ValueError: Shapes that disagree, empty maps, parents that are no tree with one root; on the CPU also a weight
            below 0 and an offset or weight that is not finite.
    """
    levels = tree_levels(tuple(parents))
    scores, offsets, weights = _checked(scores, len(parents), offsets, weights)
    # along x, then along y
    lost = [penalty_table(scores.shape[4 - axis], offsets[..., axis], weights[..., axis]) for axis in (0, 1)]
    root_belief, done = _to_the_root(scores, parents, levels, lost)
    with torch.no_grad():
        positions, types = _to_the_leaves(root_belief, parents, done)
    return MaxSumResult(
        score=placement_score(scores, parents, offsets, weights, positions, types),
        positions=positions,
        types=types,
        root_map=root_belief.max(dim=1).values,
    )


def placement_score(
    scores: Tensor, parents: Sequence[int], offsets: Tensor, weights: Tensor, positions: Tensor, types: Tensor
) -> Tensor:
    """F of one placement of each image, see :func:`max_sum`.

    Args:
        scores (Tensor): (N, V, T, H, W).
        parents (Sequence[int]): V, -1 for the root.
        offsets (Tensor): (V, T, 2) in cells.
        weights (Tensor): (V, T, 2) in 1 / cell^2.
        positions (Tensor): (N, V, 2) int64 cells (x, y), on the map.
        types (Tensor): (N, V) int64.

    Returns:
        Tensor: (N,).
    """
    (h, w), (x, y) = scores.shape[-2:], positions.unbind(-1)
    # sum over k of u_k,t_k(x_k)
    score = scores.flatten(2).gather(2, ((types * h + y) * w + x)[..., None]).squeeze(2).sum(1)
    child, parent = tree_edges(parents, scores.device)
    kind = types[:, child]
    # - sum over k but the root of w_x d_x^2 + w_y d_y^2
    lost = penalty(positions[:, child] - positions[:, parent], offsets[child, kind], weights[child, kind])
    return score + lost.sum((1, 2))


def tree_edges(parents: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Indices of all parts but the root, and of their parents.

    Args:
        parents (Sequence[int]): V, -1 for the root.
        device (torch.device): Where they are wanted.

    Returns:
        tuple[Tensor, Tensor]: (V - 1,) children and (V - 1,) parents, int64.
    """
    edges = torch.tensor([(k, parent) for k, parent in enumerate(parents) if parent >= 0], dtype=torch.int64)
    # not blocking: a copy from pageable memory that blocks first waits for all that the device has to do
    return edges.view(-1, 2).to(device, non_blocking=True).unbind(1)


@lru_cache(maxsize=64)
def tree_levels(parents: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Parts by their distance from the root.

    Args:
        parents (tuple[int, ...]): V, -1 for the root.

    Returns:
        tuple[tuple[int, ...], ...]: Each part once; ``levels[0]`` is the root alone.

    Raises:
        ValueError: There is not one root, an index is out of range, or parts are in a cycle.
    """
    roots = [k for k, parent in enumerate(parents) if parent == -1]
    wrong = [parent for parent in parents if not -1 <= parent < len(parents)]
    if len(roots) != 1 or wrong:
        raise ValueError(
            f'max_sum: parents={parents}, allowed: -1 once (the root), else an index from 0 to {len(parents) - 1}'
        )
    levels = [tuple(roots)]
    while level := tuple(k for k, parent in enumerate(parents) if parent in levels[-1]):
        levels.append(level)
    if lost := set(range(len(parents))).difference(*levels):
        raise ValueError(f'max_sum: parents={parents}, allowed: a tree; parts {sorted(lost)} are in or below a cycle')
    return tuple(levels)


def _checked(scores: Tensor, num_parts: int, offsets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Check the inputs of :func:`max_sum`; offsets and weights in the type and on the device of the scores."""
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
    # not blocking, as in tree_edges
    return scores, *(table.to(scores, non_blocking=True) for table in tables)


def _checked_table(name: str, table: Tensor, shape: tuple[int, ...], lowest: float) -> Tensor:
    table = torch.as_tensor(table)
    if tuple(table.shape) != shape:
        raise ValueError(f'max_sum: {name} is {tuple(table.shape)}, allowed: {shape} of V, T, (x, y)')
    # values on another device would have to be waited for
    if table.device.type == 'cpu':
        wrong = table[~table.isfinite() | (table < lowest)]
        if len(wrong):
            allowed = 'finite numbers' if lowest == -math.inf else f'finite numbers of at least {lowest:g}'
            raise ValueError(f'max_sum: {name} holds {wrong[0].item():g}, allowed: {allowed}')
    return table


class _Level(NamedTuple):
    """P parts of a level, which are worked out at once, and what the way back needs of them."""

    parts: Sequence[int]
    beliefs: Tensor
    columns: Tensor
    lost: Sequence[Tensor]


def _to_the_root(
    scores: Tensor, parents: Sequence[int], levels: Sequence[Sequence[int]], lost: Sequence[Tensor]
) -> tuple[Tensor, list[_Level]]:
    """Messages from the leaves to the root: its (N, T, H, W) belief, and the levels below it, the deepest first."""
    told: list[Tensor | None] = [None] * len(parents)
    done, workspace = [], Workspace()

    def beliefs_of(level: Sequence[int]) -> Tensor:
        beliefs = torch.stack([scores[:, k] for k in level], dim=1)
        for i, k in enumerate(level):
            if told[k] is not None:
                # b_k,t(x) = u_k,t(x) + sum over children c of M_c(x)
                beliefs[:, i] += told[k][:, None]
        return beliefs

    for level in reversed(levels[1:]):
        beliefs = beliefs_of(level)
        lost_of_level = [torch.stack([table[k] for k in level]) for table in lost]
        # M_k(p) = max over t, x of b_k,t(x) - deformation
        messages, columns = deformation_message(beliefs, *lost_of_level, workspace)
        for k, message in zip(level, messages.unbind(1), strict=True):
            before = told[parents[k]]
            told[parents[k]] = message if before is None else before + message
        done.append(_Level(level, beliefs, columns, lost_of_level))
    return beliefs_of(levels[0])[:, 0], done


def _to_the_leaves(root_belief: Tensor, parents: Sequence[int], levels: Sequence[_Level]) -> tuple[Tensor, Tensor]:
    """Back-tracking: (N, V, 2) positions and (N, V) types."""
    h, w = root_belief.shape[-2:]
    best = root_belief.flatten(1).argmax(1)
    t, y, x = best.div(h * w, rounding_mode='floor'), best.div(w, rounding_mode='floor') % h, best % w
    # every part but the root is overwritten
    positions, types = [torch.stack((x, y), dim=-1)] * len(parents), [t] * len(parents)
    for level in reversed(levels):
        above = torch.stack([positions[parents[k]] for k in level.parts], dim=1)
        cells, kinds = best_given_parent(level.beliefs, level.columns, above, *level.lost)
        for k, cell, kind in zip(level.parts, cells.unbind(1), kinds.unbind(1), strict=True):
            positions[k], types[k] = cell, kind
    return torch.stack(positions, dim=1), torch.stack(types, dim=1)
