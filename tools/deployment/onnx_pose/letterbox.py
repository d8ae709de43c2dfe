"""Fit an image into the input of a detector without distorting it, as YOLOX and RTMDet are trained and exported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PADDING = 114
"""Value of the pixels beside the image."""


def letterbox(image: np.ndarray, size: Sequence[int]) -> tuple[np.ndarray, float]:
    """Scale an image into the upper left corner of an input, and pad the rest.

    Args:
        image: (H, W, 3) uint8.
        size: (w, h) of the input.

    Returns:
        (h, w, 3) uint8, and pixels of the input per pixel of the image.
    """
    (width, height), (rows, columns) = size, image.shape[:2]
    ratio = min(width / columns, height / rows)
    inner = max(1, int(columns * ratio)), max(1, int(rows * ratio))
    padded = np.full((height, width, 3), PADDING, np.uint8)
    padded[: inner[1], : inner[0]] = resize(image, inner)
    return padded, ratio


def resize(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resize an image bilinearly, without smoothing it first, as OpenCV's ``INTER_LINEAR`` does.

    Args:
        image: (H, W, 3) uint8.
        size: New width and height.

    Returns:
        (height, width, 3) uint8.
    """
    (left, right, share_x), (above, below, share_y) = (
        _neighbours(new, old) for new, old in zip(size, image.shape[1::-1], strict=True)
    )
    share_y = share_y[:, None, None]
    rows = image[above].astype(np.float32) * (1 - share_y) + image[below].astype(np.float32) * share_y
    share_x = share_x[:, None]
    return np.rint(rows[:, left] * (1 - share_x) + rows[:, right] * share_x).astype(np.uint8)


def _neighbours(new: int, old: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two lines of the image for each new line, and the weight of the second."""
    places = ((np.arange(new) + 0.5) * (old / new) - 0.5).clip(0, old - 1)
    first = places.astype(int)
    return first, np.minimum(first + 1, old - 1), (places - first).astype(np.float32)
