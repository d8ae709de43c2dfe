"""Schedule of adversarial training: start of the discriminators, growth of their weights, and frozen networks.

The paper (Chen et al., ICCV 2017) states no schedule: all three networks are trained from the first iteration, with
fixed alpha and beta. This is what the hook does without arguments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpose.registry import HOOKS

from posestructs.engine.hooks.adversarial_model import adversarial_model, batch_begins, discriminator_names
from posestructs.utils.checks import check_bool, check_integer, invalid_value, is_integer

Interval = tuple[int, float]
# names under which the weights of the paper's discriminators are logged
_LOG_KEYS = dict(confidence='alpha', pose='beta')


def ramp_factor(position: int, warmup: int, ramp: int) -> float:
    """Factor of the discriminators' weights at a position.

    Args:
        position: Number of epochs or iterations done.
        warmup: Number of them without adversarial terms.
        ramp: Number after these over which the weights grow in equal steps. The weights are not 0 in the first of them
            and reach their full values after the last.

    Returns:
        float: 0 to 1.
    """
    if position < warmup:
        return 0.0
    # 1/(r+1), 2/(r+1), ..., r/(r+1), then 1
    return min(1.0, (position - warmup + 1) / (ramp + 1))


@HOOKS.register_module()
class AdversarialScheduleHook(Hook):
    """Train only the generator at first, let the weights of the discriminators grow, and freeze networks for a time.

    Discriminators are not run in the warm-up, so that an iteration costs as much as a supervised one. The schedule is a
    function of the number of epochs or iterations done and of the model's own weights, so that a resumed run equals an
    uninterrupted one. Learning-rate schedules continue for frozen networks.

    The hook logs ``train/alpha`` and ``train/beta``, and ``train/NAME.weight`` of other discriminators. It does nothing
    for a model without discriminators.

    Args:
        warmup: Number of epochs or iterations in which only the generator is trained.
        ramp: Number of epochs or iterations after these in which the weights grow to the model's own values. With
            ``by_epoch`` they are constant within an epoch.
        by_epoch: Count epochs; False to count iterations.
        freeze: Intervals (begin, end) in which a network takes no step, by name: 'generator', 'pose', 'confidence' or
            any other network of the model. ``begin`` counts from 0; an ``end`` of ``None`` is the end of training. A
            frozen discriminator still contributes to the generator's loss.

    Raises:
        ValueError: A number is not allowed (when built), or the model has no network of that name (when training
            begins); names the key.

    Example:
        >>> custom_hooks = [dict(type='AdversarialScheduleHook', warmup=10, ramp=20, freeze=dict(pose=(200, None)))]
    """

    # before hooks that read what it sets
    priority = 'ABOVE_NORMAL'

    def __init__(
        self,
        warmup: int = 0,
        ramp: int = 0,
        by_epoch: bool = True,
        freeze: Mapping[str, Sequence[int | None]] | None = None,
    ) -> None:
        self.warmup = check_integer('AdversarialScheduleHook.warmup', warmup, 0)
        self.ramp = check_integer('AdversarialScheduleHook.ramp', ramp, 0)
        self.by_epoch = check_bool('AdversarialScheduleHook.by_epoch', by_epoch)
        if not isinstance(freeze, Mapping | None):
            raise invalid_value('AdversarialScheduleHook.freeze', freeze, 'a dict of (begin, end) by network, or None')
        self.freeze = {name: _interval(name, times) for name, times in (freeze or {}).items()}
        self._model: Any = None
        self._networks: tuple[str, ...] = ()
        self._full_weights: dict[str, float] = {}

    def before_train(self, runner: Runner) -> None:
        """Find the model, and store its own weights.

        Args:
            runner: Runner of the training.

        Raises:
            TypeError: The model has no networks to control.
            ValueError: The hook counts epochs and the loop iterations, or the model lacks a network of ``freeze``.
        """
        model = adversarial_model(runner, type(self).__name__)
        discriminators = discriminator_names(model)
        if not discriminators:
            runner.logger.info(f'{type(self).__name__} has no effect: the model has no discriminators')
            return
        scheduled = self.warmup or self.ramp or self.freeze
        if scheduled and self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                'AdversarialScheduleHook: by_epoch=True, but train_cfg.by_epoch=False counts iterations: set '
                'by_epoch=False and give warmup, ramp and freeze in iterations'
            )
        networks = ('generator', *discriminators)
        unknown = [name for name in self.freeze if name not in networks]
        if unknown:
            raise ValueError(
                f'AdversarialScheduleHook: freeze names {", ".join(unknown)}, but the model has {", ".join(networks)}'
            )
        self._model, self._networks, self._full_weights = model, networks, dict(model.adversarial_weights)
        model.frozen = self.frozen_at(self._position(runner))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set weights and frozen networks for the next iteration.

        Args:
            runner: Runner of the training.
            batch_idx: Not used.
            data_batch: Not used.
        """
        if self._model is None:
            return
        position = self._position(runner)
        factor = ramp_factor(position, self.warmup, self.ramp)
        self._model.adversarial_weights = {name: factor * weight for name, weight in self._full_weights.items()}
        frozen = self.frozen_at(position)
        # within an accumulated batch a network would step by a part of the batch
        waiting = {name for name in self._networks if not batch_begins(runner, name)}
        self._model.frozen = (frozen - waiting) | (self._model.frozen & waiting)
        for name, weight in self._model.adversarial_weights.items():
            runner.message_hub.update_scalar(f'train/{_LOG_KEYS.get(name, f"{name}.weight")}', weight)

    def after_train(self, runner: Runner) -> None:
        """Restore the model's own weights, and unfreeze all networks."""
        if self._model is not None:
            self._model.adversarial_weights = dict(self._full_weights)
            self._model.frozen = set()

    def _position(self, runner: Runner) -> int:
        return runner.epoch if self.by_epoch else runner.iter

    def frozen_at(self, position: int) -> set[str]:
        """Networks that take no step at a position.

        Args:
            position: Number of epochs or iterations done.

        Returns:
            set[str]: Their names.
        """
        frozen = {name for name in self._networks if name != 'generator'} if position < self.warmup else set()
        return frozen | {name for name, (begin, end) in self.freeze.items() if begin <= position < end}


def _interval(name: str, times: Any) -> Interval:
    """(begin, end), with an infinite end for ``None``."""
    pair = isinstance(times, Sequence) and not isinstance(times, str) and len(times) == 2
    begin, end = times if pair else (None, None)
    if not is_integer(begin) or begin < 0 or not (end is None or is_integer(end) and end > begin):
        raise invalid_value(
            f'AdversarialScheduleHook.freeze[{name!r}]',
            times,
            '(begin, end), integers of at least 0 with end above begin, or None for the end of training',
        )
    return begin, math.inf if end is None else end
