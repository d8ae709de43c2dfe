"""CPU time of a training step of each recipe relative to the control."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from benchmarks.recipes.rows import ROWS, Trial, make_config
from benchmarks.speed.pipelines import take_turns
from posestructs.utils.dataset_configs import build_dataset
from posestructs.utils.machine import describe_machine

CONTROL = 'control'


def measure(names: Sequence[str], trial: Trial, rounds: int) -> dict[str, Any]:
    """Time steps of the recipes and of the control in turn, on the same images.

    A step is one of the joint training, in which generator and discriminators learn; the epoch in which the
    discriminators are trained alone is not in it. Where ``GradientBudgetHook`` measures gradients in one step of
    ``interval``, the time is the mean over such steps and the others.

    Args:
        names: Rows.
        trial: Sizes of the call.
        rounds: Number of measured rounds.

    Returns:
        dict[str, Any]: ``machine``, ``batch_size``, ``rounds``; ``ratios``, by row the median over rounds of the time
        over that of the control; ``quartiles`` of the same.
    """
    init_default_scope('mmpose')
    configs = {name: make_config(ROWS[name], trial) for name in dict.fromkeys((CONTROL, *names))}
    loader = configs[CONTROL].train_dataloader
    dataset = build_dataset(configs[CONTROL], 'train')
    batch = pseudo_collate([dataset[i] for i in range(loader.batch_size)])
    turns: dict[tuple[str, bool], Callable[[], None]] = {}
    for name, cfg in configs.items():
        model, step = make_step(cfg, batch)
        turns[name, False] = partial(step, False)
        if budget_interval(cfg):
            turns[name, True] = partial(step, True)
    times = take_turns(turns, rounds)
    ratios, quartiles = {}, {}
    for name, cfg in configs.items():
        own = mean_time(times, name, budget_interval(cfg)) / times[CONTROL, False]
        ratios[name] = round(statistics.median(own), 3)
        quartiles[name] = [round(float(value), 3) for value in np.percentile(own, (25, 75))]
    return dict(
        machine=describe_machine(), batch_size=loader.batch_size, rounds=rounds, ratios=ratios, quartiles=quartiles
    )


def make_step(cfg: Config, batch: Mapping[str, Any]) -> tuple[Any, Callable[[bool], None]]:
    """Build a model, and its training step on a batch; the argument of the step is whether gradients are measured."""
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    optim.initialize_count_status(model, 0, 10**6)
    model.train()
    for hook in cfg.custom_hooks:
        if hook['type'] == 'AdversarialScheduleHook':
            model.frozen = {name for name, (_, end) in hook.get('freeze', {}).items() if end is None}

    def step(measured: bool) -> None:
        model.measure_gradients = measured
        # the estimator modifies the samples in place
        model.train_step(copy.deepcopy(batch), optim)

    return model, step


def budget_interval(cfg: Config) -> int | None:
    """Number of iterations between two measurements of gradients; ``None`` if they are not measured."""
    found = [hook.get('interval', 10) for hook in cfg.custom_hooks if hook['type'] == 'GradientBudgetHook']
    return found[0] if found else None


def mean_time(times: Mapping[tuple[str, bool], np.ndarray], name: str, interval: int | None) -> np.ndarray:
    """(rounds,) mean seconds of a step, of which one in ``interval`` measures gradients."""
    if interval is None:
        return times[name, False]
    return ((interval - 1) * times[name, False] + times[name, True]) / interval
