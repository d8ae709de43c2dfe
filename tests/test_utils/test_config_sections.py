"""Sections of a config with the wrong type are refused where the config is read and where it is overridden."""

import pytest
from mmengine.config import Config

from posestructs.utils.cli import load_config, merge_options
from posestructs.utils.usage import UsageError


@pytest.mark.parametrize(
    'key, value, allowed',
    [
        ('train_dataloader', 5, 'a dict'),
        ('default_hooks', 'x', 'a dict'),
        ('train_cfg', [1], 'a dict'),
        ('randomness', 5, 'a dict'),
        ('val_evaluator', 'x', 'a dict, a list'),
        ('work_dir', 5, 'text'),
        ('load_from', 5, 'text'),
        ('custom_hooks', 'x', 'a list'),
        ('resume', 'x', 'True, False'),
    ],
)
def test_refused(key, value, allowed, tmp_path):
    (tmp_path / 'c.py').write_text(f'{key} = {value!r}')
    with pytest.raises(UsageError, match=f'^config: {key}=.*, allowed: {allowed}$'):
        load_config(str(tmp_path / 'c.py'))
    with pytest.raises(UsageError, match=f'^config: {key}=.*, allowed: {allowed}$'):
        merge_options(Config({}), {key: value})


@pytest.mark.parametrize('key', ['neck', 'test_cfg'])
def test_parts_of_a_model(key):
    with pytest.raises(UsageError, match=f'^config: model.{key}=3, allowed: a dict$'):
        merge_options(Config(dict(model=dict(type='A'))), {f'model.{key}': 3})


def test_none_is_allowed():
    merge_options(Config(dict(visualizer=dict(type='A'))), dict(visualizer=None, val_cfg=None, resume=False))
