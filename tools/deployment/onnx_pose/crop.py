"""Crop boxes to inputs of the network, and convert points of the input back to the image.

Equivalent to mmpose's ``GetBBoxCenterScale`` and ``TopdownAffine``: the padded box is widened to the aspect ratio of
the input, pixels are interpolated bilinearly, and the area outside the image is black.

Shapes: N persons, h x w pixels of the input. Points are (x, y); a pixel's centre is at a whole number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """Cropped areas: (N, 2) centres and (N, 2) widths and heights, in pixels of the image."""

    centres: np.ndarray
    sizes: np.ndarray


def crop_boxes(
    image: np.ndarray, boxes: np.ndarray, size: Sequence[int], padding: float = 1.25, udp: bool = False
) -> tuple[np.ndarray, Window]:
    """Crop persons.

    Args:
        image: (H, W, 3) uint8.
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the image.
        size: (w, h) of the input.
        padding: Factor between the sizes of the cropped area and the box.
        udp: Whether sizes are measured between the centres of the outermost pixels, as with ``use_udp=True``.

    Returns:
        (N, h, w, 3) float32 whole numbers, and the cropped areas.
    """
    boxes = np.asarray(boxes, np.float64)
    width, height = size
    sides = (boxes[:, 2:] - boxes[:, :2]) * padding
    longer = np.maximum(sides[:, 0], sides[:, 1] * width / height)
    window = Window((boxes[:, :2] + boxes[:, 2:]) / 2, np.stack([longer, longer * height / width], 1))
    crops = np.empty((len(boxes), height, width, 3), np.float32)
    for crop, centre, extent in zip(crops, *window, strict=True):
        steps, first = _grid(centre, extent, np.array(size), udp)
        x, y = (first[axis] + steps[axis] * np.arange(size[axis]) for axis in (0, 1))
        crop[:] = np.rint(_interpolate(image, x, y))
    return crops, window


def _grid(centre: np.ndarray, extent: np.ndarray, size: np.ndarray, udp: bool) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the image per pixel of the input, and the position of the input's first pixel."""
    steps = extent / (size - 1 if udp else size)
    return steps, centre - extent / 2


def _interpolate(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(h, w, 3) values of the image at rows y and columns x."""
    rows, share_y = _weights(y, image.shape[0])
    columns, share_x = _weights(x, image.shape[1])
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0))).astype(np.float32)
    of_rows = padded[rows] * (1 - share_y)[:, None, None] + padded[rows + 1] * share_y[:, None, None]
    return of_rows[:, columns] * (1 - share_x)[:, None] + of_rows[:, columns + 1] * share_x[:, None]


def _weights(places: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Line of the padded image before each position, and the weight of the next line."""
    places = np.clip(places, -1, length) + 1
    before = np.minimum(places.astype(int), length)
    return before, (places - before).astype(np.float32)


def to_image(points: np.ndarray, window: Window, size: Sequence[int]) -> np.ndarray:
    """Convert points of the input to pixels of the image, as mmpose does.

    Args:
        points: (N, K, 2) in pixels of the input.
        window: Cropped areas of :func:`crop_boxes`.
        size: (w, h) of the input.

    Returns:
        (N, K, 2) pixels of the image.
    """
    share = np.asarray(points) / np.asarray(size)
    return (share - 0.5) * window.sizes[:, None] + window.centres[:, None]
