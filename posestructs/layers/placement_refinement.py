"""Positions between cells, from the score of the whole pose.

From the best placement of :func:`.max_sum.max_sum`, one part at a time is moved to its neighbouring cells, while all
other parts stay. What the pose's score F gains is, along x (y alike)::

    F(+1) - F(0) = u(+1) - u(0) - (w_k + sum_c w_c) - 2 (w_k d_k - sum_c w_c d_c)
    F(-1) - F(0) = u(-1) - u(0) - (w_k + sum_c w_c) + 2 (w_k d_k - sum_c w_c d_c)

with d = x - x_parent - o, and c the children of part k: parent and children keep pulling between cells too. As no
placement scores more than the best one, both are at most 0, and the refined position stays within half a cell.

Two refinements. 'parabola' goes to the top of the parabola through the three values, which is exact where the logarithm
of a Gaussian is sampled: one axis of the Newton step of DARK (Zhang et al., CVPR 2020). 'quarter' goes a quarter of a
cell towards the better neighbour (Newell et al., ECCV 2016; mmpose's ``refine_keypoints``). At the border of the map,
where there is one neighbour, and next to a score that is not finite, a position stays.

Shapes: N images, V parts, T types, H x W cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from posestructs.layers.max_sum import tree_edges

METHODS = ('parabola', 'quarter')


def refine_placement(
    scores: Tensor,
    parents: Sequence[int],
    offsets: Tensor,
    weights: Tensor,
    positions: Tensor,
    types: Tensor,
    method: str = 'parabola',
) -> Tensor:
    """Move each part of a best placement to where the score is best between cells.

    Args:
        scores (Tensor): (N, V, T, H, W) u.
        parents (Sequence[int]): V, -1 for the root.
        offsets (Tensor): (V, T, 2) x, y in cells, from the parent to the part.
        weights (Tensor): (V, T, 2) in 1 / cell^2.
        positions (Tensor): (N, V, 2) int64 cells (x, y) of :func:`.max_sum.max_sum`.
        types (Tensor): (N, V) int64.
        method (str): 'parabola' or 'quarter'.

    Returns:
        Tensor: (N, V, 2), at most half a cell from the positions.

    Raises:
        ValueError: An unknown method.
    """
    if method not in METHODS:
        raise ValueError(f'refine_placement: method={method!r}, allowed: {METHODS}')
    before, after = _gains(scores, parents, offsets, weights, positions, types)
    # x = (F(1) - F(-1)) / (2 (2 F(0) - F(1) - F(-1)))
    slope, bend = after - before, -(after + before)
    shift = slope / (2 * bend) if method == 'parabola' else slope.sign() / 4
    # a placement that is not the best one may have no top nearby
    useful = slope.isfinite() & (bend > 0)
    return positions + torch.where(useful, shift, 0).clamp(-0.5, 0.5)


def _gains(
    scores: Tensor, parents: Sequence[int], offsets: Tensor, weights: Tensor, positions: Tensor, types: Tensor
) -> tuple[Tensor, Tensor]:
    """(N, V, 2) gains of F by a step of -1 and by one of +1; -inf off the map."""
    before, after = (_gain_of_step(scores, positions, types, step) for step in (-1, 1))
    child, parent = tree_edges(parents, scores.device)
    kind = types[:, child]
    offset, weight = offsets[child, kind].to(before), weights[child, kind].to(before)
    pull = weight * (positions[:, child] - positions[:, parent] - offset)
    none = torch.zeros_like(before)
    # w_k + sum_c w_c,  w_k d_k - sum_c w_c d_c
    stiffness = none.index_add(1, child, weight).index_add(1, parent, weight)
    pull = none.index_add(1, child, pull).index_add(1, parent, -pull)
    return before - stiffness + 2 * pull, after - stiffness - 2 * pull


def _gain_of_step(scores: Tensor, positions: Tensor, types: Tensor, step: int) -> Tensor:
    """(N, V, 2) gain of u by a step along x and by one along y, at least in float32; -inf off the map."""
    h, w = scores.shape[-2:]
    x, y = positions.unbind(-1)
    here = ((types * h + y) * w + x)[..., None]
    moved = torch.stack((x, y), dim=2) + step
    on_map = torch.stack((moved[..., 0] < w, moved[..., 1] < h), dim=2) & (moved >= 0)
    there = torch.cat((here + step, here + step * w), dim=2)
    maps = scores.flatten(2)
    gain = maps.gather(2, torch.where(on_map, there, here)) - maps.gather(2, here)
    return torch.where(on_map, gain, -torch.inf).to(torch.promote_types(gain.dtype, torch.float32))
