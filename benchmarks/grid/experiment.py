"""The config of one run: a row's, made comparable to all other rows of its grid."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from benchmarks.grid.budgets import EVERYWHERE, OCCLUDERS, Grid
from benchmarks.grid.rows import Row
from posestructs.utils import cli
from posestructs.utils.nested import walk_dicts
from posestructs.utils.usage import UsageError

ROOT = Path(__file__).resolve().parents[2]
CROP = 'TopdownAffine'
# fixed by the seed and the image: every row sees the same patches, whatever the size of its input
TEST_OCCLUDER = dict(type='RandomOccluder', prob=1.0, jitter=1.0, seed=0)


@dataclass(frozen=True)
class Settings:
    """What a call changes of a grid, for trying it out and for other machines.

    Attributes:
        epochs: In place of the grid's.
        epoch_images: In place of the grid's.
        test_images: Score so many people only.
        batch_size: In place of the grid's.
        workers: Processes that load data, of each run.
        cache: Keep decoded images in memory.
        bf16: Train in bfloat16 where it is safe (a GPU).
        channels_last: Lay out weights and features so.
        options: Keys of the config and values, of every row that trains.
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
        seed: Of the run.
        settings: What the call changes.

    Returns:
        Config: Without a work directory.

    Raises:
        UsageError: The row's config file is not there, or an option of the settings does not fit it.
    """
    loaded = cli.load_config(str(ROOT / row.path(grid.data)))
    changes = {**row.changes, **grid.changes.get(row.name, {})}
    everywhere = changes.pop(EVERYWHERE, {})
    loaded.merge_from_dict(changes)
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


def optimizers(optim_wrapper: dict) -> list[dict]:
    """Configs of optimizer wrappers: one, or one of each network.

    Args:
        optim_wrapper: Of a config.

    Returns:
        list[dict]: Parts of it, not copied.
    """
    if 'optimizer' in optim_wrapper:
        return [optim_wrapper]
    return [part for part in optim_wrapper.values() if isinstance(part, dict)]


def enlarged(codec: Mapping[str, Any], factor: int) -> dict[str, Any]:
    """Sizes of a codec, larger; the width of its Gaussians stays, as in mmpose's configs."""
    return {key: tuple(factor * side for side in codec[key]) for key in ('input_size', 'heatmap_size')}


def set_everywhere(part: Any, values: Mapping[str, Any]) -> None:
    """Set keys wherever a config states them, so that pipelines and decoders agree.

    Args:
        part: A config as plain dicts and lists; changed in place.
        values: Such as ``input_size`` and, of codecs, ``heatmap_size`` and ``sigma``.
    """
    for inner in walk_dicts(part):
        inner.update({key: value for key, value in values.items() if key in inner})


def _share_pipeline(cfg: dict, grid: Grid) -> None:
    """Give the row the grid's augmentation, before its own targets."""
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
    """Sizes of data sets and loaders, and no validation: nothing is chosen while training."""
    cfg['val_cfg'] = cfg['val_dataloader'] = cfg['val_evaluator'] = None
    train, test = cfg['train_dataloader'], cfg['test_dataloader']
    # of the data configs, the plain one
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
    """The pipeline that prepares test people.

    Args:
        pipeline: Of a test data set.
        with_occluders: Whether the people are covered by patches.

    Returns:
        list[dict]: The same steps, with the occluders before the crop or without any.
    """
    steps = [step for step in pipeline if step['type'] != 'RandomOccluder']
    if with_occluders:
        crop = next(i for i, step in enumerate(steps) if step['type'] == CROP)
        steps.insert(crop, dict(TEST_OCCLUDER))
    return steps


def for_test_set(cfg: Config, name: str) -> Config:
    """The config that scores one of the grid's test sets.

    Args:
        cfg: Of :func:`make_config`.
        name: Of the test set.

    Returns:
        Config: A copy.
    """
    cfg = copy.deepcopy(cfg)
    dataset = cfg.test_dataloader.dataset
    dataset.pipeline = test_pipeline(list(dataset.pipeline), with_occluders=name == OCCLUDERS)
    return cfg


def _schedule(cfg: dict, epochs: int) -> None:
    """Warmed up and annealed over the budget's epochs, for all networks of a model."""
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
    """Hash what decides a run's outcome, and nothing of the machine.

    Args:
        grid: The grid.
        row: One of its rows.
        seed: Of the run.
        settings: What the call changes.

    Returns:
        str: 12 hexadecimal digits.
    """
    cfg = make_config(grid, row, seed, replace(settings, workers=0, cache=False)).to_dict()
    roots = {part.pop('data_root', None) for part in walk_dicts(cfg)} - {None}
    text = json.dumps([cfg, seed, row.decode_of, grid.test_sets], sort_keys=True, default=str)
    # a folder before those below it
    for place in sorted(roots | {str(ROOT)}, key=len, reverse=True):
        text = text.replace(place, '')
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def check_config(grid: Grid, row: Row) -> None:
    """Refuse a row whose config file is not there, before anything is run.

    Args:
        grid: The grid.
        row: One of its rows.

    Raises:
        UsageError: It is not there.
    """
    if not (ROOT / row.path(grid.data)).is_file():
        raise UsageError(f'row {row.name}: {row.path(grid.data)} does not exist')
