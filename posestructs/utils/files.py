"""Atomic writes: a file is complete or absent."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PARTIAL = '.partial'


def partial_path(path: str | Path) -> Path:
    """Temporary path to which :func:`atomic_write` writes until the file is complete.

    Args:
        path: The final name.

    Returns:
        Path: A hidden name in the same folder, so that a rename suffices.
    """
    path = Path(path)
    return path.with_name(f'.{path.name}{PARTIAL}')


def atomic_write(path: str | Path, data: bytes) -> None:
    """Write a file atomically, so that a killed process never leaves an incomplete one.

    Args:
        path: The file; its folder is made where absent.
        data: Its content.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    try:
        with partial.open('wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could keep the new name and lose the content
        os.replace(partial, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise type(error)(error.errno, f'{error.strerror}, the file was not written', str(path)) from error
        raise
