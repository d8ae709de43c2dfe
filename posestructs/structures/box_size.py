"""Size of a person as its bounding box gives it."""

from __future__ import annotations

import numpy as np


def box_size(boxes: np.ndarray) -> np.ndarray:
    """Longer side of each box.

    Args:
        boxes: (N, 4) pixels as x1, y1, x2, y2.

    Returns:
        np.ndarray: (N,) float64 pixels.
    """
    boxes = np.asarray(boxes, np.float64)
    return (boxes[:, 2:] - boxes[:, :2]).max(1)
