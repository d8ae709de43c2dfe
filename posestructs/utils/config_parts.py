"""Checks of parts of a config that fail only after an epoch, or never: metrics, mmpose's codecs, torch.compile."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import combinations
from typing import Any

import torch

from posestructs.utils.checks import check_bool, check_choice, check_integer, check_keys, check_number, check_size
from posestructs.utils.config_edits import type_name

# settings that the names of the results do not show, apart from those of mmpose's metrics
_NOT_IN_NAMES = ('collect_device', 'collect_dir', 'out_dir')
# mmpose's, whose results are named after their kind, whatever their settings, except these
_NAMED_BY = {name: ('norm_item',) for name in ('PCKAccuracy', 'MpiiPCKAccuracy', 'JhmdbPCKAccuracy')}
_NAMED_BY |= {name: () for name in ('AUC', 'EPE', 'NME', 'CocoMetric', 'CocoWholeBodyMetric', 'PoseTrack18Metric')}
_MODES = ('default', 'reduce-overhead', 'max-autotune', 'max-autotune-no-cudagraphs')


def check_metric_names(key: str, evaluator: Any) -> None:
    """Refuse two metrics whose results have the same names, at which mmengine stops after the first epoch.

    Args:
        key: Name of the evaluator.
        evaluator: A metric or a list of them.

    Raises:
        ValueError: Two are alike in all that their names show.
    """
    metrics = evaluator if isinstance(evaluator, (list, tuple)) else ()
    named = [(i, _names(metric)) for i, metric in enumerate(metrics) if isinstance(metric, Mapping)]
    for (i, first), (j, second) in combinations(named, 2):
        if first == second:
            raise ValueError(
                f'{key}[{j}]={type_name(metrics[j])!r} gives results of the same names as {key}[{i}], '
                "allowed: one of them, or another prefix (prefix='second')"
            )


def _names(metric: Mapping) -> tuple[str | None, dict[str, Any]]:
    """What the names of the results depend on."""
    kind = type_name(metric)
    shown = set(metric) - {'type', *_NOT_IN_NAMES}
    if kind in _NAMED_BY:
        shown &= {'prefix', *_NAMED_BY[kind]}
    return kind, {name: metric[name] for name in shown}


def check_compile(value: Any) -> None:
    """Check the arguments of ``torch.compile``.

    Args:
        value: ``compile`` of a config: a flag or a dict of arguments.

    Raises:
        ValueError: It is neither, or an argument, backend or mode is unknown.
    """
    if not isinstance(value, Mapping):
        if value is not None:
            check_bool('compile', value)
        return
    check_keys('compile', value, [name for name in inspect.signature(torch.compile).parameters if name != 'model'])
    if isinstance(value.get('backend'), str):
        check_choice('compile.backend', value['backend'], torch.compiler.list_backends(exclude_tags=()))
    if value.get('mode') is not None:
        check_choice('compile.mode', value['mode'], _MODES)
    for name in ('fullgraph', 'dynamic', 'disable'):
        if value.get(name) is not None:
            check_bool(f'compile.{name}', value[name])


def _check_kernel(key: str, value: Any) -> None:
    check_integer(key, value, 1)
    if value % 2 == 0:
        raise ValueError(f'{key}={value!r}, allowed: an odd integer of at least 1')


_SIZES: dict[str, Callable[[str, Any], Any]] = dict(input_size=check_size, heatmap_size=check_size)
_SIGMA = partial(check_number, above=0)
_CODECS: dict[str, dict[str, Callable[[str, Any], Any]]] = dict(
    MSRAHeatmap=dict(_SIZES, sigma=_SIGMA, unbiased=check_bool, blur_kernel_size=_check_kernel),
    UDPHeatmap=dict(_SIZES, sigma=_SIGMA, radius_factor=_SIGMA, blur_kernel_size=_check_kernel),
    MegviiHeatmap=dict(_SIZES, kernel_size=_check_kernel),
    RegressionLabel=dict(input_size=check_size),
    IntegralRegressionLabel=dict(_SIZES, sigma=_SIGMA, unbiased=check_bool, blur_kernel_size=_check_kernel),
    SimCCLabel=dict(input_size=check_size, simcc_split_ratio=_SIGMA),
)


def check_codecs(cfg: Mapping) -> None:
    """Check the numbers of mmpose's codecs, which take any; those of this project check their own.

    Args:
        cfg: A config; the decoder of its head and the encoders of its pipelines are read.

    Raises:
        ValueError: A number is not allowed.
    """
    for key, codec in _codecs(cfg):
        for name, check in _CODECS.get(type_name(codec) or '', {}).items():
            if codec.get(name) is not None:
                check(f'{key}.{name}', codec[name])


def _codecs(cfg: Mapping) -> Iterator[tuple[str, Mapping]]:
    head = (cfg.get('model') or {}).get('head')
    if isinstance(head, Mapping):
        yield from _listed('model.head.decoder', head.get('decoder'))
    for phase in ('train', 'val', 'test'):
        dataset = (cfg.get(f'{phase}_dataloader') or {}).get('dataset')
        pipeline = dataset.get('pipeline') if isinstance(dataset, Mapping) else None
        for i, step in enumerate(pipeline if isinstance(pipeline, (list, tuple)) else ()):
            if isinstance(step, Mapping):
                yield from _listed(f'{phase}_dataloader.dataset.pipeline[{i}].encoder', step.get('encoder'))


def _listed(key: str, part: Any) -> Iterator[tuple[str, Mapping]]:
    """A part, or each of a list of parts."""
    if isinstance(part, Mapping):
        yield key, part
    elif isinstance(part, (list, tuple)):
        yield from ((f'{key}[{i}]', each) for i, each in enumerate(part) if isinstance(each, Mapping))
