"""Convert between heatmaps and joint coordinates.

A cell is a pair (x, y): column and row of a map. A map of W x H cells covers an input of w x h pixels, so that a cell
is s = w / W pixels wide (and h / H high). Pixel 0 has its centre at 0. Two conventions are in use, here for s = 4::

    pixels               0   1   2   3   4   5   6   7   8   9   10  11
                       +---+---+---+---+---+---+---+---+---+---+---+---+
    areas              |    cell 0     |    cell 1     |    cell 2     |   p = (c + 1/2) s - 1/2
    (PartScoreMap)             ^ 1.5           ^ 5.5           ^ 9.5
                       +---+---+---+---+---+---+---+---+---+---+---+---+
    points              cell 0          cell 1          cell 2             p = s c
    (OcclusionHeatmap)   ^ 0             ^ 4             ^ 8

Areas are mirror images of each other in a flipped image; points are not, and need ``shift_heatmap`` in flip tests.
Points are mmpose's convention: ``MSRAHeatmap`` with s = w / W, ``UDPHeatmap`` with s = (w - 1) / (W - 1), for which a
flip needs no shift either. :func:`pixels_to_cells` and :func:`cells_to_pixels` are for areas; the codecs of mmpose have
their own conversion.

Shapes: N batch, K maps of an image, H x W cells.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

REFINEMENTS = ('parabola', 'quarter', None)
"""Methods of :func:`refine`."""

Points = TypeVar('Points', np.ndarray, Tensor)


# -- cells and pixels ----------------------------------------------------------------------------------------------


def pixels_to_cells(points: np.ndarray, cell_size: np.ndarray) -> np.ndarray:
    """Find the cell, as an area, that each point lies in.

    Args:
        points: (..., 2) x and y in pixels.
        cell_size: (2,) pixels per cell along x and y.

    Returns:
        np.ndarray: (..., 2) float64 whole numbers; cells may lie off the map.
    """
    return np.floor((np.asarray(points, np.float64) + 0.5) / cell_size)


def cells_to_pixels(cells: Points, cell_size: Points) -> Points:
    """Centres of cells, as areas: the inverse of :func:`pixels_to_cells` up to half a cell.

    Args:
        cells: (..., 2), which may be fractional.
        cell_size: (2,) pixels per cell along x and y.

    Returns:
        np.ndarray | Tensor: (..., 2) pixels.
    """
    return (cells + 0.5) * cell_size - 0.5


# -- maps and cells ------------------------------------------------------------------------------------------------


def unravel(index: Tensor, width: int) -> Tensor:
    """Turn flat indices into cells.

    Args:
        index: (...) int64, y * W + x.
        width: W.

    Returns:
        Tensor: (..., 2) int64 cells.
    """
    return torch.stack((index % width, index.div(width, rounding_mode='floor')), dim=-1)


def argmax(maps: Tensor) -> Tensor:
    """Find the cell with the greatest value of each map.

    Args:
        maps: (N, K, H, W).

    Returns:
        Tensor: (N, K, 2) int64 cells.
    """
    return unravel(maps.flatten(2).argmax(dim=2), maps.shape[-1])


def heatmap_maximum(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Cell and value of each map's maximum, as mmpose's ``get_heatmap_maximum`` but without a copy to the host.

    Args:
        maps: (N, K, H, W).

    Returns:
        tuple[Tensor, Tensor]: (N, K, 2) cells, both coordinates -1 where the maximum is not above 0, in the maps' type
        but at least float32; (N, K) values.
    """
    values, index = maps.flatten(2).max(dim=2)
    cells = unravel(index, maps.shape[-1]).to(torch.promote_types(maps.dtype, torch.float32))
    return torch.where(values.unsqueeze(2) > 0, cells, -1.0), values


def values_at(maps: Tensor, cells: Tensor) -> Tensor:
    """Read each map at one cell.

    Args:
        maps: (N, K, H, W).
        cells: (N, K, 2) int64, on the map.

    Returns:
        Tensor: (N, K).
    """
    index = cells[..., 1] * maps.shape[-1] + cells[..., 0]
    return maps.flatten(2).gather(2, index[..., None]).squeeze(2)


def refine(log_maps: Tensor, cells: Tensor, method: str | None) -> Tensor:
    """Estimate positions between cells from the neighbours of each cell.

    ``'parabola'`` moves to the vertex of the parabola through the cell and its two neighbours along each axis, at most
    half a cell; ``'quarter'`` moves a quarter of a cell towards the greater neighbour, as mmpose's
    ``refine_keypoints``; None moves nothing. A cell at the border, which lacks a neighbour, stays along that axis, and
    so does one beside a value that is not finite.

    Args:
        log_maps: (N, K, H, W) logarithms of maps.
        cells: (N, K, 2) int64.
        method: One of :data:`REFINEMENTS`.

    Returns:
        Tensor: (N, K, 2) in the type of the maps.
    """
    refined = cells.to(log_maps.dtype)
    if method is None:
        return refined
    shifts = []
    for axis, length in enumerate((log_maps.shape[-1], log_maps.shape[-2])):
        step = torch.zeros_like(cells)
        step[..., axis] = (cells[..., axis] > 0) & (cells[..., axis] < length - 1)
        before, centre, after = (values_at(log_maps, cells + d * step) for d in (-1, 0, 1))
        slope = after - before
        if method == 'quarter':
            shift = slope.sign() / 4
        else:
            # x = (f(1) - f(-1)) / (2 (2 f(0) - f(1) - f(-1)))
            curvature = (2 * centre - after - before).clamp(min=1e-6)
            shift = (slope / (2 * curvature)).clamp(-0.5, 0.5)
        shifts.append(torch.where(slope.isfinite(), shift, 0))
    return refined + torch.stack(shifts, dim=-1)
