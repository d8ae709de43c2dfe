"""Stop at the first loss that is NaN or infinite, before a checkpoint of it replaces a good one."""

from __future__ import annotations

import math

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Read each logged loss, which mmengine has on the host anyway, and raise where one is no finite number.

    A model of several networks logs a network's loss as ``NETWORK.loss_TERM``; other losses are the generator's, or the
    model's where there is one network. A loss says nothing of the step after it, so weights are looked at before they
    are saved.
    """

    # after mmengine's hook that reads the losses, before all that would log or keep them
    priority = 'ABOVE_NORMAL'

    def __init__(self) -> None:
        self._last_good: str | None = None

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Look at the losses of an iteration.

        Args:
            runner: The runner that trains.
            batch_idx: Not read.
            data_batch: Not read.
            outputs: Names of what was logged.

        Raises:
            FloatingPointError: One is NaN or infinite.
        """
        values = {
            key: runner.message_hub.get_scalar(f'train/{key}').current() for key in outputs or () if 'loss' in key
        }
        # a checkpoint that is being written is named before it is there
        self._last_good = runner.message_hub.get_info('last_ckpt')
        bad = {key: value for key, value in values.items() if not math.isfinite(value)}
        if len(bad) > 1:
            bad.pop('loss', None)  # the sum of the others
        if bad:
            several = any('.' in key for key in values)
            told = '; '.join(f'{_name(key, several)} is {value}' for key, value in bad.items())
            raise FloatingPointError(f'iteration {runner.iter + 1}: {told}. {self._checkpoint()}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at the weights that are about to be saved.

        Args:
            runner: The runner that saves.
            checkpoint: What will be written.

        Raises:
            FloatingPointError: One is NaN or infinite.
        """
        for name, value in checkpoint['state_dict'].items():
            if isinstance(value, torch.Tensor) and value.is_floating_point() and not torch.isfinite(value).all():
                raise FloatingPointError(
                    f'iteration {runner.iter + 1}: {name} holds NaN or infinite weights, so no checkpoint of them was '
                    f'written. {self._checkpoint()}'
                )

    def _checkpoint(self) -> str:
        return f'The last good checkpoint is {self._last_good}' if self._last_good else 'There is no checkpoint yet'


def _name(key: str, several: bool) -> str:
    """A term and its network in words."""
    network, _, term = key.rpartition('.')
    if several:
        return f'{term} of network {network or "generator"}'
    return key
