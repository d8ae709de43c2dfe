"""Paths of the project's own files, in a checkout and in an installation."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def config_root() -> Path:
    """Folder of the shipped configs.

    Returns:
        Path: ``configs/`` of the checkout, or the copy that an installation keeps in ``posestructs/.mim/configs``.

    Raises:
        FileNotFoundError: Neither is there.
    """
    candidates = (_PACKAGE / '.mim' / 'configs', _PACKAGE.parent / 'configs')
    for root in candidates:
        if (root / '_base_' / 'datasets').is_dir():
            return root
    raise FileNotFoundError(f'no configs in {" or ".join(map(str, candidates))}: reinstall posestructs')
