"""Images in the order in which an inferencer takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


class Frame(NamedTuple):
    """One image.

    Attributes:
        path: Path of the file. A made-up name for an array or a frame of a video.
        image: (H, W, 3) uint8 BGR, or ``None`` where it cannot be read.
        error: Reason why it cannot be read.
        is_file: Whether it was read from ``path``.
        number: Position of a frame in its video or stream, from 0; ``None`` for an image.
    """

    path: str
    image: np.ndarray | None
    error: str = ''
    is_file: bool = False
    number: int | None = None

    @property
    def title(self) -> str:
        """How messages name it."""
        return f'image {self.path}' if self.number is None else f'frame {self.number}'


class Source(NamedTuple):
    """A sequence of images.

    Attributes:
        frames: The images, each read when it is requested.
        total: Number of images, as far as known.
        name: Name of the file or folder.
        fps: Frames per second of a video or camera, else ``None``.
        single: Whether it is one image, so that there is no result if that cannot be used.
        is_camera: Whether it is live and endless, so that frames are not collected into batches.
        names: ``path`` of each image, where known beforehand. Frames of a video are not listed.
        files: Files that are read, as far as known beforehand.
    """

    frames: Iterable[Frame]
    total: int | None
    name: str
    fps: float | None = None
    single: bool = False
    is_camera: bool = False
    names: Sequence[str] = ()
    files: Sequence[str] = ()

    @property
    def is_video(self) -> bool:
        """Whether frames make up one result."""
        return self.fps is not None

    @property
    def video_names(self) -> tuple[str, ...]:
        """Name, and path where there is one, of a video, camera or stream; empty for images."""
        return (self.name, *self.files) if self.is_video else ()


def frame_name(index: int) -> str:
    """Made-up name of an array or of a frame of a video."""
    return f'{index:08d}.jpg'


def is_frame_name(name: str) -> bool:
    """Check whether a name has the form of :func:`frame_name`."""
    stem = name.removesuffix('.jpg')
    return stem != name and stem.isdecimal() and name == frame_name(int(stem))
