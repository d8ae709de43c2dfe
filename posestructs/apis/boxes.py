"""Boxes of persons as a user gives them: per image, by file name, or for all images."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from posestructs.apis.frames import frame_name, is_frame_name
from posestructs.utils.usage import UsageError
from posestructs.utils.words import counted

LARGEST = 1e6
"""Largest coordinate of a box in pixels."""
_FORM = '(N, 4) of x1, y1, x2, y2 in pixels, or (N, 5) with a score'
_SHOWN = 5  # names listed in a message


class GivenBoxes:
    """Checked boxes of each image.

    Args:
        bboxes: For each image (N, 4) or (N, 5), or ``None`` if none are given for it; a single array is used for every
            image; a dict holds arrays by path or file name of the image. ``None`` for no boxes at all. An empty list
            for an image means that it shows no person.
        num_images: Number of images; ``None`` if that is not known beforehand.
        names: Paths of the images, if they are known beforehand.
        video: Names of a video, if the images are its frames: a dict may give boxes for all frames by one of them, or
            for single frames by their made-up names.

    Raises:
        UsageError: The number of arrays is not that of the images, a box is not valid, or a dict names none of the
            images.
    """

    def __init__(
        self, bboxes: Any, num_images: int | None = None, names: Sequence[str] = (), video: Sequence[str] = ()
    ) -> None:
        self._shared: np.ndarray | None = None
        self._by_name: dict[str, np.ndarray | None] = {}
        self._in_order: list[np.ndarray | None] | None = None
        self._used: set[str] = set()
        self._without, self._num_without = [], 0  # images without boxes: the first names, and all
        self._given = bboxes is not None
        if isinstance(bboxes, Mapping):
            self._by_name = {str(k): _checked(v, f'bboxes[{str(k)!r}]') for k, v in bboxes.items()}
            self._check_names(names)
            if video:
                self._take_those_of_video(video)
        elif bboxes is not None and _is_one_array(bboxes):
            self._shared = check_boxes(bboxes)
        elif bboxes is not None and not isinstance(bboxes, Iterable):
            raise UsageError(f'bboxes={bboxes!r}, allowed: an array, a list of arrays, or a dict by name')
        elif bboxes is not None:
            self._in_order = [_checked(one, f'bboxes[{i}]') for i, one in enumerate(bboxes)]
            if not self._in_order and num_images == 1:
                self._in_order = [check_boxes([])]
            if num_images is not None and len(self._in_order) != num_images:
                raise UsageError(
                    f'bboxes are given for {counted(len(self._in_order), "image")}, but there are {num_images}'
                )

    def of(self, index: int, path: str) -> np.ndarray | None:
        """Boxes of one image.

        Args:
            index: Position of the image in the inputs.
            path: Path of the image.

        Returns:
            (N, 5) float32, or ``None`` if none are given.

        Raises:
            UsageError: There are more images than arrays of boxes.
        """
        boxes = self._of(index, path)
        if boxes is None:
            self._num_without += 1
            if len(self._without) <= _SHOWN:
                self._without.append(path)
        return boxes

    def is_for_all(self, path: str) -> bool:
        """Check whether the boxes of an image are those of all images."""
        return self._shared is not None and self._key(path) is None

    def report(self, has_detector: bool = False) -> None:
        """Log names that no image had, and images without boxes among those with, after all images were seen.

        Args:
            has_detector: Whether a detector finds the persons of images without boxes.
        """
        unused = [name for name in self._by_name if name not in self._used]
        if unused:
            text = f'bboxes are given for {counted(len(unused), "name")} that no image has: {_listed(unused)}'
            print_log(text, logger='current', level=logging.WARNING)
        if self._given and self._num_without:
            how = 'whose persons the detector finds' if has_detector else 'taken as one person each'
            text = f'bboxes has none for {counted(self._num_without, "image")}, {how}: {_listed(self._without)}'
            print_log(text, logger='current', level=logging.INFO if has_detector else logging.WARNING)

    def _of(self, index: int, path: str) -> np.ndarray | None:
        if self._in_order is not None:
            if index >= len(self._in_order):
                raise UsageError(f'bboxes are given for {counted(len(self._in_order), "image")}, but there are more')
            return self._in_order[index]
        key = self._key(path)
        if key is None:
            return self._shared
        self._used.add(key)
        return self._by_name[key]

    def _key(self, path: str) -> str | None:
        return next((key for key in (path, Path(path).name) if key in self._by_name), None)

    def _take_those_of_video(self, video: Sequence[str]) -> None:
        """Use boxes that are given by a name of the video for each frame that has none of its own."""
        whole = next((name for name in video if name in self._by_name), None)
        if whole is not None:
            self._shared = self._by_name[whole]
            self._used.add(whole)
        elif self._by_name and not any(map(is_frame_name, self._by_name)):
            raise UsageError(
                f'bboxes are given for {_listed(list(self._by_name))}, allowed for a video: its name, '
                f'{Path(video[0]).name}, for all frames, or {frame_name(0)}, {frame_name(1)}, ... for single ones'
            )

    def _check_names(self, names: Sequence[str]) -> None:
        """Refuse a dict that names none of the images; it may name more images than there are."""
        if self._by_name and names and all(self._key(name) is None for name in names):
            raise UsageError(
                f'bboxes are given for {_listed(list(self._by_name))}, and no image has such a name; allowed: paths or '
                f'file names of the images, {_listed([Path(name).name for name in names])}'
            )


def check_boxes(boxes: Any, name: str = 'bboxes') -> np.ndarray:
    """Check the boxes of an image and bring them into one form.

    Args:
        boxes: (N, 4) or (N, 5).
        name: Name of the argument, for the error.

    Returns:
        (N, 5) float32, x1, y1, x2, y2 and score.

    Raises:
        UsageError: They have another form, or a box is not finite, is smaller than a pixel or has
            coordinates beyond ``LARGEST``.
    """
    try:
        array = np.asarray(boxes, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(f'{name}={boxes!r}, allowed: {_FORM}') from None
    if any(isinstance(value, (bool, np.bool_)) for value in np.asarray(boxes, dtype=object).flat):
        raise UsageError(f'{name}={boxes!r}, allowed: {_FORM}')
    if array.size == 0:
        return np.zeros((0, 5), dtype=np.float32)
    if array.ndim != 2 or array.shape[1] not in (4, 5):
        raise UsageError(f'{name} has the shape {array.shape}, allowed: {_FORM}')
    for i, box in enumerate(array):
        if not np.isfinite(box).all():
            raise UsageError(f'{name}[{i}]={_text(box)} is not finite, allowed: {_FORM}')
        if np.abs(box[:4]).max() > LARGEST:
            raise UsageError(f'{name}[{i}]={_text(box)}, allowed: coordinates from -{LARGEST:.0f} to {LARGEST:.0f}')
        x1, y1, x2, y2 = np.float32(box[:4])  # in which they are used
        if x2 <= x1 or y2 <= y1:
            raise UsageError(f'{name}[{i}]={_text(box)} has no size, allowed: x1 < x2 and y1 < y2')
        if max(x2 - x1, y2 - y1) < 1:
            raise UsageError(
                f'{name}[{i}]={_text(box)} is smaller than a pixel, allowed: pixels, not shares of the image'
            )
    scores = array[:, 4:] if array.shape[1] == 5 else np.ones((len(array), 1))
    return np.concatenate([array[:, :4], scores], axis=1).astype(np.float32)


def check_inside(boxes: np.ndarray, image_size: Sequence[int], name: str = 'bboxes') -> None:
    """Refuse a box outside its image; one that extends beyond the image is allowed.

    Args:
        boxes: (N, 5).
        image_size: Width and height.
        name: Name of the argument, for the error.

    Raises:
        UsageError: A box shares no pixel with the image.
    """
    width, height = image_size
    for i, box in enumerate(boxes):
        if is_outside(box, image_size):
            raise UsageError(
                f'{name}[{i}]={_text(boxes[i, :4])} is outside the image, which is {width} wide and {height} high'
            )


def is_outside(box: Sequence[float], image_size: Sequence[int]) -> bool:
    """Check whether a box and an image share no pixel.

    Args:
        box: x1, y1, x2, y2 in pixels. Further values are ignored.
        image_size: Width and height.
    """
    x1, y1, x2, y2 = box[:4]
    width, height = image_size
    return x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0


def _checked(boxes: Any, name: str) -> np.ndarray | None:
    return None if boxes is None else check_boxes(boxes, name)


def _is_one_array(bboxes: Any) -> bool:
    """Check for a single array, whose rows are boxes, as opposed to a list of arrays."""
    if isinstance(bboxes, np.ndarray) and bboxes.dtype != object:
        return bboxes.ndim == 2
    try:
        return len(bboxes) > 0 and all(len(row) > 0 and all(np.ndim(x) == 0 for x in row) for row in bboxes)
    except TypeError:
        return False


def _listed(names: Sequence[str]) -> str:
    return ', '.join(names[:_SHOWN]) + (', ...' if len(names) > _SHOWN else '')


def _text(box: np.ndarray) -> str:
    return '(' + ', '.join(f'{value:g}' for value in box) + ')'
