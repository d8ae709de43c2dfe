"""Boxes of people that a user gives."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from posestructs.utils.usage import UsageError

_FORM = '(N, 4) of x1, y1, x2, y2 in pixels, or (N, 5) with a score'
_FIRST = 5  # names of a message; more would hide the rest


class GivenBoxes:
    """Boxes of each image, checked.

    Args:
        bboxes: For each image (N, 4) or (N, 5), or ``None`` where there are none given; one such array is for every
            image; a dict has them by path or file name of the image. ``None`` for no boxes at all. Of one image an
            empty list means nobody.
        num_images: How many images there are; ``None`` where that is not known beforehand.
        names: Paths of the images, where they are known beforehand.

    Raises:
        UsageError: The number of arrays is not that of the images, a box is no box, or a dict names none of the
            images; names what is wrong.
    """

    def __init__(self, bboxes: Any, num_images: int | None = None, names: Sequence[str] = ()) -> None:
        self._of_all: np.ndarray | None = None
        self._by_name: dict[str, np.ndarray | None] = {}
        self._in_order: list[np.ndarray | None] | None = None
        self._used: set[str] = set()
        if isinstance(bboxes, Mapping):
            self._by_name = {str(k): _checked(v, f'bboxes[{str(k)!r}]') for k, v in bboxes.items()}
            self._check_names(names)
        elif bboxes is not None and _is_one_array(bboxes):
            self._of_all = check_boxes(bboxes)
        elif bboxes is not None:
            self._in_order = [_checked(one, f'bboxes[{i}]') for i, one in enumerate(bboxes)]
            if not self._in_order and num_images == 1:
                self._in_order = [check_boxes([])]
            if num_images is not None and len(self._in_order) != num_images:
                raise UsageError(f'bboxes are of {len(self._in_order)} images, the inputs are {num_images}')

    def of(self, index: int, path: str) -> np.ndarray | None:
        """Boxes of one image.

        Args:
            index: Which, in the order of the inputs.
            path: Of the image.

        Returns:
            np.ndarray | None: (N, 5) float32, or ``None`` where none are given.

        Raises:
            UsageError: There are more images than lists of boxes.
        """
        if self._in_order is not None:
            if index >= len(self._in_order):
                raise UsageError(f'bboxes are of {len(self._in_order)} images, there are more')
            return self._in_order[index]
        key = self._key(path)
        if key is None:
            return self._of_all
        self._used.add(key)
        return self._by_name[key]

    def warn_of_unused(self) -> None:
        """Log names that no image had, after all of them were seen."""
        unused = [name for name in self._by_name if name not in self._used]
        if unused:
            text = f'bboxes are given for {len(unused)} names that no image has: {_listed(unused)}'
            print_log(text, logger='current', level=logging.WARNING)

    def _key(self, path: str) -> str | None:
        return next((key for key in (path, Path(path).name) if key in self._by_name), None)

    def _check_names(self, names: Sequence[str]) -> None:
        """A dict may know more images than are looked at; one that knows none of them is of others."""
        if self._by_name and names and all(self._key(name) is None for name in names):
            raise UsageError(
                f'bboxes are given for {_listed(list(self._by_name))}, and no image has such a name; allowed: paths or '
                f'file names of the images, {_listed([Path(name).name for name in names])}'
            )


def check_boxes(boxes: Any, name: str = 'bboxes') -> np.ndarray:
    """Bring the boxes of an image into one form.

    Args:
        boxes: (N, 4) or (N, 5).
        name: What they are called in the error.

    Returns:
        np.ndarray: (N, 5) float32, x1, y1, x2, y2 and score.

    Raises:
        UsageError: They have another form, or a box is not finite or has no size.
    """
    try:
        array = np.asarray(boxes, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(f'{name}={boxes!r}, allowed: {_FORM}') from None
    if array.size == 0:
        return np.zeros((0, 5), dtype=np.float32)
    if array.ndim != 2 or array.shape[1] not in (4, 5):
        raise UsageError(f'{name} has the shape {array.shape}, allowed: {_FORM}')
    for i, box in enumerate(array):
        if not np.isfinite(box).all():
            raise UsageError(f'{name}[{i}]={_text(box)} is not finite, allowed: {_FORM}')
        if box[2] <= box[0] or box[3] <= box[1]:
            raise UsageError(f'{name}[{i}]={_text(box)} has no size, allowed: x1 < x2 and y1 < y2')
    scores = array[:, 4:] if array.shape[1] == 5 else np.ones((len(array), 1))
    return np.concatenate([array[:, :4], scores], axis=1).astype(np.float32)


def check_inside(boxes: np.ndarray, image_size: Sequence[int]) -> None:
    """Refuse a box that shows nothing of its image; one that reaches out of it is fine.

    Args:
        boxes: (N, 5).
        image_size: Width and height.

    Raises:
        UsageError: A box is outside; names it.
    """
    width, height = image_size
    for i, box in enumerate(boxes):
        if is_outside(box, image_size):
            raise UsageError(
                f'bboxes[{i}]={_text(boxes[i, :4])} is outside the image, which is {width} wide and {height} high'
            )


def is_outside(box: Sequence[float], image_size: Sequence[int]) -> bool:
    """Tell whether a box shows nothing of its image.

    Args:
        box: x1, y1, x2, y2 in pixels, and what may follow.
        image_size: Width and height.

    Returns:
        bool: Whether they share no pixel.
    """
    x1, y1, x2, y2 = box[:4]
    width, height = image_size
    return x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0


def _checked(boxes: Any, name: str) -> np.ndarray | None:
    return None if boxes is None else check_boxes(boxes, name)


def _is_one_array(bboxes: Any) -> bool:
    """Whether this is one image's array and not a list of such: its rows are boxes, of numbers."""
    if isinstance(bboxes, np.ndarray) and bboxes.dtype != object:
        return bboxes.ndim == 2
    try:
        return len(bboxes) > 0 and all(len(row) > 0 and all(np.ndim(x) == 0 for x in row) for row in bboxes)
    except TypeError:
        return False


def _listed(names: Sequence[str]) -> str:
    return ', '.join(names[:_FIRST]) + (', ...' if len(names) > _FIRST else '')


def _text(box: np.ndarray) -> str:
    return '(' + ', '.join(f'{value:g}' for value in box) + ')'
