"""What an inferencer can look at: images, folders, videos, cameras, arrays. Images are uint8 BGR, as in OpenCV."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from mmengine.fileio import get_file_backend
from mmengine.fileio.backends import prefix_to_backends
from mmengine.logging import print_log

from posestructs.datasets.errors import BadImageError
from posestructs.datasets.transforms import LoadVerifiedImage
from posestructs.utils.usage import UsageError

# not by mimetypes, which knows .webp or .mkv on some machines only
IMAGES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.gif', '.ppm', '.pgm', '.jp2')
VIDEOS = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg', '.wmv')
_ALLOWED = 'an image, a folder of images, a video, "webcam" or "webcam:NUMBER", an array, or a list of images'


class Frame(NamedTuple):
    """One image.

    Attributes:
        path: Where it is from; of an array or a video's frame a name.
        image: (H, W, 3) uint8 BGR, or ``None`` where it cannot be read.
        error: Why not.
        is_file: Whether it was read from ``path``.
    """

    path: str
    image: np.ndarray | None
    error: str = ''
    is_file: bool = False


class Source(NamedTuple):
    """Images in a row.

    Attributes:
        frames: They are read when they are asked for.
        total: How many, as far as known.
        name: Of the file or folder.
        fps: Frames per second of a video or camera, else ``None``.
        single: Whether it stands for one image, so that nothing is left when that is bad.
        is_camera: Whether it has no end and nobody has to wait for a batch.
        names: ``path`` of each image, where they are known beforehand; a video's frames are not named.
        files: What is read, as far as known beforehand.
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


def open_source(inputs: Any) -> Source:
    """Find out what the input is.

    Args:
        inputs: A path or address, 'webcam' or 'webcam:1', an array, or several paths and arrays.

    Returns:
        Source: Its images.

    Raises:
        UsageError: It is none of these, is not there, or holds nothing.
    """
    if isinstance(inputs, np.ndarray):
        return Source([_from_array(inputs, 0)], 1, 'array', single=True, names=[_number(0)])
    if isinstance(inputs, (str, Path)):
        return _open_path(str(inputs))
    if not isinstance(inputs, Iterable):
        raise UsageError(f'inputs={inputs!r}, allowed: {_ALLOWED}')
    if not hasattr(inputs, '__len__'):
        return Source(_from_many(inputs), None, 'inputs')
    if len(inputs) == 0:
        raise UsageError(f'inputs={inputs!r} is empty, allowed: {_ALLOWED}')
    if not isinstance(inputs, (list, tuple)):  # to look at each may mean to read it
        return Source(_from_many(inputs), len(inputs), 'inputs')
    return _known(inputs, 'inputs')


def _known(inputs: Sequence[Any], name: str, single: bool = False) -> Source:
    """Images whose names are known before the first is read."""
    names = [str(one) if isinstance(one, (str, Path)) else _number(index) for index, one in enumerate(inputs)]
    files = [str(one) for one in inputs if isinstance(one, (str, Path))]
    return Source(_from_many(inputs), len(inputs), name, single=single, names=names, files=files)


def _open_path(path: str) -> Source:
    if path.lower().startswith('webcam') and not Path(path).exists():
        return _open_camera(path)
    file = Path(path)
    if file.is_dir():
        named = [f for f in file.iterdir() if f.suffix.lower() in IMAGES and not f.name.startswith('.')]
        files = sorted(str(f) for f in named if f.is_file())
        if not files:
            raise UsageError(f'folder {path} holds no images ({" ".join(IMAGES)})')
        return _known(files, file.name)
    if '://' not in path and not file.exists():
        raise UsageError(f'input {path} does not exist, allowed: {_ALLOWED}')
    if file.suffix.lower() in VIDEOS:
        return _open_video(path)
    return _known([path], file.name, single=True)


def _from_many(inputs: Iterable[Any]) -> Iterator[Frame]:
    loader = LoadVerifiedImage()
    for index, one in enumerate(inputs):
        if isinstance(one, np.ndarray):
            yield _from_array(one, index)
            continue
        if not isinstance(one, (str, Path)):
            yield Frame(_number(index), None, f'inputs[{index}] is a {type(one).__name__}, allowed: a path or an array')
            continue
        try:
            _check_address(str(one))
            yield Frame(str(one), loader.load(str(one)), is_file=True)
        except UsageError as error:
            yield Frame(str(one), None, str(error))
        except BadImageError as error:
            yield Frame(str(one), None, f'{one} is not an image that can be read: {error.reason or error}')


def _check_address(path: str) -> None:
    if '://' not in path:
        return
    try:
        get_file_backend(path)
    except (ImportError, KeyError, ValueError) as error:  # no such scheme, none without its package, '://' twice
        allowed = ', '.join(f'{scheme}://' for scheme in prefix_to_backends if scheme and _is_readable(scheme))
        why = f' ({error})' if isinstance(error, ImportError) else ''
        raise UsageError(f'{path} is no address that an image can be read from{why}, allowed: {allowed}') from error


def _is_readable(scheme: str) -> bool:
    try:
        prefix_to_backends[scheme]()
    except ImportError:
        return False
    return True


def _from_array(image: np.ndarray, index: int) -> Frame:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        found = f'inputs[{index}] is an array {image.shape} {image.dtype}'
        return Frame(_number(index), None, f'{found}, allowed: (H, W, 3) uint8 BGR')
    return Frame(_number(index), image)


def _number(index: int) -> str:
    return f'{index:08d}.jpg'


def _open_video(path: str) -> Source:
    capture = cv2.VideoCapture(path)
    good, first = capture.read() if capture.isOpened() else (False, None)
    if not good:
        capture.release()
        raise UsageError(f'video {path} cannot be read: OpenCV finds no frame in it')
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    count = count if count > 0 else None
    return Source(_frames(capture, first, path, count), count, Path(path).name, _fps(capture), files=[path])


def _open_camera(text: str) -> Source:
    number = text.lower().removeprefix('webcam').removeprefix(':') or '0'
    if not number.isdecimal():
        raise UsageError(f'input {text}, allowed for a camera: "webcam" or "webcam:NUMBER"')
    capture = cv2.VideoCapture(int(number))
    good, first = capture.read() if capture.isOpened() else (False, None)
    if not good:
        capture.release()
        raise UsageError(f'input {text}: camera {number} cannot be opened or gives no picture')
    return Source(_frames(capture, first), None, 'webcam.mp4', _fps(capture), is_camera=True)


def _fps(capture: cv2.VideoCapture) -> float:
    fps = capture.get(cv2.CAP_PROP_FPS)
    return float(fps) if np.isfinite(fps) and 0 < fps <= 1000 else 30.0


def _frames(capture: cv2.VideoCapture, first: np.ndarray, path: str = '', count: int | None = None) -> Iterator[Frame]:
    good, image, index = True, first, 0
    try:
        while good:
            yield Frame(_number(index), image)
            good, image = capture.read()
            index += 1
        if count is not None and index < count:
            text = f'video {path}: only {index} of its {count} frames can be read'
            print_log(text, logger='current', level=logging.WARNING)
    finally:
        capture.release()
