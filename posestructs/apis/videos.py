"""Read the frames of video files, cameras and streams with OpenCV."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from mmengine.logging import print_log

from posestructs.apis.frames import Frame, Source, frame_name
from posestructs.utils.usage import UsageError
from posestructs.utils.words import counted


def open_video(path: str, name: str = '') -> Source:
    """Open a video; a :class:`UsageError` is raised if it has no frame that can be read.

    Args:
        path: A file or address.
        name: Name of its results; by default that of the file.
    """
    capture, first = _capture(path)
    if first is None:
        raise UsageError(f'video {path} cannot be read: OpenCV finds no frame in it')
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    count = count if 0 < count < 2**31 else None  # containers without an index give nonsense
    frames = _frames(capture, first, f'video {path}', count)
    return Source(frames, count, name or Path(path).name, _fps(capture), files=[path])


def open_camera(text: str) -> Source:
    """Open a camera by its name, 'webcam' or 'webcam:1'; a :class:`UsageError` is raised if it gives no image."""
    number = text.lower().removeprefix('webcam').removeprefix(':') or '0'
    if not number.isdecimal():
        raise UsageError(f'input {text}, allowed for a camera: "webcam" or "webcam:NUMBER"')
    capture, first = _capture(int(number))
    if first is None:
        raise UsageError(f'input {text}: camera {number} cannot be opened or gives no image')
    frames = _frames(capture, first, f'input {text}', endless=True)
    return Source(frames, None, 'webcam.mp4', _fps(capture), is_camera=True)


def open_stream(address: str) -> Source:
    """Open a live stream; a :class:`UsageError` is raised if it gives no frame."""
    capture, first = _capture(address)
    if first is None:
        raise UsageError(f'input {address}: the stream cannot be opened or gives no frame')
    frames = _frames(capture, first, f'input {address}', endless=True)
    return Source(frames, None, 'stream.mp4', _fps(capture), is_camera=True)


def _capture(source: str | int) -> tuple[cv2.VideoCapture, np.ndarray | None]:
    """A video or camera and its first frame, ``None`` where there is none."""
    capture = cv2.VideoCapture(source)
    good, first = capture.read() if capture.isOpened() else (False, None)
    if not good:
        capture.release()
        return capture, None
    return capture, first


def _fps(capture: cv2.VideoCapture) -> float:
    fps = capture.get(cv2.CAP_PROP_FPS)
    return float(fps) if np.isfinite(fps) and 0 < fps <= 1000 else 30.0


def _frames(
    capture: cv2.VideoCapture, first: np.ndarray, title: str, count: int | None = None, endless: bool = False
) -> Iterator[Frame]:
    good, image, index = True, first, 0
    try:
        while good:
            yield Frame(frame_name(index), image, number=index)
            good, image = capture.read()
            index += 1
        if endless:
            print_log(f'{title} ended after {counted(index, "frame")}', logger='current', level=logging.WARNING)
        elif count is not None and index < count:
            text = f'{title}: only {index} of its {count} frames can be read'
            print_log(text, logger='current', level=logging.WARNING)
    finally:
        capture.release()
