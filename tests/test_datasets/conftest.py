"""Fixtures of the data-set tests: small data sets in the official layouts, and the log as a list."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from scipy.io import savemat


@pytest.fixture(autouse=True)
def mmpose_scope():
    init_default_scope('mmpose')


@pytest.fixture
def log_lines():
    """Messages of warning level and above, in order."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.WARNING:
                lines.append(record.getMessage())

    logger, handler = MMLogger.get_current_instance(), Keep()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def write_images(folder: Path, names: list[str], size: tuple[int, int] = (120, 160)) -> None:
    """Noise JPEGs of ``size`` (height, width), each another one."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        image = np.random.default_rng(i).integers(0, 256, (*size, 3), dtype=np.uint8)
        assert cv2.imwrite(str(folder / name), image)


@pytest.fixture
def lspe_folder(tmp_path):
    """Factory of a folder in LSPE's layout: the first ``count`` persons and images, and ``ids.txt`` that names them."""

    def make(count: int = 6, edit=None, images: bool = True) -> Path:
        joints = np.zeros((14, 3, 10000))
        rng = np.random.default_rng(0)
        joints[:, :2, :count] = rng.uniform(10, 110, (14, 2, count))
        joints[:, 2, :count] = 1
        if edit:
            edit(joints)
        savemat(tmp_path / 'joints.mat', dict(joints=joints), do_compression=True)
        if images:
            write_images(tmp_path / 'images', [f'im{i + 1:05d}.jpg' for i in range(count)])
        (tmp_path / 'ids.txt').write_text('\n'.join(str(i + 1) for i in range(count)))
        return tmp_path

    return make


@pytest.fixture
def matlab_struct():
    """Factory of a (1, N) Matlab struct array for ``savemat`` from a list of dicts with the same keys."""

    def make(rows: list[dict]) -> np.ndarray:
        array = np.empty((1, len(rows)), dtype=[(key, object) for key in rows[0]])
        for i, row in enumerate(rows):
            array[0, i] = tuple(row.values())
        return array

    return make
