"""Draw Gaussian heatmaps, one per joint, with a second copy of some.

A Gaussian is separable, exp(-(x-u)^2 / 2s^2) exp(-(y-v)^2 / 2s^2), so that one exponential per column and one per row
give all of its cells. mmpose's generators, whose values these are, take one per cell, joint by joint.

Shapes: K joints, H x W cells; positions are (x, y) in cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def draw_gaussians(
    size: Sequence[int],
    cells: np.ndarray,
    drawn: np.ndarray,
    sigma: float,
    copied: np.ndarray | None = None,
    exact: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw Gaussians cut off at three sigma, as mmpose's ``generate_gaussian_heatmaps`` and its UDP variant.

    Args:
        size: (W, H).
        cells: (K, 2) joints.
        drawn: (K,) bool mask of the joints to draw.
        sigma: Standard deviation in cells.
        copied: (K,) bool mask of the joints to draw into the second K maps too; None for no second maps.
        exact: Put the centres at the joints (UDP) rather than at the nearest cells.

    Returns:
        tuple[np.ndarray, np.ndarray]: (2K, H, W) or (K, H, W) float32 maps; (K,) bool mask of the drawn Gaussians that
        reach into the map.
    """
    (width, height), count = size, len(cells)
    radius = int(3 * sigma)
    cells = np.where(drawn[:, None], cells, 0)
    nearest = np.floor(cells + 0.5)
    low = nearest.astype(np.int64) - radius
    inside = drawn & (low < (width, height)).all(1) & (low + 2 * radius + 1 > 0).all(1)

    offset = np.arange(-radius, radius + 1, dtype=np.float32)
    offset = offset - (cells - nearest)[:, :, None] if exact else offset[None, None]
    # exp(-(x-u)^2 / 2s^2) exp(-(y-v)^2 / 2s^2)
    side = np.exp(offset**2 / np.float32(-2 * sigma**2), dtype=np.float32)
    patches = side[:, -1, :, None] * side[:, 0, None, :]

    # np.zeros gets its zeros from the system, so that only the windows are written
    maps = np.zeros((count if copied is None else 2 * count, height, width), np.float32)
    for k in np.flatnonzero(inside).tolist():
        x, y = low[k].tolist()
        patch = patches[k if exact else 0]
        patch = patch[max(-y, 0) : height - y, max(-x, 0) : width - x]
        window = np.s_[max(y, 0) : y + 2 * radius + 1, max(x, 0) : x + 2 * radius + 1]
        maps[k][window] = patch
        if copied is not None and copied[k]:
            maps[count + k][window] = patch
    return maps, inside


def fill_gaussians(
    size: Sequence[int], cells: np.ndarray, drawn: np.ndarray, sigma: float, copied: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw Gaussians at the joints over the whole map, as mmpose's ``generate_unbiased_gaussian_heatmaps`` (DARK).

    Args:
        size: (W, H).
        cells: (K, 2) joints.
        drawn: (K,) bool mask of the joints to draw.
        sigma: Standard deviation in cells.
        copied: (K,) bool mask of the joints to draw into the second K maps too; None for no second maps.

    Returns:
        tuple[np.ndarray, np.ndarray]: (2K, H, W) or (K, H, W) float32 maps; (K,) bool mask of the drawn Gaussians that
        reach into the map within three sigma.
    """
    (width, height), count = size, len(cells)
    cells, radius = np.where(drawn[:, None], cells, 0), 3 * sigma
    inside = drawn & (cells - radius < (width, height)).all(1) & (cells + radius + 1 >= 0).all(1)
    scale = np.float32(-2 * sigma**2)
    columns, rows = (
        np.exp((np.arange(length, dtype=np.float32) - cells[:, axis, None]) ** 2 / scale, dtype=np.float32)
        for axis, length in enumerate((width, height))
    )
    rows *= inside[:, None]
    maps = np.empty((count if copied is None else 2 * count, height, width), np.float32)
    # exp(-(x-u)^2 / 2s^2) exp(-(y-v)^2 / 2s^2)
    np.multiply(rows[:, :, None], columns[:, None, :], out=maps[:count])
    if copied is not None:
        np.multiply(maps[:count], copied[:, None, None], out=maps[count:])
    return maps, inside
