"""Write short texts that are legible on any background: each on a filled rectangle.

OpenCV 5 draws text with no more than its own width, so that a thicker text behind it is no outline.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_BLACK, _PALE = (0, 0, 0), (230, 230, 230)
_FURTHEST = 2**20  # pixels; cv2 takes 32 bits


def draw_tag(
    image: np.ndarray,
    text: str,
    corner: Sequence[float],
    size: float,
    color: Sequence[int] = _BLACK,
    text_color: Sequence[int] | None = None,
    above: bool = False,
) -> None:
    """Write a text on a rectangle.

    Args:
        image: (H, W, 3) uint8; it is changed.
        text: A number or a word.
        corner: x, y of the rectangle's upper left corner in pixels.
        size: Scale of the text; at 1 a digit is about 21 pixels high.
        color: Colour of the rectangle.
        text_color: Colour of the text. By default black on a light colour and nearly white on a dark one.
        above: ``corner`` is the lower left one. The tag is moved down where it would begin above the image.
    """
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    margin = max(2, below // 2)
    left, top = (int(v) for v in np.clip(corner, -_FURTHEST, _FURTHEST))
    extent = height + 2 * margin
    top = max(0, top - extent) if above else top
    cv2.rectangle(image, (left, top), (left + width + 2 * margin, top + extent), color, cv2.FILLED)
    if text_color is None:
        text_color = _BLACK if sum(color) > 3 * 80 else _PALE
    cv2.putText(
        image,
        text,
        (left + margin, top + extent - margin),
        cv2.FONT_HERSHEY_SIMPLEX,
        size,
        text_color,
        max(1, round(1.5 * size)),
        cv2.LINE_AA,
    )
