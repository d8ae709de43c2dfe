"""Config of a run: that of its row, with the data, pipeline and schedule of its grid."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from benchmarks.grid.grids import Grid
from benchmarks.grid.rows import EVERYWHERE, OCCLUDERS, Row
from posestructs.utils import cli
from posestructs.utils.nested import walk_dicts
from posestructs.utils.usage import UsageError

ROOT = Path(__file__).resolve().parents[2]
CROP = 'TopdownAffine'
# the patches depend on the seed and the image alone, so that all rows see the same ones at any input size
TEST_OCCLUDER = dict(type='RandomOccluder', prob=1.0, jitter=1.0, seed=0)


@dataclass(frozen=True)
class Settings:
    """Changes to a grid by the command line: smaller trials, and options of the machine.

    Attributes:
        epochs: Number of epochs in place of the grid's.
        epoch_images: Images of an epoch in place of the grid's.
        test_images: Number of test samples; ``None`` scores all.
        batch_size: Batch size in place of the grid's.
        workers: Data loading processes of a run.
        cache: Whether decoded images are kept in memory.
        bf16: Whether to train in bfloat16; needs a GPU.
        channels_last: Whether weights and features have the channels-last memory format.
        options: Dotted keys of the config and their values, for every row.
    """

    epochs: int | None = None
    epoch_images: int | None = None
    test_images: int | None = None
    batch_size: int | None = None
    workers: int = 0
    cache: bool = True
    bf16: bool = False
    channels_last: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def make_config(grid: Grid, row: Row, seed: int, settings: Settings) -> Config:
    """Build the config that trains and tests a row.

    Args:
        grid: The grid.
        row: One of its rows.
        seed: Seed of the run.
        settings: Changes by the command line.

    Returns:
        The config, without ``work_dir``.

    Raises:
        UsageError: An option of the settings does not fit the config.
    """
    loaded = cli.load_config(str(ROOT / row.path(grid.data)))
    changes = [row.changes, grid.changes.get(row.name, {})]
    everywhere = _apply(loaded, changes)
    if row.vary is not None:
        everywhere |= _apply(loaded, [row.vary(loaded, seed)])
    cfg = loaded.to_dict()
    if grid.enlarge > 1:
        everywhere = {**enlarged(cfg['codec'], grid.enlarge), **everywhere}
    set_everywhere(cfg, everywhere)
    _share_pipeline(cfg, grid)
    _load_data(cfg, grid, settings)
    _schedule(cfg, settings.epochs or grid.epochs)
    cfg['randomness'] = dict(seed=seed)
    cfg['default_hooks']['checkpoint'] = dict(type='AtomicCheckpointHook', interval=1, max_keep_ckpts=1)
    cfg['custom_hooks'] = [*cfg['custom_hooks'], dict(type='TrainingClockHook')]
    if settings.channels_last:
        cfg['custom_hooks'].append(dict(type='ChannelsLastHook'))
    made = Config(cfg, filename=loaded.filename)
    cli.merge_options(made, dict(settings.options))
    if settings.bf16:
        for member in optimizers(made.optim_wrapper):
            member.update(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=1.0)
    return made


def _apply(cfg: Config, changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge changes into a config; returns the values that are to be set wherever the config has their key."""
    everywhere = {}
    for change in changes:
        everywhere |= change.get(EVERYWHERE, {})
        cfg.merge_from_dict({key: value for key, value in change.items() if key != EVERYWHERE})
    return everywhere


def optimizers(optim_wrapper: dict) -> list[dict]:
    """Optimizer wrappers in a config, not copied: a single one, or one for each network."""
    if 'optimizer' in optim_wrapper:
        return [optim_wrapper]
    return [part for part in optim_wrapper.values() if isinstance(part, dict)]


def enlarged(codec: Mapping[str, Any], factor: int) -> dict[str, Any]:
    """Scaled sizes of a codec; the width of the Gaussians stays, as in mmpose's configs."""
    return {key: tuple(factor * side for side in codec[key]) for key in ('input_size', 'heatmap_size')}


def set_everywhere(part: Any, values: Mapping[str, Any]) -> None:
    """Set keys wherever a config has them, so that pipelines and decoders agree.

    Args:
        part: A config as plain dicts and lists; changed in place.
        values: Keys such as ``input_size``, ``heatmap_size`` and ``sigma``, with their values.
    """
    for inner in walk_dicts(part):
        inner.update({key: value for key, value in values.items() if key in inner})


def _share_pipeline(cfg: dict, grid: Grid) -> None:
    """Replace the training pipeline up to the targets by the grid's."""
    if grid.pipeline_of is None:
        return
    shared = Config.fromfile(str(ROOT / grid.pipeline_of)).to_dict()['train_pipeline']
    targets = [step for step in cfg['train_dataloader']['dataset']['pipeline'] if step['type'] == 'GenerateTarget']
    steps = [step for step in copy.deepcopy(shared) if step['type'] not in ('GenerateTarget', 'PackPoseInputs')]
    for step in steps:
        if step['type'] == CROP:
            step['input_size'] = cfg['codec']['input_size']
    cfg['train_dataloader']['dataset']['pipeline'] = [*steps, *targets, dict(type='PackPoseInputs')]


def _load_data(cfg: dict, grid: Grid, settings: Settings) -> None:
    """Set the sizes of data sets and loaders. There is no validation, since nothing is selected during training."""
    cfg['val_cfg'] = cfg['val_dataloader'] = cfg['val_evaluator'] = None
    train, test = cfg['train_dataloader'], cfg['test_dataloader']
    # without occluders, regardless of the data config
    test['dataset']['pipeline'] = test_pipeline(test['dataset']['pipeline'], with_occluders=False)
    _take(train['dataset'], settings.epoch_images or grid.epoch_images)
    _take(test['dataset'], settings.test_images)
    train['batch_size'] = settings.batch_size or grid.batch_size
    for loader in (train, test):
        loader.update(num_workers=settings.workers, persistent_workers=settings.workers > 0)
        if settings.cache:
            _keep_images(loader['dataset'])
    cfg['test_evaluator'] = [dict(type='HitRecord')]


def _take(dataset: dict, count: int | None) -> None:
    if count is not None:
        dataset['num_samples' if 'num_samples' in dataset else 'indices'] = count


def _keep_images(dataset: dict) -> None:
    if dataset['type'] == 'StickFigureDataset':
        dataset['cache'] = True
    for step in dataset['pipeline']:
        if step['type'] in ('LoadImage', 'LoadVerifiedImage'):
            step['type'] = 'LoadCachedImage'


def test_pipeline(pipeline: list[dict], with_occluders: bool) -> list[dict]:
    """A test pipeline with occluders before the crop, or without any."""
    steps = [step for step in pipeline if step['type'] != 'RandomOccluder']
    if with_occluders:
        crop = next(i for i, step in enumerate(steps) if step['type'] == CROP)
        steps.insert(crop, dict(TEST_OCCLUDER))
    return steps


def for_test_set(cfg: Config, name: str) -> Config:
    """A copy of a config from :func:`make_config` that scores one of the grid's test sets."""
    cfg = copy.deepcopy(cfg)
    dataset = cfg.test_dataloader.dataset
    dataset.pipeline = test_pipeline(list(dataset.pipeline), with_occluders=name == OCCLUDERS)
    return cfg


def _schedule(cfg: dict, epochs: int) -> None:
    """Warm up, then anneal over all epochs; the same for all networks of a model."""
    cfg['train_cfg'] = dict(by_epoch=True, max_epochs=epochs, val_interval=epochs + 1)
    cfg['param_scheduler'] = [
        dict(type='LinearLR', begin=0, end=100, start_factor=0.01, by_epoch=False),
        dict(
            type='CosineAnnealingLR',
            begin=0,
            end=epochs,
            T_max=epochs,
            eta_min=1e-6,
            by_epoch=True,
            convert_to_iter_based=True,
        ),
    ]


def fingerprint(grid: Grid, row: Row, seed: int, settings: Settings) -> str:
    """Hash of everything that determines the result of a run, 12 hexadecimal digits; the machine is not part of it."""
    cfg = make_config(grid, row, seed, replace(settings, workers=0, cache=False)).to_dict()
    roots = {part.pop('data_root', None) for part in walk_dicts(cfg)} - {None}
    text = json.dumps([cfg, seed, row.decode_of, grid.test_sets], sort_keys=True, default=str)
    # longer paths first, so that none is cut by its parent
    for place in sorted(roots | {str(ROOT)}, key=len, reverse=True):
        text = text.replace(place, '')
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def check_config(grid: Grid, row: Row) -> None:
    """Raise a :exc:`UsageError` where the config file of a row does not exist."""
    if not (ROOT / row.path(grid.data)).is_file():
        raise UsageError(f'row {row.name}: {row.path(grid.data)} does not exist')
