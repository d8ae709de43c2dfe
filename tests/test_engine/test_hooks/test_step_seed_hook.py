"""Random numbers of a step depend on seed and iteration alone."""

import random
from types import SimpleNamespace

import numpy as np
import torch

from posestructs.engine.hooks import StepSeedHook


def draws(hook, when, **runner):
    getattr(hook, when)(SimpleNamespace(**runner), *([0] if when == 'before_train_iter' else []))
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_a_step_repeats_whatever_was_drawn_before():
    first = draws(StepSeedHook(), 'before_train_iter', seed=3, iter=7)
    torch.rand(5), np.random.rand(2), random.random()
    assert draws(StepSeedHook(), 'before_train_iter', seed=3, iter=7) == first
    others = [
        draws(StepSeedHook(), 'before_train_iter', seed=3, iter=8),
        draws(StepSeedHook(), 'before_train_iter', seed=4, iter=7),
        draws(StepSeedHook(), 'before_train_epoch', seed=3, epoch=7),
    ]
    for a, b in zip([first, *others], [*others, first], strict=True):
        assert all(x != y for x, y in zip(a, b, strict=True))
