"""Features of a joint's heatmap and of its place in the pose, to tell right joints from wrong ones.

Everything is measured in the maps alone, so that it is known at test time. Lengths are divided by the size of the
predicted pose, the root mean square distance of its joints to their mean.

Shapes: N persons, K joints, H x W cells, F features; cells are (x, y).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NAMES = (
    'peak',
    'extent',
    'entropy',
    'second_peak',
    'mirror_map_here',
    'own_map_at_mirror',
    'mirror_distance',
    'nearest_joint',
    'shortest_limb',
    'longest_limb',
    'neighbours_mean_peak',
    'neighbours_least_peak',
    'pose_mean_peak',
    'pose_least_peak',
    'x',
    'y',
    'border',
    'pose_size',
    'up_x',
    'up_y',
    'occluded',
)
"""Names of the features, in their order."""
_EXCLUDED = 8
"""A second peak is looked for outside a radius of this part of the map's longer side."""


def joint_features(
    maps: np.ndarray,
    mirror: Sequence[int],
    links: Sequence[Sequence[int]],
    occluded: np.ndarray | None = None,
) -> np.ndarray:
    """Compute the features of all joints.

    Args:
        maps: (N, K, H, W) heatmaps of joints; values below 0 count as 0.
        mirror: (K,) index of each joint's mirror joint, its own for a joint without one.
        links: Pairs of joints that are neighbours.
        occluded: (N, K) probability that each joint is occluded; 0.5 where it is not known.

    Returns:
        np.ndarray: (N, K, F) float64, finite, in the order of ``NAMES``.

    Raises:
        ValueError: The maps are not finite, or the indices do not fit them.
    """
    maps = np.asarray(maps, np.float64)
    if maps.ndim != 4 or not np.isfinite(maps).all():
        raise ValueError(f'maps of the shape {maps.shape}, allowed: finite (N, K, H, W)')
    count = maps.shape[1]
    mirror, links = np.asarray(mirror, int), np.asarray(links, int).reshape(-1, 2)
    if mirror.shape != (count,) or (links.size and not 0 <= links.min() <= links.max() < count):
        raise ValueError(f'{len(mirror)} mirror joints and links {links.tolist()} for {count} maps')
    maps = maps.clip(0)
    cells, peaks = _peaks(maps)
    centre = cells.mean(1, keepdims=True)
    size = np.sqrt(((cells - centre) ** 2).sum(2).mean(1)).clip(1)[:, None]
    sides = np.array(maps.shape[:1:-1], np.float64)
    columns = dict(
        zip(('extent', 'entropy', 'second_peak'), _shape(maps, cells, peaks), strict=True),
        peak=peaks,
        mirror_map_here=_at(maps[:, mirror], cells),
        own_map_at_mirror=_at(maps, cells[:, mirror]),
        pose_mean_peak=np.broadcast_to(peaks.mean(1, keepdims=True), peaks.shape),
        pose_least_peak=np.broadcast_to(peaks.min(1, keepdims=True), peaks.shape),
        x=cells[..., 0] / sides[0] - 0.5,
        y=cells[..., 1] / sides[1] - 0.5,
        border=np.minimum(cells, sides - 1 - cells).min(2) / sides.max(),
        pose_size=np.broadcast_to(size / sides.max(), peaks.shape),
        occluded=np.full(peaks.shape, 0.5) if occluded is None else np.asarray(occluded, np.float64),
        **_pose(cells, size, peaks, mirror, links),
    )
    return np.stack([columns[name] for name in NAMES], 2)


def _peaks(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, K, 2) cells of the maxima, and (N, K) their values."""
    flat = maps.reshape(*maps.shape[:2], -1)
    y, x = np.divmod(flat.argmax(2), maps.shape[3])
    return np.stack([x, y], 2).astype(np.float64), flat.max(2)


def _at(maps: np.ndarray, cells: np.ndarray) -> np.ndarray:
    n, k = np.ogrid[: maps.shape[0], : maps.shape[1]]
    return maps[n, k, cells[..., 1].astype(int), cells[..., 0].astype(int)]


def _shape(maps: np.ndarray, cells: np.ndarray, peaks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logarithm of the mass in units of the peak, entropy, and the second peak over the first."""
    height, width = maps.shape[2:]
    mass = maps.sum((2, 3))
    share = maps / np.maximum(mass, 1e-12)[..., None, None]
    entropy = -(share * np.log(np.maximum(share, 1e-12))).sum((2, 3))
    x, y = np.arange(width), np.arange(height)[:, None]
    far = np.hypot(x - cells[..., 0, None, None], y - cells[..., 1, None, None]) > max(height, width) / _EXCLUDED
    second = np.where(far, maps, 0).max((2, 3))
    scale = np.maximum(peaks, 1e-6)
    return np.log1p(mass / scale), entropy, second / scale


def _pose(
    cells: np.ndarray, size: np.ndarray, peaks: np.ndarray, mirror: np.ndarray, links: np.ndarray
) -> dict[str, np.ndarray]:
    """Features of the places of joints against each other."""
    count = len(mirror)
    neighbours = np.zeros((count, count), bool)
    neighbours[links[:, 0], links[:, 1]] = neighbours[links[:, 1], links[:, 0]] = True
    np.fill_diagonal(neighbours, False)
    distance = np.linalg.norm(cells[:, :, None] - cells[:, None], axis=3) / size[:, :, None]
    others = np.where(np.eye(count, dtype=bool), np.inf, distance).min(2) if count > 1 else np.zeros(peaks.shape)
    alone = ~neighbours.any(1)

    def over_neighbours(values: np.ndarray, reduce: np.ufunc, empty: float) -> np.ndarray:
        found = reduce(np.where(neighbours, values, empty), axis=2)
        return np.where(alone, 0, found)

    by_joint = np.broadcast_to(peaks[:, None], distance.shape)
    number = np.maximum(neighbours.sum(1), 1)
    up = cells - cells.mean(1, keepdims=True)
    return dict(
        mirror_distance=np.linalg.norm(cells - cells[:, mirror], axis=2) / size,
        nearest_joint=others,
        shortest_limb=over_neighbours(distance, np.min, np.inf),
        longest_limb=over_neighbours(distance, np.max, 0),
        neighbours_mean_peak=over_neighbours(by_joint, np.sum, 0) / number,
        neighbours_least_peak=over_neighbours(by_joint, np.min, np.inf),
        up_x=up[..., 0] / size,
        up_y=up[..., 1] / size,
    )
