"""Changes that the tools' flags make to a config.

Each function makes one change, before a runner exists, so that a wrong flag ends a command with one line and leaves
nothing behind.
"""

from __future__ import annotations

import argparse
import copy
import difflib
import importlib.util
import logging
import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log

from posestructs.utils.checks import invalid_value
from posestructs.utils.config_keys import READ, check_top_level_keys
from posestructs.utils.config_sections import check_sections
from posestructs.utils.launch import has_accelerator
from posestructs.utils.usage import UsageError

PROJECT_HOOKS = (
    'FiniteLossHook',
    'SafeCheckpointHook',
    'ThroughputHook',
    'SkippedSamplesHook',
    'ProgressHook',
    'SampleSeedHook',
    'StepSeedHook',
)


def complete_randomness(cfg: Config) -> None:
    """Let mmengine draw a seed where ``randomness`` names none.

    ``Runner`` takes ``randomness=dict(diff_rank_seed=True)`` for a call without its required argument.

    Args:
        cfg: The config; changed in place.
    """
    if cfg.get('randomness'):
        cfg.randomness = {'seed': None, **cfg.randomness}


def draw_predictions(cfg: Config, args: argparse.Namespace, hook: str = 'visualization') -> None:
    """Switch on one of mmpose's drawing hooks.

    Args:
        cfg: The config; changed in place.
        args: Gives ``show``, ``wait_time`` and ``interval``.
        hook: ``visualization`` or ``badcase``, its name in ``default_hooks``.
    """
    kinds = dict(visualization='StructureVisualizationHook', badcase='BadCaseAnalysisHook')
    settings = dict(enable=True, show=args.show, interval=args.interval)
    if args.show:
        settings['wait_time'] = args.wait_time
    given = {'type': kinds[hook], **_hook(cfg, hook)}
    if type_name(given) == 'PoseVisualizationHook':  # StructureVisualizationHook does the same and more
        given['type'] = kinds[hook]
    merge_dict(cfg, 'default_hooks', {hook: {**given, **settings}})


def merge_options(cfg: Config, options: dict) -> None:
    """Apply ``--cfg-options``, with a warning where they may not do what is meant.

    A key that the config does not have is added, and may be a typing error. A variable of the config's files, such as
    ``codec`` or ``train_pipeline``, has been copied by then, and its copies stay as they are; ``data_root`` alone is
    replaced wherever a path starts with it.

    Args:
        cfg: The config; changed in place.
        options: Values by dotted key.

    Raises:
        UsageError: A key leads through something that has no keys, or the config has a misspelt key or a section of the
            wrong type.
    """
    options = dict(options)
    if 'data_root' in options and isinstance(cfg.get('data_root'), str):
        _move_data(cfg, str(options.pop('data_root')))
    for key in options:
        if warning := _new_key(cfg._cfg_dict, key) or _variable(cfg, key.split('.')[0]):
            print_log(f'--cfg-options: {warning}', logger='current', level=logging.WARNING)
    before = set(cfg)
    for key, value in options.items():
        if _is_item(cfg._cfg_dict, key) and not isinstance(value, dict):
            raise UsageError(
                f'--cfg-options: {invalid_value(key, value, "a dict, or the whole list without an index")}'
            )
        try:
            cfg.merge_from_dict({key: value})
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(f'--cfg-options: {key}: {error.args[0]}') from error
    check_sections(cfg)
    check_top_level_keys(cfg, added=set(cfg) - before)


def _move_data(cfg: Config, root: str) -> None:
    """Set ``data_root``, and lead every path below the old one to the new one.

    A config file copies the variable into its data sets and evaluators (``ann_file=f'{data_root}annotations/...'``).
    """
    old, root = os.path.join(cfg.data_root, ''), os.path.join(root, '')

    def moved(value: Any) -> Any:
        if isinstance(value, str) and os.path.join(value, '').startswith(old):
            return root + value[len(old) :]
        if isinstance(value, dict):
            return {key: moved(inner) for key, inner in value.items()}
        return type(value)(map(moved, value)) if isinstance(value, (list, tuple)) else value

    for key in list(cfg.keys()):
        cfg[key] = moved(cfg[key])


def _new_key(part: Any, key: str) -> str | None:
    """Warning about a dotted key that a config does not have; ``None`` where it has it."""
    for word in key.split('.'):
        if isinstance(part, list) and word.isdecimal() and int(word) < len(part):
            part = part[int(word)]
        elif isinstance(part, dict) and word in part:
            part = part[word]
        elif isinstance(part, dict):
            near = difflib.get_close_matches(word, map(str, part), n=1)
            hint = f' (it has {near[0]})' if near else ''
            return f'{key} is added: the config had no {word} there{hint}'
        else:
            return None
    return None


def _is_item(part: Any, key: str) -> bool:
    """Whether a dotted key ends in the index of a list, whose items mmengine merges as dicts."""
    *words, last = key.split('.')
    for word in words:
        inside = isinstance(part, list) and word.isdecimal() and int(word) < len(part)
        part = part[int(word)] if inside else part.get(word) if isinstance(part, dict) else None
    return isinstance(part, list) and last.isdecimal()


def _variable(cfg: Config, name: str) -> str | None:
    """Warning about a variable of the config files, which no runner reads."""
    if name in READ:
        return None
    return (
        f'{name} is a variable of the config files, which have copied it by now (a codec, for one, into the decoder of '
        'the head and into pipelines): those stay as they were. Change them, or write a config that inherits this one'
    )


def add_project_hooks(cfg: Config) -> None:
    """Add the project's hooks to any config, mmpose's own included.

    They stop at a non-finite loss, write safe and atomic checkpoints, log throughput and left-out samples, draw a
    progress bar, and define the random numbers of samples and steps, so that a resumed run repeats them.

    Args:
        cfg: The config; changed in place. Hooks that it has stay as they are.
    """
    custom = list(cfg.get('custom_hooks') or [])
    present = {type_name(hook) for hook in custom}
    cfg.custom_hooks = custom + [dict(type=name) for name in PROJECT_HOOKS if name not in present]
    # None means that the user wants no checkpoints; an absent key means mmengine's default
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint', dict(type='CheckpointHook', interval=1))
    if isinstance(checkpoint, dict) and type_name(checkpoint) == 'CheckpointHook':
        merge_dict(cfg, 'default_hooks', dict(checkpoint={**checkpoint, 'type': 'AtomicCheckpointHook'}))


def keep_curves(cfg: Config) -> None:
    """Have every PDJ metric write its curve into the work directory, unless it sets ``out_dir`` itself.

    Args:
        cfg: The config, whose ``work_dir`` is final; its ``val_evaluator`` and ``test_evaluator`` are changed, where
            there are any.
    """
    for key in ('val_evaluator', 'test_evaluator'):
        if cfg.get(key) is not None:
            evaluator = copy.deepcopy(cfg[key])  # parts of a config may be shared, with a hook's metric for one
            _set_out_dirs(evaluator, cfg.work_dir)
            cfg[key] = evaluator


def _set_out_dirs(part: Any, folder: str) -> None:
    if isinstance(part, dict):
        if type_name(part) == 'PDJ':
            part.setdefault('out_dir', folder)
        part = list(part.values())  # metrics of an evaluator, base of a metric
    if isinstance(part, (list, tuple)):
        for inner in part:
            _set_out_dirs(inner, folder)


def merge_dict(cfg: Config, key: str, values: dict) -> None:
    """Set entries of a dict of a config, which may not have that dict yet.

    Args:
        cfg: The config; changed in place.
        key: Top-level key of the dict.
        values: Its new entries.
    """
    # Config copies what is assigned to it, so an update of the old value would be lost where there was none
    cfg[key] = {**(cfg.get(key) or {}), **values}


def _hook(cfg: Config, name: str) -> dict:
    return (cfg.get('default_hooks') or {}).get(name) or {}


def type_name(part: Any) -> str | None:
    """Name of the class a config part (or a built object) stands for."""
    kind = part.get('type') if isinstance(part, dict) else type(part)
    return kind.rpartition('.')[2] if isinstance(kind, str) else getattr(kind, '__name__', None)


def use_amp(optim_wrapper: dict) -> None:
    """Turn an optimizer wrapper, or each member of several, into its mixed-precision form.

    On a CPU that is bfloat16 without a loss scale.

    Args:
        optim_wrapper: ``type`` and ``optimizer`` of one network, or a dict of such by name of the network beside a
            ``constructor``; changed in place.

    Raises:
        UsageError: A wrapper has a custom type, or a precision that the CPU does not offer.
    """
    members = {name: part for name, part in optim_wrapper.items() if isinstance(part, dict) and 'optimizer' in part}
    if 'optimizer' in optim_wrapper or not members:
        members = {'': optim_wrapper}
    for name, member in members.items():
        kind = type_name(member) or 'OptimWrapper'
        key = f'optim_wrapper.{name}'.rstrip('.')
        if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'CPUAmpOptimWrapper'):
            raise UsageError(f'--amp: {key}.type={kind}, allowed: OptimWrapper, AmpOptimWrapper')
        if has_accelerator():
            member['type'] = 'AmpOptimWrapper'
            member.setdefault('loss_scale', 'dynamic')
            continue
        if member.get('dtype') not in (None, 'bfloat16', torch.bfloat16):
            raise UsageError(f'--amp: {key}.dtype={member["dtype"]}, allowed on a CPU: bfloat16')
        member['type'] = 'CPUAmpOptimWrapper'
        for only_gpu in ('dtype', 'loss_scale', 'use_fsdp'):
            member.pop(only_gpu, None)


def use_tensorboard(cfg: Config) -> None:
    """Write TensorBoard files beside the visualizer's other outputs.

    Args:
        cfg: The config; changed in place.

    Raises:
        UsageError: The package is not installed, or the config has no visualizer.
    """
    _add_backend(cfg, 'TensorBoard', 'tensorboard', dict(type='TensorboardVisBackend'))


def use_wandb(cfg: Config) -> None:
    """Send curves and images to Weights & Biases; with ``WANDB_MODE=offline`` into the run's folder instead.

    mmengine's backend keeps the ``.py`` files below the working directory too; a virtual environment there costs
    minutes.

    Args:
        cfg: The config; changed in place. A ``WandbVisBackend`` that it sets itself, with a project's name for one,
            stays as it is.

    Raises:
        UsageError: The package is not installed, or the config has no visualizer.
    """
    project = dict(project='posestructs', name=Path(cfg.get('work_dir') or 'run').name)
    _add_backend(cfg, 'WandB', 'wandb', dict(type='WandbVisBackend', init_kwargs=project))


def _add_backend(cfg: Config, title: str, package: str, backend: dict) -> None:
    if importlib.util.find_spec(package) is None:
        raise UsageError(f'{title} is not installed: pip install {package}')
    if not isinstance(cfg.get('visualizer'), dict):
        raise UsageError(f'{title} needs a visualizer, and config {cfg.filename} sets none')
    backends = list(cfg.visualizer.get('vis_backends') or [])
    if backend['type'] not in map(type_name, backends):
        backends.append(backend)
    cfg.visualizer.vis_backends = backends
