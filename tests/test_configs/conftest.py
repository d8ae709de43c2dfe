"""What the config tests share: each config read once, and a folder of tiny data sets."""

from __future__ import annotations

import copy
from functools import lru_cache

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from posestructs.utils import cli
from tests.helpers import data_root, repo_root


@lru_cache
def _read(name: str) -> Config:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('POSESTRUCTS_DATA', str(data_root()))
        return cli.load_config(str(repo_root() / 'configs' / name))


@pytest.fixture
def load_config():
    """A config by its path below ``configs/``, to be changed at will."""
    init_default_scope('mmpose')
    return lambda name: copy.deepcopy(_read(name))


@pytest.fixture(scope='session')
def tiny_folder(tmp_path_factory):
    """Where the tiny data sets of all tests are."""
    return tmp_path_factory.mktemp('tiny')
