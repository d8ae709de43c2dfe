"""Measure the mean loss of each joint in an epoch, for occluders that are aimed at the worst joints."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import Tensor, nn

from posestructs.datasets.transforms.loss_aimed_occluder import aimed_occluders
from posestructs.utils.networks import unwrapped

STATE_KEY = 'joint_losses'


@HOOKS.register_module()
class JointLossHook(Hook):
    """Hand each epoch's mean squared error of each joint's maps to ``LossAimedOccluder``.

    It reads what the head's ``loss_module`` is called with, predicted maps, target maps and weights, averages over
    labelled joints and ranks, and hands the means on at the end of an epoch, so that they do not depend on how far
    ahead samples are loaded. They are saved in checkpoints.

    Raises:
        TypeError: The head has no ``loss_module``, when training begins.
        ValueError: The training pipeline has no ``LossAimedOccluder``, when training begins.
    """

    def __init__(self) -> None:
        self._sums: Tensor | None = None
        self._losses: list[float] | None = None
        self._handle: Any = None

    def before_train(self, runner: Runner) -> None:
        """Begin to read losses, and hand those of a checkpoint on.

        Args:
            runner: Runner of the training.
        """
        module = getattr(unwrapped(runner.model).head, 'loss_module', None)
        if not isinstance(module, nn.Module):
            raise TypeError(
                'custom_hooks: JointLossHook needs a head with one loss_module of maps, targets and weights'
            )
        if not aimed_occluders(runner.train_dataloader.dataset):
            raise ValueError('custom_hooks: JointLossHook needs a LossAimedOccluder in the training pipeline')
        self._handle = module.register_forward_hook(self._read)
        self._hand_on(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the sums of an epoch."""
        self._sums = None

    def after_train_epoch(self, runner: Runner) -> None:
        """Average, and hand the means on.

        Args:
            runner: Runner of the training.
        """
        if self._sums is None:
            return
        sums = self._sums
        if get_world_size() > 1:
            all_reduce(sums)
        self._losses = (sums[0] / sums[1].clamp(min=1)).tolist()
        self._hand_on(runner)
        runner.logger.info('loss by joint: ' + ', '.join(f'{loss:.2f}' for loss in self._losses))

    def after_train(self, runner: Runner) -> None:
        """Stop reading losses."""
        if self._handle is not None:
            self._handle.remove()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the means.

        Args:
            runner: Runner that saves.
            checkpoint: Content of the checkpoint; changed in place.
        """
        checkpoint[STATE_KEY] = self._losses

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the means if a run is resumed.

        Args:
            runner: Runner that resumes.
            checkpoint: Content of the checkpoint.
        """
        if runner._resume:
            self._losses = checkpoint.get(STATE_KEY)

    def _hand_on(self, runner: Runner) -> None:
        if self._losses is not None:
            for step in aimed_occluders(runner.train_dataloader.dataset):
                step.set_losses(self._losses)

    @torch.no_grad()
    def _read(self, module: nn.Module, args: tuple, output: Any) -> None:
        maps, targets, weights = args
        weights = (weights > 0).to(torch.float64)
        errors = (maps.detach() - targets).square().sum((2, 3)) * weights
        found = torch.stack([errors.sum(0).double(), weights.sum(0)])
        self._sums = found if self._sums is None else self._sums + found
