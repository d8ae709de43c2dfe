"""Differentiable positions of joints, and maps drawn anew at them.

A predicted map differs from a target by its appearance: its peak is lower, its rest is not 0. A discriminator that sees
the appearance need not look at the pose. Here both kinds of maps are reduced to positions, from which Gaussians of
equal height and width can be drawn::

    w_k = max(y_k, 0)^p,  u_k = round(sum_c c w_k(c) / sum_c w_k(c)),  y'_k(c) = exp(-|c - u_k|^2 / 2 sigma^2)

with cells c. Codecs put the Gaussian of a target at a whole cell. Positions are therefore rounded, or fractions of a
cell would reveal predictions; gradients pass the rounding unchanged.

Shapes: N batch, K joints, H x W cells; positions are (x, y) in cells.
"""

from __future__ import annotations

import torch
from torch import Tensor

# at the 8th power, a second peak of half the height counts for 1/256
POWER = 8.0


def present(maps: Tensor) -> Tensor:
    """Find joints that have a position: maps with a value above 0. Those of unlabelled joints are empty.

    Args:
        maps: (N, K, H, W).

    Returns:
        Tensor: (N, K) of 0 and 1 in the maps' type.
    """
    return (maps.amax((2, 3)) > 0).to(maps)


def soft_argmax(maps: Tensor, power: float = POWER) -> Tensor:
    """Mean cell of each map, weighted by a power of its positive values.

    Args:
        maps: (N, K, H, W).
        power: p, at least 1; the greater, the closer to the maximum.

    Returns:
        Tensor: (N, K, 2), 0 where no value is above 0. Gradients reach the maps.
    """
    positive = maps.clamp(min=0)
    # relative to the peak, which cancels out, so that no power underflows
    peak = positive.detach().amax((2, 3), keepdim=True)
    weights = (positive / peak.clamp(min=torch.finfo(maps.dtype).tiny)).pow(power)
    total = weights.sum((2, 3)).clamp(min=torch.finfo(maps.dtype).tiny)
    height, width = maps.shape[2:]
    columns = torch.arange(width, device=maps.device, dtype=maps.dtype)
    rows = torch.arange(height, device=maps.device, dtype=maps.dtype)
    # sum_c c w(c) / sum_c w(c)
    x, y = (weights.sum(2) * columns).sum(2) / total, (weights.sum(3) * rows).sum(2) / total
    return torch.stack((x, y), dim=2)


def rounded(cells: Tensor) -> Tensor:
    """Whole cells, with the gradient of the identity."""
    return cells + (cells.round() - cells).detach()


def draw(cells: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Gaussians of height 1 over the whole map.

    Args:
        cells: (N, K, 2).
        size: (H, W).
        sigma: Standard deviation in cells.

    Returns:
        Tensor: (N, K, H, W).
    """
    sides = []
    for axis, length in ((1, size[0]), (0, size[1])):
        offset = torch.arange(length, device=cells.device, dtype=cells.dtype) - cells[..., axis, None]
        sides.append((offset.square() / (-2 * sigma**2)).exp())
    # exp(-(y-v)^2 / 2s^2) exp(-(x-u)^2 / 2s^2)
    return sides[0][..., :, None] * sides[1][..., None, :]


def redraw(maps: Tensor, sigma: float, power: float = POWER) -> Tensor:
    """Replace each map by a Gaussian of height 1 at its position; empty maps stay empty.

    Args:
        maps: (N, K, H, W) pose maps, targets or predictions.
        sigma: Standard deviation in cells.
        power: p of :func:`soft_argmax`.

    Returns:
        Tensor: (N, K, H, W). Gradients reach the maps.
    """
    drawn = draw(rounded(soft_argmax(maps, power)), tuple(maps.shape[2:]), sigma)
    return drawn * present(maps)[:, :, None, None]
