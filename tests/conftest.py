"""Shared by all tests: a seed, two threads for maths, no windows, and GPU tests only where there is a GPU."""

import os
import random

os.environ.setdefault('OMP_NUM_THREADS', '2')
os.environ.setdefault('MPLBACKEND', 'Agg')

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

import posestructs  # noqa: F401


@pytest.fixture(autouse=True)
def mmpose_scope():
    """Each test starts in mmpose's scope; a runner of another one leaves its own behind."""
    init_default_scope('mmpose')


@pytest.fixture(autouse=True)
def seed():
    """Each test draws the same numbers whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    for item in items:
        if 'gpu' in item.keywords:
            item.add_marker(pytest.mark.skip(reason='needs a CUDA device'))
