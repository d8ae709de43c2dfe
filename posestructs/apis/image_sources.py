"""Open what an inferencer takes: images, folders, videos, cameras and arrays. Images are uint8 BGR, as in OpenCV."""

from __future__ import annotations

import glob
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from mmengine.fileio import get, get_file_backend
from mmengine.fileio.backends import prefix_to_backends
from mmengine.logging import print_log

from posestructs.utils.images import BadImageError, decode_image
from posestructs.utils.media import IMAGE_SUFFIXES, ImageFolder, find_images, is_video
from posestructs.utils.usage import UsageError

_ALLOWED = 'an image, a folder of images, a video, "webcam" or "webcam:NUMBER", an array, or a list of images'
_STREAMS = ('rtsp', 'rtsps', 'rtmp', 'rtp', 'udp', 'srt')


class Frame(NamedTuple):
    """One image.

    Attributes:
        path: Path of the file. A made-up name for an array or a frame of a video.
        image: (H, W, 3) uint8 BGR, or ``None`` where it cannot be read.
        error: Reason why it cannot be read.
        is_file: Whether it was read from ``path``.
    """

    path: str
    image: np.ndarray | None
    error: str = ''
    is_file: bool = False


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


def open_source(inputs: Any) -> Source:
    """Open an input of any kind.

    Args:
        inputs: A path or address, 'webcam' or 'webcam:1', an array, or several paths and arrays.

    Returns:
        Its images.

    Raises:
        UsageError: It is none of these, does not exist, or holds no image.
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


def expand_inputs(words: Sequence[str], recursive: bool = False) -> str | list[str]:
    """Resolve the inputs of a command line.

    Args:
        words: Files, folders, patterns such as ``'*.jpg'``, or one video, camera or address.
        recursive: Search folders of folders too.

    Returns:
        The one input, or all images.

    Raises:
        UsageError: A pattern matches nothing, a folder holds no image, or a video or camera is one of several inputs.
    """
    paths: list[str] = []
    for word in words:
        is_pattern = glob.has_magic(word) and '://' not in word and not Path(word).exists()
        matches = sorted(glob.glob(word, recursive=True)) if is_pattern else [word]
        if not matches:
            raise UsageError(f'input {word}: no file matches this pattern')
        paths += matches
    if len(paths) == 1 and not (recursive and Path(paths[0]).is_dir()):
        return paths[0]
    images: list[str] = []
    for path in paths:
        if Path(path).is_dir():
            images += images_of_folder(path, recursive)
        elif gives_frames(path):
            raise UsageError(f'input {path}: a video or camera must be the only input, there are {len(paths)}')
        else:
            images.append(path)
    return images


def gives_frames(inputs: Any) -> bool:
    """Tell whether an input is a video, a camera or a stream."""
    return isinstance(inputs, str) and (is_video(inputs) or _is_camera(inputs) or _is_stream(inputs))


def images_of_folder(folder: str, recursive: bool = False) -> list[str]:
    """List the images of a folder; what else it holds is counted in a warning.

    Args:
        folder: The folder.
        recursive: Search its folders too.

    Returns:
        Their paths.

    Raises:
        UsageError: It holds no image, or cannot be read.
    """
    try:
        found = find_images(folder, recursive)
    except OSError as error:
        raise UsageError(f'folder {folder}: {error.strerror or error}') from error
    if not found.files:
        also = f'; it holds {found.describe_left_out()}' if found.left_out else ''
        raise UsageError(f'folder {folder} holds no images ({" ".join(IMAGE_SUFFIXES)}){also}')
    _warn_of_left_out(folder, found)
    return found.files


def _warn_of_left_out(folder: str, found: ImageFolder) -> None:
    if found.left_out:
        count = sum(found.left_out.values())
        text = f'folder {folder}: {count} of {count + len(found.files)} entries are not images and are left out: '
        print_log(text + found.describe_left_out(), logger='current', level=logging.WARNING)


def _known(inputs: Sequence[Any], name: str, single: bool = False) -> Source:
    """Images whose names are known before the first is read."""
    names = [str(one) if isinstance(one, (str, Path)) else _number(index) for index, one in enumerate(inputs)]
    files = [str(one) for one in inputs if isinstance(one, (str, Path))]
    return Source(_from_many(inputs), len(inputs), name, single=single, names=names, files=files)


def _open_path(path: str) -> Source:
    if _is_camera(path):
        return _open_camera(path)
    if _is_stream(path):
        return _open_stream(path)
    if Path(path).is_dir():
        return _known(images_of_folder(path), Path(path).name)
    if '://' not in path and not Path(path).exists():
        raise UsageError(f'input {path} does not exist, allowed: {_ALLOWED}')
    if is_video(path.partition('?')[0] if '://' in path else path):
        return _open_video(path)
    return _known([path], Path(path).name, single=True)


def _is_camera(path: str) -> bool:
    return path.lower().startswith('webcam') and not Path(path).exists()


def _is_stream(path: str) -> bool:
    return path.partition('://')[0].lower() in _STREAMS and '://' in path


def _from_many(inputs: Iterable[Any]) -> Iterator[Frame]:
    for index, one in enumerate(inputs):
        if isinstance(one, np.ndarray):
            yield _from_array(one, index)
        elif isinstance(one, (str, Path)):
            yield _from_path(str(one))
        else:
            yield Frame(_number(index), None, f'inputs[{index}] is a {type(one).__name__}, allowed: a path or an array')


def _from_path(path: str) -> Frame:
    try:
        _check_address(path)
        return Frame(path, decode_image(_read(path), path), is_file=True)
    except UsageError as error:
        return Frame(path, None, str(error))
    except BadImageError as error:
        return Frame(path, None, f'{path} is not an image that can be read: {error.reason or error}')
    except MemoryError:
        return Frame(path, None, f'{path} is too large for the memory of this machine')


def _read(path: str) -> bytes:
    try:
        return get(path)
    except OSError as error:
        raise BadImageError(path, error.strerror or str(error)) from error


def _check_address(path: str) -> None:
    if '://' not in path:
        return
    try:
        get_file_backend(path)
    except (ImportError, KeyError, ValueError) as error:  # no such scheme, none without its package, '://' twice
        allowed = ', '.join(f'{scheme}://' for scheme in prefix_to_backends if scheme and _is_readable(scheme))
        reason = f' ({error})' if isinstance(error, ImportError) else ''
        raise UsageError(f'{path} is no address that an image can be read from{reason}, allowed: {allowed}') from error


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
    capture, first = _capture(path)
    if first is None:
        raise UsageError(f'video {path} cannot be read: OpenCV finds no frame in it')
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    count = count if 0 < count < 2**31 else None  # containers without an index give nonsense
    return Source(_frames(capture, first, path, count), count, Path(path).name, _fps(capture), files=[path])


def _open_camera(text: str) -> Source:
    number = text.lower().removeprefix('webcam').removeprefix(':') or '0'
    if not number.isdecimal():
        raise UsageError(f'input {text}, allowed for a camera: "webcam" or "webcam:NUMBER"')
    capture, first = _capture(int(number))
    if first is None:
        raise UsageError(f'input {text}: camera {number} cannot be opened or gives no image')
    return Source(_frames(capture, first), None, 'webcam.mp4', _fps(capture), is_camera=True)


def _open_stream(address: str) -> Source:
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
            yield Frame(_number(index), image)
            good, image = capture.read()
            index += 1
        if count is not None and index < count:
            text = f'video {path}: only {index} of its {count} frames can be read'
            print_log(text, logger='current', level=logging.WARNING)
    finally:
        capture.release()
