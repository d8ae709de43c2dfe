"""CPU time of a training step in torch's default layout, channels last, and with frozen stages, in one run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpose.registry import DATASETS, MODELS

from benchmarks.speed.pipelines import take_turns
from benchmarks.speed.training_step import make_loader
from posestructs.engine.hooks.channels_last_hook import to_channels_last
from posestructs.evaluation.tables import format_table
from posestructs.utils.usage import UsageError

DEFAULT, LAST, FROZEN, LOADING = 'default layout', 'channels last', 'channels last, 2 stages frozen', 'loading alone'
FROZEN_STAGES = 2
AIM = 1.5
"""Factor by which a step is to become faster."""


def step_of(cfg: Config, batch: Mapping[str, Any], channels_last: bool, frozen: bool) -> Callable[[], None]:
    """Training step of a config on one batch.

    Args:
        cfg: The config; not changed.
        batch: A batch of its data loader.
        channels_last: Convert the weights as ``ChannelsLastHook`` does.
        frozen: Freeze the first stages of the backbone.

    Raises:
        UsageError: The backbone has no ``frozen_stages``.
    """
    model_cfg = copy.deepcopy(cfg.model)
    model_cfg.backbone.init_cfg = None  # the time does not depend on the values
    if frozen:
        model_cfg.backbone.frozen_stages = FROZEN_STAGES
    try:
        model = MODELS.build(model_cfg).train()
    except TypeError as error:
        raise UsageError(f'{cfg.filename}: its backbone has no frozen_stages ({error})') from error
    if channels_last:
        to_channels_last(model)
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    optim_wrapper.initialize_count_status(model, 0, 10**6)

    def step() -> None:
        model.train_step(copy.copy(batch), optim_wrapper)

    return step


def measure_layouts(cfg: Config, rounds: int) -> dict[str, Any]:
    """Time the steps of a config alternately on one thread.

    Args:
        cfg: The config.
        rounds: Number of rounds.

    Returns:
        ``name``, ``batch_size``, and for each way CPU ``ms`` of an image (median over rounds) and, of a step, ``ratio``
        of the default layout's time to its own (median over rounds of the ratio) and ``ratio_quartiles``.
    """
    batch, size = next(iter(make_loader(cfg, 0))), cfg.train_dataloader.batch_size
    turns = {
        DEFAULT: step_of(cfg, batch, channels_last=False, frozen=False),
        LAST: step_of(cfg, batch, channels_last=True, frozen=False),
        FROZEN: step_of(cfg, batch, channels_last=True, frozen=True),
    }
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    turns[LOADING] = lambda: [dataset[i] for i in range(size)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = take_turns(turns, rounds)
    finally:
        torch.set_num_threads(threads)
    found: dict[str, Any] = dict(name=Path(cfg.filename).stem, batch_size=size, ms={}, ratio={}, ratio_quartiles={})
    for way, seconds in times.items():
        found['ms'][way] = round(1e3 * float(np.median(seconds)) / size, 2)
        if way != LOADING:
            low, middle, high = np.percentile(times[DEFAULT] / seconds, [25, 50, 75])
            found['ratio'][way] = round(float(middle), 2)
            found['ratio_quartiles'][way] = [round(float(low), 2), round(float(high), 2)]
    return found


def outcome(low: float, high: float) -> str:
    """Whether a step became :data:`AIM` times as fast, from the quartiles of its ratios."""
    if low >= AIM:
        return 'reached'
    return '**missed**' if high < AIM else 'undecided'


def layouts_section(found: Mapping[str, Any]) -> str:
    """Part of the page about layouts, from what ``benchmarks/throughput.py --layouts`` has measured."""
    rows, outcomes = [], []
    for model in found['models']:
        for way, ms in model['ms'].items():
            ratio = model['ratio'].get(way)
            low, high = model['ratio_quartiles'].get(way, (None, None))
            cells = ['-', '-'] if ratio is None else [f'{ratio:.2f}', f'{low:.2f} to {high:.2f}']
            rows.append([f'{model["name"]}: {way}', f'{ms:.1f}', *cells])
        outcomes.append(f'{model["name"]} {outcome(*model["ratio_quartiles"][LAST])}')
    machine = found['machine']
    text = (
        'CPU time of a training step, optimizer included, on one thread; all ways of a model take turns in one process '
        f'({found["rounds"]} rounds). `--channels-last` of `tools/train.py` (`ChannelsLastHook`) converts any model of '
        f'mmpose. Aim: a step at least {AIM} times as fast without a change of its result: {", ".join(outcomes)}; '
        'undecided where the middle half of the rounds lies on both sides. '
        'Frozen stages change the result: they are not trained.'
    )
    parts = [
        '### Layout of the weights',
        text,
        format_table(['', 'CPU ms per image', 'times as fast', 'quartiles'], rows),
    ]
    return '\n\n'.join([*parts, f'{machine["cpu"]}, torch {machine["torch"]}, commit {machine["commit"]}.'])
