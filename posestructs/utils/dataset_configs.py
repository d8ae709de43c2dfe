"""Read, change and build the data sets of a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

from posestructs.utils.usage import UsageError


def step_name(step: Any) -> str:
    """Name of a pipeline step.

    Args:
        step: Config of the step, or the step itself.

    Returns:
        Name of its class.
    """
    kind = step.get('type') if isinstance(step, Mapping) else type(step)
    return kind.rpartition('.')[2] if isinstance(kind, str) else getattr(kind, '__name__', str(kind))


def map_pipelines(dataset: dict, change: Callable[[list], list]) -> None:
    """Change the pipeline of a data set's config, in place; of a wrapper without one, the pipelines inside.

    Args:
        dataset: The config.
        change: Function from the old pipeline to the new one.
    """
    if 'pipeline' in dataset or not ('dataset' in dataset or 'datasets' in dataset):
        dataset['pipeline'] = change(list(dataset.get('pipeline') or []))
    else:
        for inner in dataset.get('datasets') or [dataset['dataset']]:
            map_pipelines(inner, change)


def pack_transformed(pipeline: list) -> list:
    """Copy a pipeline that packs, so that it also packs the joints as they lie in the crop.

    Args:
        pipeline: Steps, the last of which is ``PackPoseInputs``.

    Raises:
        UsageError: The pipeline ends in another step.
    """
    last = step_name(pipeline[-1]) if pipeline else 'nothing'
    if not last.endswith('PackPoseInputs'):
        raise UsageError(f'the pipeline ends in {last}, allowed: PackPoseInputs')
    return [*pipeline[:-1], {**pipeline[-1], 'pack_transformed': True}]


def with_targets(pipeline: list, encoder: Mapping) -> list:
    """Copy a pipeline that packs, so that it gives target maps and the joints as they lie in the crop.

    Args:
        pipeline: Steps, the last of which is ``PackPoseInputs``.
        encoder: Config of the codec that makes the maps.

    Raises:
        UsageError: The pipeline ends in another step.
    """
    *steps, pack = pack_transformed(pipeline)
    steps = [step for step in steps if step_name(step) != 'GenerateTarget']
    return [*steps, dict(type='GenerateTarget', encoder=encoder), pack]


def dataset_config(cfg: Config, phase: str) -> dict:
    """Config of the data set of a phase, not copied.

    Args:
        cfg: The whole config.
        phase: 'train', 'val' or 'test'.

    Raises:
        UsageError: The config sets none.
    """
    loaders = {name: cfg.get(f'{name}_dataloader') or {} for name in ('train', 'val', 'test')}
    if not loaders[phase].get('dataset'):
        others = [name for name, loader in loaders.items() if loader.get('dataset')]
        raise UsageError(f'config {cfg.filename} sets no {phase}_dataloader.dataset; it has one for: {others}')
    return loaders[phase].dataset


def build_dataset(cfg: Config, phase: str) -> Any:
    """Build the data set of a phase.

    Args:
        cfg: The whole config.
        phase: 'train', 'val' or 'test'.

    Raises:
        UsageError: The config sets none, or it cannot be built or is empty.
    """
    config = dataset_config(cfg, phase)
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    try:
        dataset = DATASETS.build(config)
        if not len(dataset):
            raise ValueError('it has no samples')
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise UsageError(f'{cfg.filename}: {phase}_dataloader.dataset cannot be built: {error}') from error
    return dataset
