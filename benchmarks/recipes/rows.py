"""Rows of the benchmark of adversarial recipes, and the config of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from posestructs.utils import cli
from posestructs.utils.checkpoint_addresses import local_copy

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs' / 'adversarial_posenet' / 'recipes'
GENERATORS = ROOT / 'work_dirs' / 'adversarial_recipes'
TRAINED, HELD_OUT = 4400, 600


@dataclass(frozen=True)
class Row:
    """A recipe.

    Attributes:
        label: Text in tables.
        config: Name of the config without ``.py``.
        changes: Dotted keys of the config and their values.
        seeds: Seeds without ``--seeds``.
        hook: Arguments that replace those of ``GradientBudgetHook``.
        figures: Train on synthetic figures, from a generator that is trained on them first.
    """

    label: str
    config: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    hook: Mapping[str, Any] = field(default_factory=dict)
    figures: bool = False


ROWS: dict[str, Row] = {
    'control': Row('no discriminators', 'control', seeds=(0, 1, 2)),
    'frozen-d': Row('P and C random and frozen, gradients of 5 %', 'frozen-d'),
    'a': Row('A, scaled input, published weights', 'a_scaled-input'),
    'b': Row('B, BEGAN', 'b_began'),
    'c': Row('C, relativistic pairs, R1 and R2', 'c_relativistic'),
    'd': Row('D, feature matching', 'd_feature-matching'),
    'e': Row('E, poses alone', 'e_poses-alone'),
    'f': Row('F, gradients of 5 %', 'f_gradient-budget'),
    'g': Row('G, occluders aimed at the worst joints', 'g_adversarial-occluders'),
    'f-2': Row('F, gradients of 2 %', 'f_gradient-budget', hook=dict(share=0.02)),
    'f-10': Row('F, gradients of 10 %', 'f_gradient-budget', hook=dict(share=0.1)),
    'f-late': Row('F, gradients of 5 % in the last third', 'f_gradient-budget', hook=dict(share=0.05, begin=2 / 3)),
    'e-10': Row('E, gradients of 10 %', 'e_poses-alone', hook=dict(share=0.1)),
}
# the same on synthetic figures, whose occlusion is real
ROWS |= {
    f'stick-{name}': replace(ROWS[name], figures=True, seeds=(0,)) for name in ('control', 'frozen-d', 'a', 'c', 'e')
}
DEFAULT = ('control', 'frozen-d', 'a', 'b', 'c', 'd', 'e', 'f', 'g')


@dataclass(frozen=True)
class Trial:
    """Sizes of a call, for rehearsals."""

    images: int = TRAINED
    test_images: int = HELD_OUT
    workers: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    generator: Path = GENERATORS / 'stick-generator'


def make_generator_config(trial: Trial) -> Config:
    """Config of the generator that is trained on synthetic figures."""
    cfg = cli.load_config(str(CONFIGS / 'stick-generator.py'))
    cfg.train_dataloader.update(num_workers=trial.workers, persistent_workers=trial.workers > 0)
    if trial.images != TRAINED:  # a rehearsal
        cfg.merge_from_dict(dict(train_cfg=dict(max_iters=trial.images // 32, val_interval=trial.images // 32)))
    return cfg


def last_checkpoint(cfg: Config) -> str:
    """Name of the checkpoint at the end of a training."""
    loop = cfg.train_cfg
    return f'epoch_{loop.max_epochs}.pth' if loop.by_epoch else f'iter_{loop.max_iters}.pth'


def use_figures(cfg: Config, trial: Trial) -> None:
    """Replace data and generator of a recipe by synthetic figures and the generator that is trained on them."""
    own = make_generator_config(trial)
    cfg.model.pop('neck', None)
    for part in ('data_preprocessor', 'backbone', 'head'):
        cfg.model[part] = own.model[part]
    if 'adversarial' in cfg.model:
        cfg.model.adversarial.epsilon = 1.0  # for targets with a sigma of 1
    for key in ('codec', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'val_evaluator', 'test_evaluator'):
        cfg[key] = own[key]
    cfg.train_dataloader.batch_size = 16
    # other figures than those of the generator
    cfg.train_dataloader.dataset.start_index = 2000000
    cfg.load_from = str(trial.generator / last_checkpoint(own))


def make_config(row: Row, trial: Trial) -> Config:
    """Config of a run, without its seed and work directory."""
    cfg = cli.load_config(str(CONFIGS / f'{row.config}.py'))
    cfg.merge_from_dict(dict(row.changes))
    if row.figures:
        use_figures(cfg, trial)
    for hook in cfg.custom_hooks:
        if hook['type'] == 'GradientBudgetHook':
            hook.update(row.hook)
    cfg.train_dataloader.dataset.indices = trial.images
    cfg.train_dataloader.update(num_workers=trial.workers, persistent_workers=trial.workers > 0)
    cli.merge_options(cfg, dict(trial.options))
    return cfg


def fingerprint(row: Row, seed: int, trial: Trial) -> str:
    """Hash of all that a result depends on, 12 hexadecimal digits: config, seed, the weights that it starts from."""
    trial = replace(trial, workers=0)
    cfg = make_config(row, trial)
    start = local_copy(cfg.load_from).name if cfg.get('load_from') else ''
    if row.figures:  # wherever it lies
        start, cfg.load_from = json.dumps(make_generator_config(trial).to_dict(), sort_keys=True, default=str), ''
    return config_hash(cfg, seed, start, trial.test_images)


def config_hash(cfg: Config, *others: Any) -> str:
    """Hash of a config and other values, wherever checkout and data are; 12 hexadecimal digits."""
    text = json.dumps([cfg.to_dict(), *others], sort_keys=True, default=str)
    root = str(cfg.train_dataloader.dataset.get('data_root', ''))
    return hashlib.sha256(text.replace(root, '').replace(str(ROOT), '').encode()).hexdigest()[:12]
