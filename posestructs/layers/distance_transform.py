"""Generalised distance transforms: the messages of max-sum inference over a tree.

For every cell p of its parent, a message holds the score of the part's best placement (Felzenszwalb and Huttenlocher,
Distance Transforms of Sampled Functions, 2012; with types and anchors as in Yang and Ramanan, CVPR 2011)::

    M(p) = max over t, x, y of  b_t(x, y) - w_x,t (x - p_x - o_x,t)^2 - w_y,t (y - p_y - o_y,t)^2

The penalty is separable, so that the maximum is taken along y first, then along x together with the types. Each is a
one-dimensional transform, a matrix product with maxima for sums and sums for products::

    best(d) = max over s of values(s) - w (s - d - o)^2

It compares all pairs of cells of a line, where the algorithm of Felzenszwalb and Huttenlocher takes one step per cell.
That algorithm branches at every step, while these are long vectors without branches: at 56 cells per line one CPU core
takes about as long for either (``benchmarks/max_sum.py``). Much larger maps would favour the other. Pairs are processed
in slabs of a few rows, each read while it is still in the cache. No pair is skipped: how far a part may lie from its
anchor depends on the range of its scores. Reading that range would stall a GPU, and after a log softmax it admits most
of a map at w = 0.03.

Shapes: N batch, P parts, T types, H x W cells; along one axis S cells, of a part and of its parent, and L lines beside
each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

CPU_SLAB, SLAB = 2**19, 2**25
"""Approximate number of pairs of cells per slab, on a CPU (what fits the cache) and elsewhere (what keeps a GPU
busy)."""


class Workspace:
    """Memory that successive slabs share: on a CPU, fresh memory costs about as much as the sums written to it."""

    def __init__(self) -> None:
        self._memory: Tensor | None = None

    def view(self, shape: Sequence[int], like: Tensor) -> Tensor:
        """Get an uninitialised tensor, valid until the next call.

        Args:
            shape: Shape of the tensor.
            like: Tensor of the same type and device, the same at every call.

        Returns:
            Tensor: The tensor.
        """
        cells = math.prod(shape)
        if self._memory is None or self._memory.numel() < cells:
            self._memory = like.new_empty(cells)
        return self._memory[:cells].view(shape)


# -- penalties -----------------------------------------------------------------------------------------------------


def penalty(distance: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
    """Quadratic penalty along one axis on a part that lies away from its anchor; shapes are broadcast.

    Args:
        distance: Cells from the parent to the part.
        offset: Cells from the parent to the anchor.
        weight: Weight in 1 / cell^2.

    Returns:
        Tensor: Penalty as a score, at most 0 for weights of at least 0.
    """
    # -w (s - d - o)^2
    return (distance - offset).square() * -weight


def penalty_table(size: int, offset: Tensor, weight: Tensor) -> Tensor:
    """Penalties for all distances on a map.

    Args:
        size: Number of cells along the axis, S.
        offset: (P, T) offsets in cells.
        weight: (P, T) weights in 1 / cell^2.

    Returns:
        Tensor: (P, T, 2S - 1) for the distances 1 - S, ..., S - 1 from the parent to the part.
    """
    distance = torch.arange(1 - size, size, dtype=offset.dtype, device=offset.device)
    return penalty(distance, offset[..., None], weight[..., None])


# -- both axes -----------------------------------------------------------------------------------------------------


def distance_transform(
    beliefs: Tensor, penalties_x: Tensor, penalties_y: Tensor, workspace: Workspace | None = None
) -> tuple[Tensor, Tensor]:
    """Score of each part's best placement for every cell of its parent.

    Args:
        beliefs: (N, P, T, H, W) scores of the parts by type, including the messages of their children.
        penalties_x: (P, T, 2W - 1) from :func:`penalty_table`.
        penalties_y: (P, T, 2H - 1) from :func:`penalty_table`.
        workspace: Memory to reuse.

    Returns:
        tuple[Tensor, Tensor]: (N, P, H, W) messages M; (N, P, T, H, W) maxima G along y alone, for each row of the
        parent, which :func:`backtrack` needs.
    """
    workspace = workspace or Workspace()
    # G_t(p_y, x) = max over y of b_t(x, y) - w_y (y - p_y - o_y)^2
    columns = line_transform(beliefs, penalties_y, merge_types=False, workspace=workspace)
    # M(p) = max over t, x of G_t(p_y, x) - w_x (x - p_x - o_x)^2
    messages = line_transform(columns.transpose(-1, -2), penalties_x, merge_types=True, workspace=workspace)
    return messages.transpose(-1, -2).contiguous(), columns


def backtrack(
    beliefs: Tensor, columns: Tensor, parent: Tensor, penalties_x: Tensor, penalties_y: Tensor
) -> tuple[Tensor, Tensor]:
    """Find the best placement of each part for one cell of its parent.

    It adds the same numbers in the same order as :func:`distance_transform`, so that its maxima are the same bits.

    Args:
        beliefs: (N, P, T, H, W) scores, as given to :func:`distance_transform`.
        columns: (N, P, T, H, W) maxima G that it returned.
        parent: (N, P, 2) int64 cells (x, y) of the parents.
        penalties_x: (P, T, 2W - 1).
        penalties_y: (P, T, 2H - 1).

    Returns:
        tuple[Tensor, Tensor]: (N, P, 2) int64 cells (x, y); (N, P) int64 types.
    """
    (h, w), (px, py) = beliefs.shape[-2:], parent.unbind(-1)
    image, part = (torch.arange(size, device=beliefs.device) for size in beliefs.shape[:2])
    image = image[:, None]
    # windows on the penalties: window i is the one of a parent at S - 1 - i
    penalties_x, penalties_y = penalties_x.unfold(-1, w, 1), penalties_y.unfold(-1, h, 1)
    # max over t, x of G_t(p_y, x) - w_x (x - p_x - o_x)^2
    best = (columns[image, part, :, py] + penalties_x[part, :, w - 1 - px]).flatten(2).argmax(2)
    t, x = best.div(w, rounding_mode='floor'), best % w
    # max over y of b_t(x, y) - w_y (y - p_y - o_y)^2
    y = (beliefs[image, part, t, :, x] + penalties_y[part, t, h - 1 - py]).argmax(2)
    return torch.stack((x, y), dim=2), t


# -- one axis ------------------------------------------------------------------------------------------------------


def line_transform(values: Tensor, penalties: Tensor, merge_types: bool, workspace: Workspace) -> Tensor:
    """One-dimensional transform: the best value along each line for every cell of the parent.

    Args:
        values: (N, P, T, S, L).
        penalties: (P, T, 2S - 1) from :func:`penalty_table`.
        merge_types: Take the maximum over types too.
        workspace: Memory for the sums.

    Returns:
        Tensor: (N, P, S, L) with merged types, else (N, P, T, S, L).
    """
    size, lines = values.shape[-2:]
    images, rows, count = _slab_size(values)
    # room for whole slabs: rows * count may exceed S
    best = values.new_empty(*values.shape[: 2 if merge_types else 3], rows * count * lines)
    for sums, target in _slabs(values, penalties, best, (images, rows, count), workspace):
        # best(d) = max over s of values(s) - w (s - d - o)^2
        torch.amax(sums, (2, 3) if merge_types else 3, out=target)
    return best[..., : size * lines].unflatten(-1, (size, lines))


def _slabs(
    values: Tensor, penalties: Tensor, best: Tensor, slab: tuple[int, int, int], workspace: Workspace
) -> Iterator[tuple[Tensor, Tensor]]:
    """Values plus penalties for all pairs of cells, n images and c cells of the parent at a time.

    Yields:
        tuple[Tensor, Tensor]: (n, P, T, S + c - 1, c * L) sums, one shift after the other, for all c rows; the view of
        ``best`` that their maxima belong to. The next slab overwrites the sums.
    """
    size, lines = values.shape[-2:]
    images, c, count = slab
    # the values of c rows at one shift are a window of a long line, with -inf beyond its ends
    beyond = values.new_full((c - 1, lines), -math.inf).expand(*values.shape[:3], c - 1, lines)
    windows = torch.cat((beyond, values, beyond), dim=3).flatten(3).unfold(3, c * lines, lines)
    # rows d, ..., d + c - 1 have the distances 1 - c - d, ..., S - 1 - d; rows beyond the map are cut off at the end
    penalties = F.pad(penalties, (count * c - size, 0)).unfold(2, size + c - 1, c)[..., None].unbind(2)[::-1]
    for some, targets in zip(windows.split(images), best.split(images), strict=True):
        sums = workspace.view(some.shape, values)
        for of_rows, target in zip(penalties, targets.split(c * lines, dim=-1), strict=True):
            torch.add(some, of_rows, out=sums)
            yield sums, target


def _slab_size(values: Tensor) -> tuple[int, int, int]:
    """Images and rows of a slab, and the number of such slabs that cover the rows of a map."""
    of_row, size, lines = math.prod(values.shape[1:]), *values.shape[-2:]
    on_cpu = values.device.type == 'cpu'
    # More rows make longer vectors and look at more cells off the map. A CPU reduces 32 numbers at a time and the rest
    # one by one, so 4 rows are used only where nothing is left over.
    rows = 4 if on_cpu and lines % 8 == 0 and 8 * of_row > CPU_SLAB else 8
    rows = min(rows, size)
    return max((CPU_SLAB if on_cpu else SLAB) // (rows * of_row), 1), rows, -(-size // rows)
