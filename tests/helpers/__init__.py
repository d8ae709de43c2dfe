"""Helpers of the tests: real data, small copies of configs, tiny data sets, the smallest adversarial model."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


def repo_root() -> Path:
    """Root of the checkout: the folder that holds ``posestructs/``, ``configs/`` and ``tools/``."""
    return Path(__file__).resolve().parents[2]


def data_root() -> Path:
    """Folder of real data: ``$POSESTRUCTS_DATA``, by default ``../shared/data`` seen from the project's root."""
    default = repo_root().parent / 'shared' / 'data'
    return Path(os.environ.get('POSESTRUCTS_DATA', default)).resolve()


needs_data = pytest.mark.skipif(
    not data_root().is_dir(), reason=f'no real data: {data_root()} is not a folder (set POSESTRUCTS_DATA)'
)


def free_port() -> int:
    """A port that nobody listens on. Tests that use it are in the group ``ports``, so that no two take the same one."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]
