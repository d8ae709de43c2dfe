"""Artificial occluders: outlines, masks, fillings, and the labels of the joints under them.

Pure functions. Coordinates are 0-based pixels: the centre of the first pixel is (0, 0). K joints, H x W pixels.
Random numbers come from ``np.random.RandomState``, whose streams numpy has frozen: a seed gives the same occluders on
every version.
"""

from __future__ import annotations

import cv2
import numpy as np

SHAPES = ('ellipse', 'rectangle', 'polygon')
_SUBPIXEL_BITS = 4


def _on_circle(turns: np.ndarray) -> np.ndarray:
    """Points on the unit circle, (M,) turns -> (M, 2)."""
    return np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=1)


_SQUARE = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)
_CIRCLE = _on_circle(np.arange(32) / 32)


def outline(shape: str, size: tuple[float, float], angle: float, rng: np.random.RandomState) -> np.ndarray:
    """Corners of an occluder around the origin.

    Args:
        shape: 'ellipse', 'rectangle' or 'polygon' (5 to 8 random corners on an ellipse's rim; it is convex).
        size: Length and width in pixels.
        angle: Direction of its length in radians, from the x axis towards the y axis.
        rng: Source of the polygon's corners.

    Returns:
        np.ndarray: (M, 2) float64.
    """
    if shape == 'rectangle':
        unit = _SQUARE
    elif shape == 'ellipse':
        unit = _CIRCLE
    else:
        corners = 5 + int(rng.random_sample() * 4)
        unit = _on_circle((np.arange(corners) + 0.7 * rng.random_sample(corners)) / corners)
    return unit * (np.array(size) / 2) @ rotation(angle)


def rotation(angle: float) -> np.ndarray:
    """Matrix that turns rows (x, y) from the x axis towards the y axis.

    Args:
        angle: In radians.

    Returns:
        np.ndarray: (2, 2) float64, to multiply with from the right.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin], [-sin, cos]])


def fill_outline(corners: np.ndarray, image_shape: tuple[int, int]) -> np.ndarray:
    """Pixels of an outline.

    Args:
        corners: (M, 2) corners in pixels, possibly outside the image.
        image_shape: (H, W).

    Returns:
        np.ndarray: (H, W) bool.
    """
    mask = np.zeros(image_shape, dtype=np.uint8)
    points = np.round(corners * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(mask, [points], 1, shift=_SUBPIXEL_BITS)
    return mask.view(bool)


def window_of(mask: np.ndarray) -> tuple[slice, slice] | None:
    """Smallest window of rows and columns around a mask.

    Args:
        mask: (H, W) bool.

    Returns:
        tuple[slice, slice] | None: Rows and columns; ``None`` for an empty mask.
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (slice(top, top + height), slice(left, left + width)) if height else None


def flat_fill(height: int, width: int, rng: np.random.RandomState) -> np.ndarray:
    """One random colour.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        rng: Source of the colour.

    Returns:
        np.ndarray: (height, width, 3) uint8.
    """
    return np.broadcast_to((rng.random_sample(3) * 256).astype(np.uint8), (height, width, 3))


def noise_fill(height: int, width: int, rng: np.random.RandomState) -> np.ndarray:
    """Independent random pixels.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        rng: Source of the pixels.

    Returns:
        np.ndarray: (height, width, 3) uint8.
    """
    return (rng.random_sample((height, width, 3)) * 256).astype(np.uint8)


def patch_fill(
    height: int, width: int, source: np.ndarray, image_shape: tuple[int, int], rng: np.random.RandomState
) -> np.ndarray:
    """A random piece of another image, at about the scale of the image that it is meant for.

    The other image is shrunk to that image's shorter side where it is larger, and enlarged where the piece would not
    fit into it.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        source: The other image, (h, w) or (h, w, 3).
        image_shape: (H, W) of the image that gets the piece.
        rng: Source of the place.

    Returns:
        np.ndarray: (height, width) or (height, width, 3), of the other image's type.
    """
    alike = min(1.0, min(image_shape) / min(source.shape[:2]))
    factor = max(height / source.shape[0], width / source.shape[1], alike)
    if factor != 1:
        size = max(width, round(source.shape[1] * factor)), max(height, round(source.shape[0] * factor))
        source = cv2.resize(source, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    top = int(rng.random_sample() * (source.shape[0] - height + 1))
    left = int(rng.random_sample() * (source.shape[1] - width + 1))
    return source[top : top + height, left : left + width]


def covered(points: np.ndarray, labelled: np.ndarray, mask: np.ndarray, margin: int = 0) -> np.ndarray:
    """Labelled joints whose pixel lies in a mask.

    Args:
        points: (..., K, 2) joints in pixels.
        labelled: (..., K) bool.
        mask: (H, W) bool.
        margin: The mask is widened by so many pixels first (narrowed where negative).

    Returns:
        np.ndarray: (..., K) bool. A joint outside the image is not covered.
    """
    if margin:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(margin) + 1,) * 2)
        change = cv2.dilate if margin > 0 else cv2.erode
        mask = change(mask.astype(np.uint8), kernel).astype(bool)
    height, width = mask.shape
    columns, rows = np.floor(points[..., 0] + 0.5).astype(int), np.floor(points[..., 1] + 0.5).astype(int)
    inside = labelled & (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return inside & mask[np.where(inside, rows, 0), np.where(inside, columns, 0)]
