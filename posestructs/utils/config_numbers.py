"""Check of the numbers and flags of loaders, loops, optimizers, schedules, mmpose's metrics and mmengine's hooks.

torch and mmengine take any of them: a learning rate of NaN or 0, a hook whose interval is text, a flag called 'no'.
The run then ends with a traceback after its first epoch, trains nothing, or measures nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from mmengine.config import Config

from posestructs.utils.checks import check_bool, check_integer, check_number, check_sequence
from posestructs.utils.config_edits import type_name
from posestructs.utils.config_parts import check_codecs, check_compile, check_metric_names
from posestructs.utils.usage import UsageError

Check = Callable[[str, Any], Any]
_POSITIVE: Check = partial(check_number, above=0)
_NOT_NEGATIVE: Check = partial(check_number, low=0)
_SHARE: Check = partial(check_number, low=0, below=1)
_COUNT: Check = partial(check_integer, low=1)
_FROM_0: Check = partial(check_integer, low=0)


def _pair_of_shares(key: str, value: Any) -> None:
    check_sequence(key, value, _SHARE, length=2)


_OPTIMIZER: dict[str, Check] = dict(
    lr=_POSITIVE, momentum=_SHARE, dampening=check_number, weight_decay=_NOT_NEGATIVE, alpha=_SHARE, rho=_SHARE
)
_OPTIMIZER |= dict(eps=_NOT_NEGATIVE, betas=_pair_of_shares)
_WRAPPER: dict[str, Check] = dict(accumulative_counts=_COUNT)
_CLIP: dict[str, Check] = dict(max_norm=_POSITIVE, clip_value=_POSITIVE)
_MULTIPLIERS = ('lr_mult', 'decay_mult', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult')
_MULTIPLIERS += ('flat_decay_mult', 'dwconv_decay_mult', 'dcn_offset_lr_mult')
_SCHEDULE: dict[str, Check] = dict(begin=_FROM_0, start_factor=_POSITIVE, end_factor=_NOT_NEGATIVE, factor=_POSITIVE)
_SCHEDULE |= dict(gamma=_POSITIVE, eta_min=_NOT_NEGATIVE, eta_min_ratio=_NOT_NEGATIVE, power=_NOT_NEGATIVE)
_SCHEDULE |= dict(step_size=_COUNT, by_epoch=check_bool, T_max=_COUNT)
_SCHEDULE['milestones'] = lambda key, value: check_sequence(key, value, _COUNT)
_LOOP: dict[str, Check] = dict(max_epochs=_COUNT, max_iters=_COUNT, val_interval=_COUNT, val_begin=_FROM_0)
_LOOP['by_epoch'] = check_bool
_LOADER: dict[str, Check] = dict(batch_size=_COUNT, num_workers=_FROM_0, persistent_workers=check_bool)
_LOADER |= dict(drop_last=check_bool, pin_memory=check_bool)
_MODEL: dict[str, dict[str, Check]] = dict(
    data_preprocessor=dict(
        bgr_to_rgb=check_bool,
        rgb_to_bgr=check_bool,
        mean=lambda key, value: check_sequence(key, value, check_number),
        std=lambda key, value: check_sequence(key, value, _POSITIVE),
    ),
    test_cfg=dict(flip_test=check_bool, shift_heatmap=check_bool, output_heatmaps=check_bool),
)
# mmpose's, which compare with any threshold
_METRICS: dict[str, dict[str, Check]] = {
    name: dict(thr=_POSITIVE) for name in ('PCKAccuracy', 'MpiiPCKAccuracy', 'JhmdbPCKAccuracy')
}
_METRICS['AUC'] = dict(norm_factor=_POSITIVE, num_thrs=_COUNT)
# those with checks of their own are not here, nor are the hooks of this project
_HOOKS: dict[str, dict[str, Check]] = dict(
    LoggerHook=dict(interval=_COUNT, ignore_last=check_bool, log_metric_by_epoch=check_bool),
    PoseVisualizationHook=dict(interval=_COUNT, kpt_thr=partial(check_number, low=0, high=1), wait_time=_NOT_NEGATIVE),
    BadCaseAnalysisHook=dict(interval=_COUNT, kpt_thr=partial(check_number, low=0, high=1), wait_time=_NOT_NEGATIVE),
    EMAHook=dict(momentum=partial(check_number, above=0, below=1), begin_iter=_FROM_0, begin_epoch=_FROM_0),
    EarlyStoppingHook=dict(patience=_COUNT, min_delta=check_number),
)


def check_numbers(cfg: Config) -> None:
    """Refuse numbers with which training makes no sense or fails later.

    Args:
        cfg: The config. Values that are absent or None are left to their classes.

    Raises:
        UsageError: A value is not allowed; names its key and what is.
    """
    try:
        for key, wrapper in _members('optim_wrapper', cfg.get('optim_wrapper'), 'optimizer'):
            _check_wrapper(key, wrapper)
        _check('train_cfg', cfg.get('train_cfg') or {}, _LOOP)
        _check('log_processor', cfg.get('log_processor') or {}, dict(window_size=_COUNT, by_epoch=check_bool))
        for phase in ('train', 'val', 'test'):
            _check_loader(f'{phase}_dataloader', cfg.get(f'{phase}_dataloader') or {})
            for key, metric in _metrics(f'{phase}_evaluator', cfg.get(f'{phase}_evaluator')):
                _check(key, metric, _METRICS.get(type_name(metric), {}))
            check_metric_names(f'{phase}_evaluator', cfg.get(f'{phase}_evaluator'))
        check_compile(cfg.get('compile'))
        check_codecs(cfg)
        model = cfg.get('model') or {}
        for name, checks in _MODEL.items():
            if isinstance(model.get(name), Mapping):
                _check(f'model.{name}', model[name], checks)
        for key, schedule in _schedules('param_scheduler', cfg.get('param_scheduler')):
            _check(key, schedule, _SCHEDULE)
            if schedule.get('end') is not None:
                check_integer(f'{key}.end', schedule['end'], (schedule.get('begin') or 0) + 1)
        for key, hook in _hooks(cfg):
            _check(key, hook, _HOOKS.get(type_name(hook) or _DEFAULT_HOOKS.get(key.rpartition('.')[2], ''), {}))
    except ValueError as error:
        raise UsageError(str(error)) from error


def _check_loader(key: str, loader: Mapping) -> None:
    _check(key, loader, _LOADER)
    if isinstance(loader.get('sampler'), Mapping):
        _check(f'{key}.sampler', loader['sampler'], dict(shuffle=check_bool, round_up=check_bool))
    dataset = loader.get('dataset')
    # sets within a union may do everything themselves
    if isinstance(dataset, Mapping) and 'pipeline' in dataset and 'datasets' not in dataset:
        check_sequence(f'{key}.dataset.pipeline', dataset['pipeline'])


def _metrics(key: str, part: Any) -> Iterator[tuple[str, Mapping]]:
    """A metric or a list of metrics."""
    if isinstance(part, Mapping):
        yield key, part
    elif isinstance(part, (list, tuple)):
        yield from ((f'{key}[{i}]', metric) for i, metric in enumerate(part) if isinstance(metric, Mapping))


_DEFAULT_HOOKS = dict(logger='LoggerHook')  # mmengine's, whose type a config may leave out


def _check(key: str, part: Mapping, checks: Mapping[str, Check]) -> None:
    for name, check in checks.items():
        if part.get(name) is not None:
            check(f'{key}.{name}', part[name])


def _check_wrapper(key: str, wrapper: Mapping) -> None:
    optimizer = wrapper.get('optimizer')
    if isinstance(optimizer, Mapping):
        _check(f'{key}.optimizer', optimizer, _OPTIMIZER)
    _check(key, wrapper, _WRAPPER)
    if isinstance(wrapper.get('clip_grad'), Mapping):
        _check(f'{key}.clip_grad', wrapper['clip_grad'], _CLIP)
    multipliers = dict.fromkeys(_MULTIPLIERS, _NOT_NEGATIVE)
    options = wrapper.get('paramwise_cfg')
    if isinstance(options, Mapping):
        _check(f'{key}.paramwise_cfg', options, multipliers)
        for name, part in (options.get('custom_keys') or {}).items():
            _check(f'{key}.paramwise_cfg.custom_keys[{name!r}]', part, multipliers)


def _members(key: str, part: Any, mark: str) -> Iterator[tuple[str, Mapping]]:
    """A part, or where it holds one for each of several networks, those."""
    if not isinstance(part, Mapping):
        return
    if mark in part:
        yield key, part
    else:
        for name, member in part.items():
            yield from _members(f'{key}.{name}', member, mark)


def _schedules(key: str, part: Any) -> Iterator[tuple[str, Mapping]]:
    if isinstance(part, (list, tuple)):
        for i, schedule in enumerate(part):
            yield from _schedules(f'{key}[{i}]', schedule)
    else:
        yield from _members_or_lists(key, part)


def _members_or_lists(key: str, part: Any) -> Iterator[tuple[str, Mapping]]:
    if not isinstance(part, Mapping):
        return
    if 'type' in part:
        yield key, part
    else:
        for name, member in part.items():
            yield from _schedules(f'{key}.{name}', member)


def _hooks(cfg: Config) -> Iterator[tuple[str, Mapping]]:
    hooks = {f'default_hooks.{name}': hook for name, hook in (cfg.get('default_hooks') or {}).items()}
    hooks |= {f'custom_hooks[{i}]': hook for i, hook in enumerate(cfg.get('custom_hooks') or ())}
    yield from ((key, hook) for key, hook in hooks.items() if isinstance(hook, Mapping))
