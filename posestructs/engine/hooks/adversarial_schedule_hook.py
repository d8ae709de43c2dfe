"""When the discriminators begin, how their weight grows, and which network rests when.

The paper (Chen et al., ICCV 2017) names no schedule: all three networks are trained from the first iteration, with
fixed alpha and beta. Without arguments the hook does just that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpose.registry import HOOKS

from posestructs.engine.hooks.adversarial_model import adversarial_model, batch_begins, discriminator_names

Interval = tuple[int, float]


def ramp_factor(position: int, warmup: int, ramp: int) -> float:
    """Share of alpha and beta that counts at a position.

    Args:
        position: Epochs or iterations done.
        warmup: How many of them have no adversarial term.
        ramp: Over how many after these the term grows by equal steps; the first of them is not without it, the last
            not yet whole.

    Returns:
        float: 0 to 1.
    """
    if position < warmup:
        return 0.0
    # 1/(r+1), 2/(r+1), ..., r/(r+1), then 1
    return min(1.0, (position - warmup + 1) / (ramp + 1))


@HOOKS.register_module()
class AdversarialScheduleHook(Hook):
    """Warm the generator up alone, let alpha and beta grow, and freeze networks for a time.

    In the warm-up the discriminators are not run, so that an iteration costs what supervised training costs. All is a
    function of the epochs or iterations done and of the model's own ``alpha`` and ``beta``, so that a resumed run goes
    on as a straight one. Learning-rate schedules go on for a frozen network too.

    It logs ``train/alpha`` and ``train/beta``. A model without discriminators it leaves alone.

    Args:
        warmup: Epochs or iterations in which only the generator is trained.
        ramp: Epochs or iterations after these in which alpha and beta grow to the model's own values. By epoch they
            stay the same within one.
        by_epoch: Whether the counts are epochs; ``False`` for iterations.
        freeze: When a network takes no step, as (begin, end) by its name: 'generator', 'pose' or 'confidence'. ``end``
            ``None`` is for good, and begin counts from 0. A frozen discriminator still teaches the generator.

    Raises:
        ValueError: A number is not possible, or a network has no such name (at build time) or is none of the model
            (when training begins); names the key.

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
        for key, value in (('warmup', warmup), ('ramp', ramp)):
            if not _is_count(value):
                raise ValueError(f'AdversarialScheduleHook: {key}={value!r}, allowed: a whole number of at least 0')
        self.warmup, self.ramp, self.by_epoch = warmup, ramp, by_epoch
        self.freeze = {name: _interval(name, times) for name, times in (freeze or {}).items()}
        self._model: Any = None
        self._networks: tuple[str, ...] = ()
        # the model's own alpha and beta
        self._whole = (0.0, 0.0)

    def before_train(self, runner: Runner) -> None:
        """Find the model, and note its own alpha and beta.

        Args:
            runner: The runner that trains.

        Raises:
            TypeError: The model has no networks to steer.
            ValueError: It counts epochs and the loop iterations, or a network is none of the model.
        """
        model = adversarial_model(runner, type(self).__name__)
        discriminators = discriminator_names(model)
        if not discriminators:
            runner.logger.info(f'{type(self).__name__} has nothing to do: the model has no discriminators')
            return
        counts = self.warmup or self.ramp or self.freeze
        if counts and self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                'AdversarialScheduleHook: by_epoch=True, and train_cfg.by_epoch=False counts iterations: set '
                'by_epoch=False and give warmup, ramp and freeze in iterations'
            )
        networks = ('generator', *discriminators)
        unknown = [name for name in self.freeze if name not in networks]
        if unknown:
            raise ValueError(
                f'AdversarialScheduleHook: freeze names {", ".join(unknown)}, and the model has {", ".join(networks)}'
            )
        self._model, self._networks, self._whole = model, networks, (model.alpha, model.beta)
        model.frozen = self.frozen_at(self._position(runner))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set what holds for the next iteration.

        Args:
            runner: The runner that trains.
            batch_idx: Not read.
            data_batch: Not read.
        """
        if self._model is None:
            return
        position = self._position(runner)
        factor = ramp_factor(position, self.warmup, self.ramp)
        self._model.alpha, self._model.beta = (factor * whole for whole in self._whole)
        frozen = self.frozen_at(position)
        # amid an accumulated batch a network would step by a part of it
        waiting = {name for name in self._networks if not batch_begins(runner, name)}
        self._model.frozen = (frozen - waiting) | (self._model.frozen & waiting)
        runner.message_hub.update_scalar('train/alpha', self._model.alpha)
        runner.message_hub.update_scalar('train/beta', self._model.beta)

    def after_train(self, runner: Runner) -> None:
        """Give the model its own alpha and beta back."""
        if self._model is not None:
            self._model.alpha, self._model.beta = self._whole
            self._model.frozen = set()

    def _position(self, runner: Runner) -> int:
        return runner.epoch if self.by_epoch else runner.iter

    def frozen_at(self, position: int) -> set[str]:
        """Networks that take no step at a position.

        Args:
            position: Epochs or iterations done.

        Returns:
            set[str]: Their names.
        """
        frozen = {name for name in self._networks if name != 'generator'} if position < self.warmup else set()
        return frozen | {name for name, (begin, end) in self.freeze.items() if begin <= position < end}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _interval(name: str, times: Any) -> Interval:
    """(begin, end), the end infinite where it is None."""
    pair = isinstance(times, Sequence) and not isinstance(times, str) and len(times) == 2
    if not pair or not _is_count(times[0]) or not (times[1] is None or _is_count(times[1]) and times[1] > times[0]):
        raise ValueError(
            f'AdversarialScheduleHook: freeze[{name!r}]={times!r}, allowed: (begin, end), whole numbers of at least 0 '
            'with end above begin, or None for an end that never comes'
        )
    if name not in ('generator', 'pose', 'confidence'):
        raise ValueError(f"AdversarialScheduleHook: freeze names {name!r}, allowed: 'generator', 'pose', 'confidence'")
    return times[0], math.inf if times[1] is None else times[1]
