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


def open_video(path: str) -> Source:
    """Open a video file or address; a :class:`UsageError` is raised if it has no frame that can be read."""
    capture, first = _capture(path)
    if first is None:
        raise UsageError(f'video {path} cannot be read: OpenCV finds no frame in it')
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    count = count if 0 < count < 2**31 else None  # containers without an index give nonsense
    return Source(_frames(capture, first, path, count), count, Path(path).name, _fps(capture), files=[path])


def open_camera(text: str) -> Source:
    """Open a camera by its name, 'webcam' or 'webcam:1'; a :class:`UsageError` is raised if it gives no image."""
    number = text.lower().removeprefix('webcam').removeprefix(':') or '0'
    if not number.isdecimal():
        raise UsageError(f'input {text}, allowed for a camera: "webcam" or "webcam:NUMBER"')
    capture, first = _capture(int(number))
    if first is None:
        raise UsageError(f'input {text}: camera {number} cannot be opened or gives no image')
    return Source(_frames(capture, first), None, 'webcam.mp4', _fps(capture), is_camera=True)


def open_stream(address: str) -> Source:
    """Open a live stream; a :class:`UsageError` is raised if it gives no frame."""
    capture, first = _capture(address)
    if first is None:
        raise UsageError(f'input {address}: the stream cannot be opened or gives no frame')
    return Source(_frames(capture, first), None, 'stream.mp4', _fps(capture), is_camera=True)


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


def _frames(capture: cv2.VideoCapture, first: np.ndarray, path: str = '', count: int | None = None) -> Iterator[Frame]:
    good, image, index = True, first, 0
    try:
        while good:
            yield Frame(frame_name(index), image)
            good, image = capture.read()
            index += 1
        if count is not None and index < count:
            text = f'video {path}: only {index} of its {count} frames can be read'
            print_log(text, logger='current', level=logging.WARNING)
    finally:
        capture.release()
