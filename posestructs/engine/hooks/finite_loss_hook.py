"""Stop at the first loss that is NaN or infinite, before a checkpoint of it replaces a good one."""

from __future__ import annotations

import math

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from posestructs.utils.usage import UsageError


class NonFiniteError(UsageError, FloatingPointError):
    """A loss or a weight that is NaN or infinite; ends a command with one line."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop at a logged loss that is not finite; mmengine has copied it to the host already.

    A model of several networks logs the loss of a network as ``NETWORK.loss_TERM``; other losses are those of the
    generator, or of the model where there is one network. As a step can also spoil weights after its loss was finite,
    weights are checked before they are saved.
    """

    # after mmengine's hook that reads the losses, before all that would log or keep them
    priority = 'ABOVE_NORMAL'

    def __init__(self) -> None:
        self._last_good: str | None = None

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Check the losses of an iteration.

        Args:
            runner: The runner that trains.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: Names of what was logged.

        Raises:
            NonFiniteError: One is NaN or infinite.
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
            found = '; '.join(f'{_name(key, several)} is {value}' for key, value in bad.items())
            raise NonFiniteError(f'iteration {runner.iter + 1}: {found}. {self._checkpoint()}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the weights that are about to be saved.

        Args:
            runner: The runner that saves.
            checkpoint: Checkpoint to be written.

        Raises:
            NonFiniteError: One is NaN or infinite.
        """
        for name, value in checkpoint['state_dict'].items():
            if isinstance(value, torch.Tensor) and value.is_floating_point() and not torch.isfinite(value).all():
                raise NonFiniteError(
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
