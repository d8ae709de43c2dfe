"""Combine several images into one. Images are uint8 RGB."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_FONT, _TITLE_SCALE, _TITLE_HEIGHT = cv2.FONT_HERSHEY_SIMPLEX, 0.45, 20


def contact_sheet(
    images: Sequence[np.ndarray],
    columns: int = 8,
    titles: Sequence[str] | None = None,
    *,
    gap: int = 4,
    background: tuple[int, int, int] = (32, 32, 32),
) -> np.ndarray:
    """Arrange images in rows.

    Each cell is as large as the largest image; smaller ones are placed at its upper left.

    Args:
        images: (h, w, 3) uint8 RGB each.
        columns: Number of images in a row. Defaults to 8.
        titles: One for each image, written above it; cut if too long for the cell.
        gap: Space between and around cells in pixels. Defaults to 4.
        background: RGB colour. Defaults to dark grey.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: There are no images, an image is not (h, w, 3) uint8, or there is another number of titles.
    """
    if not images:
        raise ValueError('contact_sheet needs at least one image')
    if columns < 1 or gap < 0:
        raise ValueError(f'columns={columns!r}, gap={gap!r}, allowed: at least 1 and 0')
    if titles is not None and len(titles) != len(images):
        raise ValueError(f'{len(titles)} titles for {len(images)} images')
    for i, image in enumerate(images):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f'images[{i}]={image.shape} {image.dtype}, allowed: (h, w, 3) uint8')
    head = _TITLE_HEIGHT if titles is not None else 0
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = np.empty((gap + rows * (head + height + gap), gap + columns * (width + gap), 3), dtype=np.uint8)
    sheet[:] = background
    for i, image in enumerate(images):
        top, left = gap + i // columns * (head + height + gap), gap + i % columns * (width + gap)
        if titles is not None:
            sheet[top : top + head, left : left + width] = _title(titles[i], width, background)
        h, w = image.shape[:2]
        sheet[top + head : top + head + h, left : left + w] = image
    return sheet


def side_by_side(images: Sequence[np.ndarray], titles: Sequence[str] | None = None, *, gap: int = 4) -> np.ndarray:
    """Arrange images in one row.

    Args:
        images: (h, w, 3) uint8 RGB each.
        titles: One for each image, written above it.
        gap: Space between and around images in pixels. Defaults to 4.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: As :func:`contact_sheet`.
    """
    return contact_sheet(images, max(1, len(images)), titles, gap=gap)


def stack_rows(images: Sequence[np.ndarray], background: tuple[int, int, int] = (32, 32, 32)) -> np.ndarray:
    """Stack images of different widths, aligned at the left.

    Args:
        images: (h, w, 3) uint8 RGB each.
        background: RGB colour of the remaining area. Defaults to dark grey.

    Returns:
        (sum of heights, greatest width, 3) uint8 RGB.
    """
    width = max(image.shape[1] for image in images)
    rows = []
    for image in images:
        row = np.empty((image.shape[0], width, 3), dtype=np.uint8)
        row[:] = background
        row[:, : image.shape[1]] = image
        rows.append(row)
    return np.concatenate(rows)


def _title(text: str, width: int, background: tuple[int, int, int]) -> np.ndarray:
    strip = np.empty((_TITLE_HEIGHT, width, 3), dtype=np.uint8)
    strip[:] = background
    while len(text) > 1 and cv2.getTextSize(text, _FONT, _TITLE_SCALE, 1)[0][0] > width:
        text = text[:-3] + '..' if len(text) > 3 else text[:-1]
    cv2.putText(strip, text, (0, _TITLE_HEIGHT - 6), _FONT, _TITLE_SCALE, (230, 230, 230), 1, cv2.LINE_AA)
    return strip
