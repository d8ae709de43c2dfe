"""The toy model."""

import runpy
from types import SimpleNamespace

import pytest

from posestructs.testing import repo_root


@pytest.fixture(scope='session')
def toy():
    return SimpleNamespace(**runpy.run_path(str(repo_root() / 'tests' / 'adversarial_toy.py')))
