"""Convert the outputs of exported YOLOX and RTMDet networks to boxes, and suppress duplicates.

Shapes: A anchors, one for each cell of three grids, D detections, C classes; h x w pixels of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

STRIDES = (8, 16, 32)
"""Pixels per cell of the grids of both families."""


class Detections(NamedTuple):
    """(D, 4) x1, y1, x2, y2 in pixels of the input, (D,) scores and (D,) classes."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


def read_outputs(outputs: Sequence[np.ndarray], size: Sequence[int]) -> Detections:
    """Read the outputs of a network, whose form is recognised by their shapes.

    - (1, D, 5) and (1, D): boxes with scores, and classes. The graph contains the non-maximum suppression, as exported
      by mmdeploy and published for rtmlib. Without the second output each box is of class 0.
    - (1, A, 4) and (1, A, C): boxes, and the scores of classes, by mmdeploy without suppression.
    - (1, A, 5 + C): centres, sizes, objectness and the scores of classes, as YOLOX itself exports. Where the graph does
      not decode its grid (``--decode_in_inference``), that is done here.

    Args:
        outputs: Outputs of the network for one image.
        size: (w, h) of the input.

    Returns:
        All detections, with low scores too.

    Raises:
        ValueError: The outputs have other shapes, or are not finite.
    """
    shapes = [output.shape for output in outputs]
    first, second = outputs[0], outputs[1] if len(outputs) > 1 else None
    if any(not np.isfinite(output).all() for output in outputs):
        raise ValueError('the detector gives values that are not finite')
    if first.ndim == 3 and len(first) == 1:
        count, values = first.shape[1:]
        if values == 5 and (second is None or second.shape == (1, count)):
            classes = np.zeros(count, int) if second is None else second[0].astype(int)
            return Detections(first[0, :, :4], first[0, :, 4], classes)
        if values == 4 and second is not None and second.ndim == 3 and second.shape[:2] == (1, count):
            return _best_classes(first[0], second[0])
        if values > 5 and len(outputs) == 1:
            centres, sizes = decode_grid(first[0, :, :4], size)
            corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1)
            return _best_classes(corners, first[0, :, 4:5] * first[0, :, 5:])
    raise ValueError(
        f'outputs of the shapes {shapes}, allowed: (1, D, 5) with (1, D), (1, A, 4) with (1, A, classes), '
        'or (1, A, 5 + classes)'
    )


def decode_grid(values: np.ndarray, size: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Decode centres and sizes that are relative to cells.

    Those that the graph has decoded are spread over the input, half of them more than eight pixels from its origin;
    offsets from cells are about one cell at most. They are returned as they are.

    Args:
        values: (A, 4) centre x, y and width, height.
        size: (w, h) of the input.

    Returns:
        (A, 2) centres and (A, 2) sizes in pixels of the input.

    Raises:
        ValueError: A is not the number of cells.
    """
    if np.median(np.abs(values[:, :2])) > STRIDES[0]:
        return values[:, :2], values[:, 2:]
    cells = [np.indices((size[1] // s, size[0] // s))[::-1].reshape(2, -1).T for s in STRIDES]
    strides = np.concatenate([np.full((len(one), 1), s) for one, s in zip(cells, STRIDES, strict=True)])
    grid = np.concatenate(cells)
    if len(grid) != len(values):
        raise ValueError(
            f'{len(values)} boxes, allowed: {len(grid)}, one for each cell of an input {size[0]}x{size[1]}'
        )
    # centre = (offset + cell) * stride, size = exp(log size) * stride
    return (values[:, :2] + grid) * strides, np.exp(values[:, 2:]) * strides


def suppress(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Of boxes that overlap keep the one with the best score.

    Args:
        boxes: (D, 4) x1, y1, x2, y2.
        scores: (D,).
        threshold: Largest intersection over union of two boxes that are both kept.

    Returns:
        Indices of the kept boxes, by descending score.
    """
    order, kept = np.argsort(-scores, kind='stable'), []
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        upper = np.maximum(boxes[order, :2], boxes[best, :2])
        lower = np.minimum(boxes[order, 2:], boxes[best, 2:])
        shared = (lower - upper).clip(0).prod(1)
        order = order[shared <= threshold * (areas[order] + areas[best] - shared)]
    return np.array(kept, int)


def _best_classes(boxes: np.ndarray, scores: np.ndarray) -> Detections:
    """Detections with the best class of each."""
    return Detections(boxes, scores.max(1), scores.argmax(1))
