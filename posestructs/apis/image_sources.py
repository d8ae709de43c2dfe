"""Open what an inferencer takes: images, folders, videos, cameras and arrays. Images are uint8 BGR, as in OpenCV."""

from __future__ import annotations

import glob
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.fileio import get, get_file_backend
from mmengine.fileio.backends import prefix_to_backends
from mmengine.logging import print_log

from posestructs.apis.frames import Frame, Source, frame_name
from posestructs.apis.http_inputs import http_kind, http_name, is_http
from posestructs.apis.videos import open_camera, open_stream, open_video
from posestructs.utils.images import BadImageError, decode_image
from posestructs.utils.media import IMAGE_SUFFIXES, ImageFolder, find_images, is_video
from posestructs.utils.usage import UsageError

_ALLOWED = (
    'an image, a folder of images, a video, an address of one of these, "webcam" or "webcam:NUMBER", an array, or a '
    'list of images'
)
_STREAMS = ('rtsp', 'rtsps', 'rtmp', 'rtp', 'udp', 'srt')


def open_source(inputs: Any) -> Source:
    """Open an input of any kind.

    Args:
        inputs: A path or address, 'webcam' or 'webcam:1', an array, or several paths and arrays. A source that is
            open already is returned as it is.

    Returns:
        Its images.

    Raises:
        UsageError: It is none of these, does not exist, or holds no image.
    """
    if isinstance(inputs, Source):
        return inputs
    if isinstance(inputs, np.ndarray):
        return Source([_from_array(inputs, 0)], 1, 'array', single=True, names=[frame_name(0)])
    if isinstance(inputs, (str, Path)):
        if not str(inputs):  # to a path it is the current folder
            raise UsageError(f'inputs={inputs!r}, allowed: {_ALLOWED}')
        return _open_path(str(inputs))
    if not isinstance(inputs, Iterable) or isinstance(inputs, (bytes, bytearray, Mapping)):
        raise UsageError(f'inputs={inputs!r}, allowed: {_ALLOWED}')
    if not hasattr(inputs, '__len__'):
        return Source(_from_many(inputs), None, 'inputs')
    if len(inputs) == 0:
        raise UsageError(f'inputs={inputs!r} is empty, allowed: {_ALLOWED}')
    if not isinstance(inputs, (list, tuple)):  # checking each could mean reading it
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
            raise UsageError(f'input {word}: no file matches, allowed: a pattern that matches files')
        paths += matches
    if len(paths) == 1 and not (recursive and Path(paths[0]).is_dir()):
        return paths[0]
    images: list[str] = []
    for path in paths:
        if Path(path).is_dir():
            images += images_of_folder(path, recursive)
        elif _gives_frames(path):
            raise UsageError(f'input {path}: one of {len(paths)} inputs, allowed: a video or camera as the only input')
        else:
            images.append(path)
    return images


def _gives_frames(path: str) -> bool:
    """Check whether an input is a video, a camera or a stream, without opening it."""
    return is_video(http_name(path) if is_http(path) else path) or _is_camera(path) or _is_stream(path)


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
    names = [str(one) if isinstance(one, (str, Path)) else frame_name(index) for index, one in enumerate(inputs)]
    files = [str(one) for one in inputs if isinstance(one, (str, Path))]
    return Source(_from_many(inputs), len(inputs), name, single=single, names=names, files=files)


def _open_path(path: str) -> Source:
    if _is_camera(path):
        return open_camera(path)
    if _is_stream(path):
        return open_stream(path)
    if is_http(path):
        kind = http_kind(path)
        if kind != 'image':
            return open_stream(path) if kind == 'stream' else open_video(path, http_name(path))
        return _known([path], http_name(path), single=True)
    if Path(path).is_dir():
        return _known(images_of_folder(path), Path(path).name)
    if '://' not in path and not Path(path).exists():
        raise UsageError(f'input {path} does not exist, allowed: {_ALLOWED}')
    if is_video(path):
        return open_video(path)
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
            yield Frame(
                frame_name(index), None, f'inputs[{index}] is a {type(one).__name__}, allowed: a path or an array'
            )


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
        raise UsageError(f'{path} is not an address of a readable image{reason}, allowed: {allowed}') from error


def _is_readable(scheme: str) -> bool:
    try:
        prefix_to_backends[scheme]()
    except ImportError:
        return False
    return True


def _from_array(image: np.ndarray, index: int) -> Frame:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        found = f'inputs[{index}] is an array {image.shape} {image.dtype}'
        return Frame(frame_name(index), None, f'{found}, allowed: (H, W, 3) uint8 BGR')
    return Frame(frame_name(index), image)
