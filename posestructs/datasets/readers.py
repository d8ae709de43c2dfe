"""Readers of annotation files, whose errors name file, key and value."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import mmengine.fileio as fileio
import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from posestructs.datasets.errors import AnnotationError

_MAX_BYTES = 2**31
"""Largest array that is read: a damaged header can declare any size."""


def read_mat(path: str | Path, keys: Iterable[str] = (), **options: Any) -> dict[str, Any]:
    """Read a Matlab file (up to version 7).

    Args:
        path: The file.
        keys: Variables that must be there. Only they are read; all where empty.
        **options: Passed on to :func:`scipy.io.loadmat`.

    Returns:
        dict[str, Any]: Variable name to value.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: It is not a readable ``.mat``, or a variable is missing.
    """
    path, keys = _existing(path), list(keys)
    try:
        content = loadmat(path, variable_names=keys or None, **options)
    except NotImplementedError as error:
        raise AnnotationError(path, 'is a Matlab 7.3 file', 'one saved with save(..., "-v7")') from error
    except (ValueError, TypeError, OSError, EOFError, KeyError, IndexError, MatReadError) as error:
        raise AnnotationError(path, f'cannot be read as a .mat file: {error}') from error
    except Exception as error:  # zlib.error and others from inside a damaged stream
        raise AnnotationError(path, f'is damaged: {type(error).__name__}: {error}') from error
    _require(path, content, keys, lambda: [k for k in loadmat(path) if not k.startswith('__')])
    return {k: v for k, v in content.items() if not k.startswith('__')}


def read_h5(path: str | Path, keys: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """Read the data sets at the root of an HDF5 file.

    Args:
        path: The file.
        keys: Data sets that must be there. Only they are read; all where empty.

    Returns:
        dict[str, np.ndarray]: Name to array.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: It is not a readable HDF5 file, or a data set is missing.
    """
    path, keys = _existing(path), list(keys)
    try:
        with h5py.File(path, 'r') as file:
            there = sorted(k for k, v in file.items() if isinstance(v, h5py.Dataset))
            _require(path, there, keys, lambda: there)
            for key in keys or there:
                if file[key].nbytes > _MAX_BYTES:
                    raise AnnotationError(
                        path,
                        f'key {key!r} of shape {file[key].shape} takes {file[key].nbytes / 2**30:.1f} GiB',
                        f'at most {_MAX_BYTES / 2**30:g} GiB',
                    )
            return {k: file[k][()] for k in keys or there}
    except (OSError, RuntimeError) as error:
        raise AnnotationError(path, f'cannot be read as an HDF5 file: {error}') from error


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Args:
        path: The file.

    Returns:
        Any: Its content.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: It is not valid JSON in UTF-8.
    """
    if '://' in str(path):
        data = fileio.get(str(path))
    else:
        path = _existing(path)
        data = path.read_bytes()
    try:
        return json.loads(data.decode('utf-8-sig'))  # with or without a byte order mark
    except ValueError as error:  # also JSONDecodeError and UnicodeDecodeError
        raise AnnotationError(path, f'cannot be read as JSON: {error}') from error
    except RecursionError as error:
        raise AnnotationError(path, 'cannot be read as JSON: it is nested too deeply') from error


def read_lines(path: str | Path) -> list[str]:
    """Read a list with one item per line; blank lines and comments are left out.

    A comment starts with a ``#`` at the start of the line or after a space.

    Args:
        path: The file.

    Returns:
        list[str]: The stripped lines.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: It is not text, or holds no item.
    """
    path = _existing(path)
    try:
        text = path.read_text(encoding='utf-8-sig')  # with or without a byte order mark
    except UnicodeDecodeError as error:
        raise AnnotationError(path, f'is not text: {error}') from error
    # only after a space: '#' may be a part of a file's name
    lines = [line for line in (re.split(r'(?:^|\s)#', line)[0].strip() for line in text.splitlines()) if line]
    if not lines:
        raise AnnotationError(path, 'is empty', 'one item per line')
    return lines


def read_ids(path: str | Path, count: int) -> list[int]:
    """Read the numbers of the persons to use.

    Args:
        path: Text file with one number from 1 or image name (``im00024.jpg``) per line.
        count: Number of persons in the data set.

    Returns:
        list[int]: The numbers, in the file's order.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: It is empty, or a line is not a number, repeated, or out of range.
    """
    ids = []
    for line in read_lines(path):
        match = re.fullmatch(r'(?:.*/)?(?:im)?(\d+)(?:\.[A-Za-z]\w*)?', line)
        if not match:
            raise AnnotationError(path, f'line {line!r}', 'a number or an image name such as im00024.jpg')
        ids.append(int(match[1]))
        if not 1 <= ids[-1] <= count:
            raise AnnotationError(path, f'id {ids[-1]} is out of range', f'1 to {count}')
    if len(set(ids)) != len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise AnnotationError(path, f'id {twice} occurs more than once')
    return ids


def require_file(key: str, path: str | Path) -> None:
    """Refuse a path at which there is no file; those of remote storage are taken to exist.

    Args:
        key: The config key, for the message.
        path: The file.

    Raises:
        ValueError: No path is given.
        FileNotFoundError: There is no such file, or it is a folder.
    """
    if not path:
        raise ValueError(f'{key}={path!r}, allowed: path of a file')
    if '://' in str(path):
        return
    full = os.path.abspath(path)
    if os.path.isdir(full):
        raise FileNotFoundError(f'{key}={full!r} is a folder, allowed: path of a file')
    if not os.path.exists(full):
        raise FileNotFoundError(f'{key}={full!r} does not exist')


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'annotation file {os.path.abspath(path)!r} does not exist')
    return path


def _require(path: Path, found: Iterable[str], keys: list[str], listing) -> None:
    for key in keys:
        if key not in found:
            raise AnnotationError(path, f'key {key!r} is missing, it has {sorted(listing())}', f'the keys {keys}')
