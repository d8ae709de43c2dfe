"""Files that a config names by a path of the user's, or by the bare name of a shipped one."""

from __future__ import annotations

from pathlib import Path

from posestructs.utils.paths import config_root


def find_file(key: str, path: str | Path, folder: str, hint: str = '') -> Path:
    """Find a file.

    Args:
        key (str): What the config calls it, for the error.
        path (str | Path): A path; of a relative one that leads nowhere, the shipped file of that name.
        folder (str): Below ``configs/_base_``, where such files are shipped.
        hint (str): End of the error.

    Returns:
        Path: The file.

    Raises:
        TypeError: ``path`` is no path.
        FileNotFoundError: There is none.
    """
    if not isinstance(path, (str, Path)):
        raise TypeError(f'{key} must be the path of a file, got {type(path).__name__}: {path!r}')
    path, shipped = Path(path), config_root() / '_base_' / folder
    found = path if path.is_file() or path.is_absolute() else shipped / path.name
    if not found.is_file():
        names = sorted(p.name for p in shipped.glob('*') if p.is_file())
        raise FileNotFoundError(f'{key}={str(path)!r}: no such file, and not one of the shipped {names}{hint}')
    return found
