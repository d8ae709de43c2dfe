"""Find files that a config names by a path, or by the bare name of a shipped file."""

from __future__ import annotations

from pathlib import Path

from posestructs.utils.paths import config_root


def find_file(key: str, path: str | Path, folder: str, hint: str = '') -> Path:
    """Find a file.

    Args:
        key: Name of the argument, for the error.
        path: Path; a relative path that does not exist names a shipped file.
        folder: Folder below ``configs/_base_`` that holds the shipped files.
        hint: Text that ends the error.

    Returns:
        Path: Path of the file.

    Raises:
        TypeError: ``path`` is not a path.
        FileNotFoundError: The file does not exist.
    """
    if not isinstance(path, (str, Path)):
        raise TypeError(f'{key}={path!r}, allowed: the path of a file')
    path, shipped = Path(path), config_root() / '_base_' / folder
    found = path if path.is_file() or path.is_absolute() else shipped / path.name
    if not found.is_file():
        names = sorted(p.name for p in shipped.glob('*') if p.is_file())
        raise FileNotFoundError(f'{key}={str(path)!r}: no such file, and not one of the shipped {names}{hint}')
    return found
