"""Maxima along an axis of what cells score, less a quadratic penalty on their distance from where they are expected.

A product of matrices with maxima for sums and sums for products::

    best(d) = max over s of values(s) - w (s - d - o)^2

All pairs of cells of a line are looked at, where the algorithm of Felzenszwalb and Huttenlocher (Distance Transforms of
Sampled Functions, 2012) takes one step a cell; but that one branches at every step, and these are long vectors without
a branch. At 56 cells a line one CPU core takes about as long for either (``benchmarks/max_sum.py``); much larger maps
would favour the other. The pairs are worked out in slabs of a few rows, each read while it is still in the cache.

No pairs are left out: how far a part can be from where it is expected depends on the range of its scores, for which a
GPU would have to be waited for, and after a log softmax it is most of a map at w = 0.03.

Shapes: N images, P parts, T types; S cells along the axis, of a part and of its parent; L lines beside each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

CPU_SLAB, SLAB = 2**19, 2**25
"""About how many pairs of cells are worked out at once, on a CPU: what stays in the cache; elsewhere: what keeps a GPU
busy."""


class Workspace:
    """Memory for one slab after the other: fresh memory costs a CPU about as much as the sums that go into it."""

    def __init__(self) -> None:
        self._memory: Tensor | None = None

    def view(self, shape: Sequence[int], like: Tensor) -> Tensor:
        """An uninitialised tensor, valid until the next call.

        Args:
            shape (Sequence[int]): Of the tensor.
            like (Tensor): Of its type and on its device, the same at every call.

        Returns:
            Tensor: Of that shape.
        """
        cells = math.prod(shape)
        if self._memory is None or self._memory.numel() < cells:
            self._memory = like.new_empty(cells)
        return self._memory[:cells].view(shape)


def penalty(distance: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
    """Score that a part loses along one axis by not being where it is expected; shapes are broadcast.

    Args:
        distance (Tensor): Cells from the parent to the part.
        offset (Tensor): Cells from the parent to where the part is expected.
        weight (Tensor): In 1 / cell^2.

    Returns:
        Tensor: At most 0 for weights of at least 0.
    """
    # -w (s - d - o)^2
    return (distance - offset).square() * -weight


def penalty_table(size: int, offset: Tensor, weight: Tensor) -> Tensor:
    """Penalties for all distances on a map.

    Args:
        size (int): S.
        offset (Tensor): (P, T) in cells.
        weight (Tensor): (P, T) in 1 / cell^2.

    Returns:
        Tensor: (P, T, 2S - 1) for the distances 1 - S, ..., S - 1 from the parent to the part.
    """
    distance = torch.arange(1 - size, size, dtype=offset.dtype, device=offset.device)
    return penalty(distance, offset[..., None], weight[..., None])


def shifted_max(values: Tensor, lost: Tensor, merge_types: bool, workspace: Workspace) -> Tensor:
    """Best of a line for each cell of the parent.

    Args:
        values (Tensor): (N, P, T, S, L).
        lost (Tensor): (P, T, 2S - 1) of :func:`penalty_table`.
        merge_types (bool): Whether the maximum is over types too.
        workspace (Workspace): For the sums.

    Returns:
        Tensor: (N, P, S, L) with types merged, else (N, P, T, S, L).
    """
    best = _room(values, merge_types)
    for sums, target in _slabs(values, lost, workspace, best):
        # best(d) = max over s of values(s) - w (s - d - o)^2
        torch.amax(sums, (2, 3) if merge_types else 3, out=target)
    return _on_map(best, values)


def shifted_argmax(values: Tensor, lost: Tensor, merge_types: bool, workspace: Workspace) -> tuple[Tensor, Tensor]:
    """Values of :func:`shifted_max`, and where they are.

    Args:
        values (Tensor): (N, P, T, S, L).
        lost (Tensor): (P, T, 2S - 1) of :func:`penalty_table`.
        merge_types (bool): Whether the maximum is over types too.
        workspace (Workspace): For the sums.

    Returns:
        tuple[Tensor, Tensor]: Values, and int64 indices: s, or t * S + s with types merged.
    """
    best = _room(values, merge_types)
    index = torch.empty_like(best, dtype=torch.int64)
    size, lines = values.shape[-2:]
    for sums, target, where in _slabs(values, lost, workspace, best, index):
        maxima, found = sums.flatten(2, 3).max(2) if merge_types else sums.max(3)
        target.copy_(maxima)
        # row i of a slab meets cell s = i at shift number c - 1; a line without a finite value has no best cell
        row = torch.arange(sums.shape[-1], device=values.device) // lines
        shifts = sums.shape[3]
        s = (found % shifts + row - (shifts - size)).clamp(0, size - 1)
        where.copy_(found.div(shifts, rounding_mode='floor') * size + s)
    return _on_map(best, values), _on_map(index, values)


def _slabs(values: Tensor, lost: Tensor, workspace: Workspace, *rooms: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Values less penalties for all pairs of cells, n images and c cells of the parent at a time.

    Yields:
        tuple[Tensor, ...]: (n, P, T, S + c - 1, c * L) sums: all that c rows see, one shift after the other; and the
        views of the rooms that they are for. The next slab overwrites the sums.
    """
    size, lines = values.shape[-2:]
    images, c, count = _slab_size(values)
    # what c rows see at a shift is one window of a long line, with nothing to be found beyond its ends
    beyond = values.new_full((c - 1, lines), -math.inf).expand(*values.shape[:3], c - 1, lines)
    windows = torch.cat((beyond, values, beyond), dim=3).flatten(3).unfold(3, c * lines, lines)
    # rows d, ..., d + c - 1 see the distances 1 - c - d, ..., S - 1 - d; rows beyond the map see what does not matter
    lost = F.pad(lost, (count * c - size, 0)).unfold(2, size + c - 1, c)[..., None].unbind(2)[::-1]
    for some, *parts in zip(*(tensor.split(images) for tensor in (windows, *rooms)), strict=True):
        sums = workspace.view(some.shape, values)
        for of_rows, *targets in zip(lost, *(part.split(c * lines, dim=-1) for part in parts), strict=True):
            torch.add(some, of_rows, out=sums)
            yield sums, *targets


def _slab_size(values: Tensor) -> tuple[int, int, int]:
    """Images and rows of a slab, and how many such rows there are: as many as the map has, or a few more."""
    of_row, size, lines = math.prod(values.shape[1:]), *values.shape[-2:]
    on_cpu = values.device.type == 'cpu'
    # more rows make longer vectors, and look at more cells that are not on the map. A CPU reduces 32 numbers at a time
    # and what is left over one by one: 4 rows only where nothing is
    rows = 4 if on_cpu and lines % 8 == 0 and 8 * of_row > CPU_SLAB else 8
    rows = min(rows, size)
    return max((CPU_SLAB if on_cpu else SLAB) // (rows * of_row), 1), rows, -(-size // rows)


def _room(values: Tensor, merge_types: bool) -> Tensor:
    """Room for the best of all rows: (N, P, S' * L) or (N, P, T, S' * L), with S' at least S."""
    _, rows, count = _slab_size(values)
    return values.new_empty(*values.shape[: 2 if merge_types else 3], rows * count * values.shape[-1])


def _on_map(room: Tensor, values: Tensor) -> Tensor:
    """The S rows that are on the map, (..., S, L)."""
    size, lines = values.shape[-2:]
    return room[..., : size * lines].unflatten(-1, (size, lines))
