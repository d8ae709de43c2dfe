"""Shared by the config tests: each config is read once and its model built once per session."""

from __future__ import annotations

import copy
from functools import lru_cache
from types import MappingProxyType

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from posestructs.utils import cli
from tests.helpers import data_root, repo_root

ROOT = repo_root() / 'configs'
NAMES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob('*.py') if '_base_' not in path.parts)


@lru_cache
def _read(name: str) -> Config:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('POSESTRUCTS_DATA', str(data_root()))
        return cli.load_config(str(ROOT / name))


@pytest.fixture
def load_config():
    """A config by its path below ``configs/``, to be changed at will."""
    init_default_scope('mmpose')
    return lambda name: copy.deepcopy(_read(name))


@pytest.fixture(scope='session')
def shipped_configs():
    """All experiment configs by path below ``configs/``; not to be changed."""
    return MappingProxyType({name: _read(name) for name in NAMES})


@pytest.fixture(scope='session')
def shipped_models(shipped_configs):
    """Models of all experiment configs on the ``meta`` device, which holds shapes but no values; not to be changed."""
    init_default_scope('mmpose')
    found = {}
    for name, config in shipped_configs.items():
        model = copy.deepcopy(config.model)
        model.backbone.init_cfg = None
        with torch.device('meta'):
            found[name] = MODELS.build(model)
    return MappingProxyType(found)


@pytest.fixture(scope='session')
def tiny_folder(tmp_path_factory):
    """Where the tiny data sets of all tests are."""
    return tmp_path_factory.mktemp('tiny')
