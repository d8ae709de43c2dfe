"""Shipped configs as bases of a user's own: ``_base_ = 'posestructs::baseline/td-hm_res18_lspet-mini-128x128.py'``.

mmengine resolves such paths for OpenMMLab's packages only, and expects the components in a scope named as the package.
Those of posestructs are registered in mmpose's scope, so that a base is a file like any other.
"""

from __future__ import annotations

import functools
import warnings
from pathlib import Path

from mmengine.config import Config

from posestructs.utils.paths import config_root

_PREFIX = 'posestructs::'
_RENAMED = {'_base_/data/': '_base_/dataloaders/'}


def current_path(path: str) -> str:
    """Follow a folder of shipped configs that has been renamed, with a warning.

    Args:
        path: A config file.

    Returns:
        str: The file under its current name; ``path`` itself if it exists or was never renamed.
    """
    if Path(path).is_file():
        return path
    for old, new in _RENAMED.items():
        moved = new.join(path.replace('\\', '/').rsplit(old, 1))
        if moved != path and Path(moved).is_file():
            warnings.warn(f'{path}: {old} is now called {new}', DeprecationWarning, stacklevel=2)
            return moved
    return path


def read_config(path: str | Path) -> Config:
    """Read a config file.

    Args:
        path: The file.

    Returns:
        Config: Its content, with that of its bases.

    Raises:
        ValueError: It cannot be read: a base is missing, or its Python is at fault.
    """
    try:
        return Config.fromfile(str(path))
    except Exception as error:  # whatever its code raises
        text = ' '.join(str(error).split())
        raise ValueError(f'{path} cannot be read: {type(error).__name__}: {text}') from error


def base_file(path: str) -> str:
    """Find a shipped config.

    Args:
        path: Below ``configs/``, such as ``'_base_/default_runtime.py'``.

    Returns:
        str: The file.

    Raises:
        FileNotFoundError: There is none; lists what its folder has.
    """
    file = Path(current_path(str(config_root() / path)))
    if not file.is_file():
        folder = file.parent if file.parent.is_dir() else config_root()
        names = sorted(p.name for p in folder.iterdir() if not p.name.startswith('__'))
        raise FileNotFoundError(f'_base_ {_PREFIX}{path}: no such file; {folder} has {names}')
    return str(file)


def lead_to_our_configs() -> None:
    """Make mmengine's ``Config`` resolve the prefix; a second call changes nothing."""
    find = Config._get_cfg_path
    if hasattr(find, '__wrapped__'):
        return

    @functools.wraps(find)
    def find_ours_too(cfg_path: str, filename: str) -> tuple[str, str | None]:
        if cfg_path.startswith(_PREFIX):
            return base_file(cfg_path.removeprefix(_PREFIX)), None
        found, scope = find(cfg_path, filename)
        return current_path(found), scope

    Config._get_cfg_path = staticmethod(find_ours_too)
