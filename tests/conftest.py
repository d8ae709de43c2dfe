"""Fixtures and collection rules shared by all tests."""

import logging
import os
import random
from pathlib import Path

# several workers share the cores
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('MPLBACKEND', 'Agg')

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.visualization import Visualizer

import posestructs  # noqa: F401
from tests.helpers.tools import forget_runs


@pytest.fixture(scope='session', autouse=True)
def plain_config_text():
    """Configs are logged and saved without yapf's layout, which takes most of the time of a short run."""
    with pytest.MonkeyPatch.context() as patch:
        # mmengine imports it into its module, OneDL's fork when it is used
        for name in ('mmengine.config.config.FormatCode', 'yapf.yapflib.yapf_api.FormatCode'):
            patch.setattr(name, lambda text, **_: (text, True), raising=False)
        yield


@pytest.fixture(autouse=True)
def mmpose_scope():
    """Each test starts in mmpose's scope; a runner of another one leaves its own behind."""
    init_default_scope('mmpose')


@pytest.fixture(autouse=True)
def log_level():
    """Each test receives the messages of the current logger; a quiet runner of another test leaves its level behind."""
    MMLogger.get_current_instance().setLevel(logging.INFO)


@pytest.fixture(autouse=True)
def no_visualizer_of_another_test():
    """Each test builds its own visualizer.

    mmengine keeps one for each name, and mmpose's configs give all the same name: the next run in the process would
    write into the folder of the last one, which is removed.
    """
    yield
    forget_runs(Visualizer)


@pytest.fixture(autouse=True)
def seed():
    """Each test draws the same numbers whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


# the folders that take longest, so that no worker begins one when the others are done
LONGEST = ('test_docs', 'test_tools', 'test_setup.py', 'test_apis', 'test_benchmarks', 'test_configs')


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Skip what needs a missing GPU, and keep together what one worker must run.

    The tests of a file share its fixtures; those that use the GPU, or network ports, must not run side by side. With
    ``--dist loadgroup`` one worker gets each group.
    """
    for item in items:
        if 'gpu' in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason='needs a CUDA device'))
        if item.get_closest_marker('xdist_group') is None:
            item.add_marker(pytest.mark.xdist_group('gpu' if 'gpu' in item.keywords else item.path.stem))
    items.sort(key=_order)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node, ids):
    """Refuse to distribute tests without their groups, which pytest-xdist 3.8 ignores under pytest 9.2.

    Tests that share a port or the fixtures of a file would run side by side on several workers.
    """
    if node.config.getoption('dist') == 'loadgroup' and not all('@' in name for name in ids):
        pytest.exit(
            f'pytest {pytest.__version__} and the installed pytest-xdist do not group tests: '
            'pip install -r requirements/test.txt',
            returncode=pytest.ExitCode.USAGE_ERROR,
        )


def _order(item):
    part = item.path.relative_to(Path(__file__).parent).parts[0]
    return LONGEST.index(part) if part in LONGEST else len(LONGEST)
