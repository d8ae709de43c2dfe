"""Draw mixture types: positions of a part relative to its parent, by type. Images are uint8 RGB."""

from __future__ import annotations

import cv2
import numpy as np

from posestructs.structures.deformation import Deformation
from posestructs.structures.part_offsets import reference_matrix, relative_offsets
from posestructs.visualization.contact_sheet import contact_sheet

_BITS = 4
_GREY, _PALE, _BACKGROUND = (90, 90, 90), (230, 230, 230), (32, 32, 32)
_MOST_PERSONS = 3000
_SHOWN = 0.999  # share of the persons in view; outliers would leave no room for them


def draw_deformation(
    deformation: Deformation, positions: np.ndarray, labelled: np.ndarray, *, columns: int = 7, side: int = 200
) -> np.ndarray:
    """Draw each part's types: persons as dots, means as crosses on the line from the parent, ellipses of one sigma.

    Mirrored types have the same colour on the left and on the right of the body. Each tile has its own scale, given in
    its title: half its side, in sides of the crop.

    Args:
        deformation: Mixture types of V parts.
        positions: (N, V, 2) parts in crops whose longer side is 1.
        labelled: (N, V) bool, whether each part is labelled.
        columns: Number of tiles in a row.
        side: Side of a tile in pixels.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    tree = deformation.tree
    offsets, known = relative_offsets(tree, positions, labelled)
    types = np.where(known, _types(deformation, offsets), -1)
    references = reference_matrix(tree)
    tiles, titles = [], []
    for v, name in enumerate(tree.names):
        pair = sorted({v, tree.mirror[v]})  # the same scale for both
        distances = np.abs(offsets[:, pair][known[:, pair]])
        far = np.quantile(distances, _SHOWN) if distances.size else 0
        reach = 1.1 * float(max(far, np.abs(deformation.offsets[v]).max(), 1e-6))
        tiles.append(_tile(deformation, v, offsets[:_MOST_PERSONS, v], types[:_MOST_PERSONS, v], reach, side))
        to = ' + '.join(tree.names[u] for u in np.flatnonzero(references[v])) or 'nothing'
        titles.append(f'{name} {reach:.2g}')
        cv2.putText(tiles[-1], f'from {to}', (4, side - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.32, _PALE, 1, cv2.LINE_AA)
    return contact_sheet(tiles, columns, titles)


def _types(deformation: Deformation, offsets: np.ndarray) -> np.ndarray:
    return np.square(offsets[..., None, :] - deformation.offsets).sum(axis=-1).argmin(axis=-1)


def _tile(
    deformation: Deformation, v: int, offsets: np.ndarray, types: np.ndarray, reach: float, side: int
) -> np.ndarray:
    """Tile of one part: (N, 2) offsets and (N,) types, -1 where not known."""
    tile = np.empty((side, side, 3), dtype=np.uint8)
    tile[:] = _BACKGROUND
    scale = side / 2 / reach
    colors = type_colors(deformation.num_types)
    cv2.line(tile, (0, side // 2), (side, side // 2), _GREY)
    cv2.line(tile, (side // 2, 0), (side // 2, side), _GREY)
    for offset, t in zip(offsets, types, strict=True):
        if t >= 0:
            dim = tuple(int(0.7 * c) for c in colors[t])
            cv2.circle(tile, _place(offset, scale, side), 1 << _BITS, dim, cv2.FILLED, cv2.LINE_AA, _BITS)
    for t, (mean, variance) in enumerate(zip(deformation.offsets[v], deformation.variances[v], strict=True)):
        axes = tuple(int(round(np.sqrt(s) * scale * (1 << _BITS))) for s in variance)
        cv2.ellipse(tile, _place(mean, scale, side), axes, 0, 0, 360, _PALE, 1, cv2.LINE_AA, _BITS)
        cv2.line(tile, _place((0, 0), scale, side), _place(mean, scale, side), colors[t], 1, cv2.LINE_AA, _BITS)
        x, y = (c >> _BITS for c in _place(mean, scale, side))
        cv2.drawMarker(tile, (x, y), _PALE, cv2.MARKER_CROSS, 9, 3)
        cv2.drawMarker(tile, (x, y), colors[t], cv2.MARKER_CROSS, 7, 1)
    return tile


def type_colors(count: int) -> list[tuple[int, int, int]]:
    """Distinct colours of types.

    Args:
        count: Number of types.

    Returns:
        RGB colour of each type.
    """
    # neighbours in angle are far apart in hue
    step = next(s for s in range(max(1, round(count * 0.38)), count + 2) if np.gcd(s, count) == 1)
    hues = np.arange(count) * step % count * 180 / count
    wheel = np.stack([hues, np.full(count, 190), np.full(count, 255)], axis=1)[None].astype(np.uint8)
    return [tuple(int(c) for c in color) for color in cv2.cvtColor(wheel, cv2.COLOR_HSV2RGB)[0]]


def _place(offset: np.ndarray | tuple[float, float], scale: float, side: int) -> tuple[int, int]:
    """cv2's fixed-point coordinates of an offset; y is down, as in images."""
    x, y = (side / 2 + np.asarray(offset, dtype=np.float64) * scale) * (1 << _BITS)
    return int(round(x)), int(round(y))
