"""A video that is written frame by frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from posestructs.utils.usage import UsageError


class VideoFile:
    """A video that gets its name when it is whole.

    Args:
        file: Its name, with a suffix of a format that OpenCV writes.
        fps: Frames per second.
        size: Width and height.

    Raises:
        UsageError: It cannot be written there.
    """

    def __init__(self, file: Path, fps: float, size: tuple[int, int]) -> None:
        self._file, self._size = file, size
        self._partial = file.with_name(f'.{file.stem}.partial{file.suffix}')  # OpenCV reads the format off the suffix
        self._writer = cv2.VideoWriter(str(self._partial), cv2.VideoWriter_fourcc(*'mp4v'), fps, size)
        if not self._writer.isOpened():
            raise UsageError(f'{file}: OpenCV cannot write a video of {size[0]} x {size[1]} there')

    def add(self, picture: np.ndarray) -> None:
        """Add a frame.

        Args:
            picture: (H, W, 3) uint8 RGB; one of another size than the video is fitted into it.
        """
        # a writer drops frames of another size without a word
        self._writer.write(np.ascontiguousarray(fitted(picture, self._size)[..., ::-1]))

    def close(self) -> Path:
        """Give the video its name.

        Returns:
            Path: The file.
        """
        self._writer.release()
        os.replace(self._partial, self._file)
        return self._file


def fitted(picture: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Bring a picture to a size without distorting it: at the upper left, smaller where it must be, black beside it.

    Args:
        picture: (H, W, 3) uint8.
        size: Width and height.

    Returns:
        np.ndarray: (height, width, 3) uint8.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, size[0] / width, size[1] / height)
    if scale < 1:
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        picture = cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=cv2.INTER_AREA)
    return np.pad(picture, ((0, size[1] - height), (0, size[0] - width), (0, 0)))
