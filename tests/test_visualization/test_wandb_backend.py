"""``tools/train.py --wandb`` through mmengine's WandbVisBackend: curves, config and images arrive.

With the package, a real run in offline mode; without it a module in its place that has what mmengine calls and writes
down what it gets.
"""

import importlib.util
import json
import runpy
import sys

import numpy as np
import pytest
from mmengine.config import Config

from posestructs.utils import cli
from tests.helpers import repo_root
from tests.helpers.tools import forget_runs

TINY = repo_root() / 'tests/test_tools/tiny_adversarial-64x64.py'
STAND_IN = """
import json, pathlib, types

class Image:
    def __init__(self, data):
        self.shape = list(data.shape)

class Config:
    def update(self, values, allow_val_change=False):
        _write(config=sorted(values))

def _write(**row):
    with _file.open('a') as file:
        file.write(json.dumps(row) + '\\n')

def init(dir, project=None, name=None):
    global _file
    _file = pathlib.Path(dir) / 'wandb.jsonl'
    _write(init=dict(project=project, name=name))

def log(values, commit=None):
    _write(log={k: dict(image=v.shape) if isinstance(v, Image) else float(v) for k, v in values.items()})

def join():
    _write(join=True)

config = Config()
run = types.SimpleNamespace(log_code=lambda name=None: None)
"""


def train(monkeypatch, work_dir):
    forget_runs()
    flags = ['--work-dir', work_dir, '--wandb', '--show-dir', 'drawn', '--interval', 3]
    short = ['--cfg-options', 'train_cfg.max_epochs=1', 'default_hooks.checkpoint.interval=-1']
    monkeypatch.setattr(sys, 'argv', ['train.py', str(TINY), *map(str, flags), *short])
    monkeypatch.setattr(sys, 'path', list(sys.path))
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.chdir(work_dir.parent)  # the backend keeps all .py files below the working directory
    runpy.run_path(str(repo_root() / 'tools/train.py'), run_name='__main__')
    return next(work_dir.glob('*/vis_data'))


@pytest.mark.skipif(importlib.util.find_spec('wandb') is not None, reason='wandb is here: the real one is tested')
def test_what_the_backend_is_given(tmp_path, monkeypatch):
    (tmp_path / 'modules').mkdir()
    (tmp_path / 'modules/wandb.py').write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path / 'modules')
    folder = train(monkeypatch, tmp_path / 'run')
    sys.modules.pop('wandb', None)
    rows = [json.loads(line) for line in (folder / 'wandb.jsonl').read_text().splitlines()]
    assert rows[0] == dict(init=dict(project='posestructs', name='run'))
    assert {'model', 'optim_wrapper', 'visualizer'} <= set(next(row['config'] for row in rows if 'config' in row))
    logged = [row['log'] for row in rows if 'log' in row]
    written = [json.loads(line) for line in (folder / 'scalars.json').read_text().splitlines()]
    losses = [row['loss'] for row in written if 'loss' in row]
    np.testing.assert_allclose([row['loss'] for row in logged if 'loss' in row], losses)
    assert {'pose.score_fake', 'loss_adv_confidence'} <= set(logged[0])
    assert [row['val_img'] for row in logged if 'val_img' in row] == [dict(image=[192, 64, 3])]
    assert sum('val_maps' in row for row in logged) == 1


@pytest.mark.skipif(importlib.util.find_spec('wandb') is None, reason='wandb is not installed')
def test_a_real_offline_run(tmp_path, monkeypatch):
    monkeypatch.setenv('WANDB_MODE', 'offline')
    folder = train(monkeypatch, tmp_path / 'run')
    (run,) = folder.glob('wandb/offline-run-*')
    content = next(run.glob('run-*.wandb')).read_bytes()
    for name in (b'loss_adv_confidence', b'pose.score_fake', b'val_img', b'val_maps'):
        assert name in content
    assert len(list((run / 'files/media/images').glob('val_*.png'))) == 2


def test_flags_and_configs(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ValueError, match='WandB is not installed: pip install wandb'):
        cli.use_wandb(Config(dict(visualizer=dict(type='X'))))
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: name)
    own = dict(type='WandbVisBackend', init_kwargs=dict(project='mine'))
    cfg = Config(dict(visualizer=dict(type='X', vis_backends=[own])))
    cli.use_wandb(cfg)
    assert cfg.visualizer.vis_backends == [own]
    with pytest.raises(ValueError, match='needs a visualizer'):
        cli.use_wandb(Config(dict()))
