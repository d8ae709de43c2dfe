"""Random numbers of a training step, defined by seed and iteration."""

from __future__ import annotations

import random

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

_EPOCH, _STEP = 0, 1


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seed Python, NumPy and torch at the start of each epoch and each step, from the seed of the run.

    Dropout, sampled cells and noisy labels of a resumed run are then those of an uninterrupted one. Ranks draw
    different numbers where the config has ``randomness=dict(diff_rank_seed=True)``. The samples of a data loader have
    their own hook, ``SampleSeedHook``.
    """

    priority = 'VERY_HIGH'  # before other hooks draw

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what is drawn before the first step, such as the seeds of data-loading workers.

        Args:
            runner: The runner that trains.
        """
        seed_all(runner.seed, _EPOCH, runner.epoch)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Seed the step.

        Args:
            runner: The runner that trains.
            batch_idx: Not used.
            data_batch: Not used.
        """
        seed_all(runner.seed, _STEP, runner.iter)


def seed_all(seed: int, *counts: int) -> None:
    """Seed Python, NumPy and torch on all devices.

    Args:
        seed: Seed of the run.
        *counts: Numbers that distinguish one stream from another.
    """
    words = np.random.SeedSequence([seed, *counts]).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(words)
    torch.manual_seed(int(words[1]))
