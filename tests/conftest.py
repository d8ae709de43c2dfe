"""Shared by all tests: single-threaded maths, so that two cores can run two things, and GPU tests where there is one."""

import os

os.environ.setdefault('OMP_NUM_THREADS', '2')
os.environ.setdefault('MPLBACKEND', 'Agg')

import pytest
import torch

import posestructs  # noqa: F401


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    for item in items:
        if 'gpu' in item.keywords:
            item.add_marker(pytest.mark.skip(reason='needs a CUDA device'))
