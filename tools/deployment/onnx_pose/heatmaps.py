"""Decode heatmaps to joints, scores and occlusion: ``MSRAHeatmap``, ``UDPHeatmap``, ``OcclusionHeatmap``.

Shapes: N images, K joints, H x W cells. Cells are (x, y), float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def argmax(maps: np.ndarray) -> np.ndarray:
    """Cell with the greatest value of each map.

    Args:
        maps: (N, K, H, W).

    Returns:
        (N, K, 2) int cells.
    """
    y, x = np.unravel_index(maps.reshape(*maps.shape[:2], -1).argmax(2), maps.shape[2:])
    return np.stack([x, y], -1)


def peaks(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell and value of each map's maximum.

    Args:
        maps: (N, K, H, W).

    Returns:
        (N, K, 2) cells, -1 where the maximum is not above 0; (N, K) values.
    """
    values, cells = maps.max((2, 3)), argmax(maps).astype(np.float32)
    cells[values <= 0] = -1
    return cells, values


def at(maps: np.ndarray, cells: np.ndarray, dx: int = 0, dy: int = 0) -> np.ndarray:
    """Values of maps beside one cell each, clamped to the map.

    Args:
        maps: (N, K, H, W).
        cells: (N, K, 2).
        dx: Offset to the right in cells.
        dy: Offset downwards in cells.

    Returns:
        (N, K).
    """
    height, width = maps.shape[2:]
    x, y = np.moveaxis(cells.astype(int), 2, 0)
    image, joint = np.ogrid[: maps.shape[0], : maps.shape[1]]
    return maps[image, joint, np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)]


def quarter(maps: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Move each cell by a quarter towards the higher neighbour, along each axis.

    Args:
        maps: (N, K, H, W).
        cells: (N, K, 2) cells of :func:`peaks`.

    Returns:
        (N, K, 2).
    """
    (height, width), (x, y) = maps.shape[2:], np.moveaxis(cells, 2, 0)
    right = (x > 1) & (x < width - 1) & (y > 0) & (y < height)
    down = (y > 1) & (y < height - 1) & (x > 0) & (x < width)
    slope_x = np.where(right, at(maps, cells, 1) - at(maps, cells, -1), 0)
    slope_y = np.where(down, at(maps, cells, 0, 1) - at(maps, cells, 0, -1), 0)
    return cells + np.sign(np.stack([slope_x, slope_y], -1)).astype(np.float32) * np.float32(0.25)


def blur(maps: np.ndarray, kernel: Sequence[float]) -> np.ndarray:
    """Gaussian blur that keeps each map's maximum.

    Args:
        maps: (N, K, H, W).
        kernel: Weights, an odd number.

    Returns:
        (N, K, H, W).
    """
    blurred, border = maps.astype(np.float32), len(kernel) // 2
    for axis in (3, 2):
        pad = [(border, border) if i == axis else (0, 0) for i in range(4)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(blurred, pad), len(kernel), axis=axis)
        blurred = windows @ np.asarray(kernel, np.float32)
    with np.errstate(divide='ignore', invalid='ignore'):
        return blurred * (maps.max((2, 3), keepdims=True) / blurred.max((2, 3), keepdims=True))


def dark(maps: np.ndarray, cells: np.ndarray, kernel: Sequence[float]) -> np.ndarray:
    """Newton's step to the top of the blurred map's logarithm (Zhang et al., CVPR 2020).

    Args:
        maps: (N, K, H, W).
        cells: (N, K, 2) cells of :func:`peaks`.
        kernel: Weights of the blur.

    Returns:
        (N, K, 2); cells near the border stay.
    """
    maps = np.log(np.maximum(blur(maps, kernel), 1e-10))
    near = {(dx, dy): at(maps, cells, dx, dy) for dx in range(-2, 3) for dy in range(-2, 3)}
    dx, dy = (0.5 * (near[step] - near[-step[0], -step[1]]) for step in ((1, 0), (0, 1)))
    dxx, dyy = (0.25 * (near[step] - 2 * near[0, 0] + near[-step[0], -step[1]]) for step in ((2, 0), (0, 2)))
    dxy = 0.25 * (near[1, 1] - near[1, -1] - near[-1, 1] + near[-1, -1])
    (height, width), (x, y) = maps.shape[2:], np.moveaxis(cells, 2, 0)
    bend = dxx * dyy - dxy**2
    useful = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2) & (bend != 0)
    with np.errstate(divide='ignore', invalid='ignore'):
        step = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], -1) / bend[..., None]
    return cells + np.where(useful[..., None], step, 0).astype(np.float32)


def dark_udp(maps: np.ndarray, cells: np.ndarray, kernel: Sequence[float]) -> np.ndarray:
    """Newton's step with the derivatives of UDP (Huang et al., CVPR 2020), also at the border.

    Args:
        maps: (N, K, H, W).
        cells: (N, K, 2) cells of :func:`peaks`.
        kernel: Weights of the blur.

    Returns:
        (N, K, 2).
    """
    maps = np.log(np.clip(blur(maps, kernel), 1e-3, 50))
    # a joint that was not found is at -1, one cell outside the map
    maps = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)), mode='edge')
    here, left, right, up, down, last, first = (
        _of_padded(maps, cells, *step) for step in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (1, 1), (-1, -1))
    )
    dxx, dyy = right - 2 * here + left, down - 2 * here + up
    dxy = 0.5 * (last - right - down + here + here - left - up + first)
    hessian = np.stack([dxx, dxy, dxy, dyy], -1).reshape(*cells.shape[:2], 2, 2)
    slope = np.stack([0.5 * (right - left), 0.5 * (down - up)], -1)
    step = np.linalg.inv(hessian + np.finfo(np.float32).eps * np.eye(2)) @ slope[..., None]
    return (cells - step[..., 0]).astype(np.float32)


def _of_padded(maps: np.ndarray, cells: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """Values beside cells of a map padded by one; the map is indexed as one line, as in mmpose."""
    width = maps.shape[3]
    index = (cells[..., 0] + 1 + (cells[..., 1] + 1) * width).astype(int) + dx + dy * width
    # outside of this map mmpose reads the map before it
    flat = maps.reshape(len(maps), -1)
    index = index + np.arange(maps.shape[1]) * (maps.shape[2] * width)
    return np.take_along_axis(flat, index % flat.shape[1], 1)


def occlusion(pose: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Probability that each joint is occluded: sum of its occlusion map over sum of its pose map, near its maximum.

    Args:
        pose: (N, K, H, W) pose maps.
        hidden: (N, K, H, W) occlusion maps.

    Returns:
        (N, K) float32, 0 to 1; 0.5 where the pose map has no positive value.
    """
    cells, values = peaks(pose)
    (height, width), (x, y) = pose.shape[2:], np.moveaxis(cells, 2, 0)
    joint, covered = np.zeros(values.shape), np.zeros(values.shape)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            inside = (x + dx >= 0) & (x + dx < width) & (y + dy >= 0) & (y + dy < height)
            joint += at(pose, cells, dx, dy).clip(0) * inside
            covered += at(hidden, cells, dx, dy).clip(0) * inside
    probability = np.where(values > 0, covered / np.where(values > 0, joint, 1), 0.5)
    return probability.clip(0, 1).astype(np.float32)
