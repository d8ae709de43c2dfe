"""What the tests share: where real data lies, what to do where it does not; configs made small, tiny data sets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def repo_root() -> Path:
    """Root of the checkout.

    Returns:
        Path: The folder that holds ``posestructs/``, ``configs/`` and ``tools/``.
    """
    return Path(__file__).resolve().parents[2]


def data_root() -> Path:
    """Folder of real development data.

    Returns:
        Path: ``$POSESTRUCTS_DATA``, by default ``../shared/data`` seen from the project's root.
    """
    default = repo_root().parent / 'shared' / 'data'
    return Path(os.environ.get('POSESTRUCTS_DATA', default)).resolve()


needs_data = pytest.mark.skipif(
    not data_root().is_dir(), reason=f'no real data: {data_root()} is not a folder (set POSESTRUCTS_DATA)'
)
