"""Watch whether a discriminator dominates the generator or collapses.

The hook watches accuracies: on real maps, whose joints have the label 1, and on predicted maps, whose joints have the
label 1 or 0 (:mod:`posestructs.models.losses.adversarial_loss`). If a discriminator is nearly always right on both, its
output saturates, so that the generator's gradient vanishes. If it is hardly ever right on one of them, or its mean
scores on the two are equal, its output is nearly constant. Accuracies alone do not show the latter: a discriminator
that scores every joint as real is right on all predicted joints with the label 1.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from posestructs.engine.hooks.adversarial_model import (
    adversarial_model,
    batch_begins,
    discriminator_names,
    nothing_counted,
)
from posestructs.engine.hooks.fake_label_hook import THRESHOLDS
from posestructs.utils.checks import check_bool, check_integer, check_number

BALANCED, WINS, COLLAPSED = 'balanced', 'wins', 'collapsed'
STATE_KEY = 'discriminator_balance'


@dataclass
class Balance:
    """Running statistics of one discriminator.

    Attributes:
        real: Running accuracy on real joints.
        fake: Running accuracy on predicted joints.
        gap: Running difference of its mean scores on real and predicted joints, 0 to 1.
        count: Number of iterations in which it was scored.
        status: 'balanced', 'wins' or 'collapsed'.
    """

    real: float = 0.0
    fake: float = 0.0
    gap: float = 1.0
    count: int = 0
    status: str = BALANCED

    def update(self, real: float, fake: float, gap: float, window: int) -> None:
        """Add one iteration: the plain mean of the first ``window`` iterations, an exponential mean from then on.

        Args:
            real: Accuracy on real maps, 0 to 1.
            fake: Accuracy on predicted maps, 0 to 1.
            gap: Difference of the mean scores on the two.
            window: Number of iterations.
        """
        self.count += 1
        rate = 1 / min(self.count, window)
        self.real += rate * (real - self.real)
        self.fake += rate * (fake - self.fake)
        self.gap += rate * (gap - self.gap)

    def classify(self, wins: float, collapses: float, flat: float, margin: float) -> bool:
        """Update the status.

        Args:
            wins: Least value of both accuracies at which it wins.
            collapses: Greatest value of one of them at which it has collapsed.
            flat: Greatest gap at which it has collapsed as well; it recovers at twice this gap.
            margin: Distance of the accuracies from a limit at which it is balanced again.

        Returns:
            bool: Whether the status has changed.
        """
        low, before = min(self.real, self.fake), self.status
        down = before == COLLAPSED
        if low <= collapses + margin * down or self.gap <= flat * (1 + down):
            self.status = COLLAPSED
        elif low >= wins - margin * (before == WINS):
            self.status = WINS
        else:
            self.status = BALANCED
        return self.status != before


@HOOKS.register_module()
class DiscriminatorBalanceHook(Hook):
    """Warn if a discriminator wins or collapses; optionally stop one that wins until the generator has caught up.

    Accuracies and scores are those that the model logs, averaged over ranks, so that all ranks take the same decisions.
    The running means are saved in checkpoints as plain numbers, so that a resumed run equals an uninterrupted one. A
    change of the status is logged once. The hook does nothing for a model without discriminators.

    Args:
        window: Number of iterations of the running means; the status is 'balanced' before as many were seen.
        wins: Least value of both accuracies at which a discriminator wins.
        collapses: Greatest value of one of them at which it has collapsed.
        margin: Distance from ``wins`` or ``collapses`` at which it is balanced again.
        skip: Let a discriminator that wins take no step until it is balanced. It is still scored, and still contributes
            to the generator's loss. ``train/NAME.skipped``, 1 or 0, is logged.
        flat: Greatest difference of the mean scores on real and predicted joints at which it has collapsed as well; it
            recovers at twice this value.

    Raises:
        ValueError: A number is not allowed; names the key.
    """

    # after mmengine's hook that reads what the model logs, before those that write it
    priority = 'NORMAL'

    def __init__(
        self,
        window: int = 200,
        wins: float = 0.98,
        collapses: float = 0.05,
        margin: float = 0.02,
        skip: bool = False,
        flat: float = 0.02,
    ) -> None:
        self.window = check_integer('DiscriminatorBalanceHook.window', window, 1)
        for key, value in (('wins', wins), ('collapses', collapses), ('margin', margin), ('flat', flat)):
            check_number(f'DiscriminatorBalanceHook.{key}', value, 0, 1)
        if collapses + margin >= wins - margin:
            raise ValueError(
                f'DiscriminatorBalanceHook: collapses={collapses}, wins={wins}, margin={margin}, allowed: collapses + '
                'margin < wins - margin'
            )
        self.skip = check_bool('DiscriminatorBalanceHook.skip', skip)
        self.limits = dict(wins=wins, collapses=collapses, flat=flat, margin=margin)
        self.balances: dict[str, Balance] = {}
        self._model: Any = None

    def before_train(self, runner: Runner) -> None:
        """Find the discriminators; the state of a checkpoint is kept.

        Args:
            runner: Runner of the training.

        Raises:
            TypeError: The model has no networks.
        """
        self._model = adversarial_model(runner, type(self).__name__)
        names = discriminator_names(self._model)
        self.balances = {name: self.balances.get(name, Balance()) for name in names}
        if self.skip:
            self._model.skip_steps |= {name for name, balance in self.balances.items() if balance.status == WINS}

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Stop the discriminators that win, and let the others train.

        Args:
            runner: Runner of the training.
            batch_idx: Not used.
            data_batch: Not used.
        """
        if not self.skip:
            return
        for name, balance in self.balances.items():
            if batch_begins(runner, name):
                change = self._model.skip_steps.add if balance.status == WINS else self._model.skip_steps.discard
                change(name)
            runner.message_hub.update_scalar(f'train/{name}.skipped', float(name in self._model.skip_steps))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Update the running means with accuracies and scores of the iteration.

        Args:
            runner: Runner of the training.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: Logged values; a discriminator that was not run has none.
        """
        for name, balance in self.balances.items():
            keys = [f'{name}.{key}' for key in ('acc_real', 'acc_fake', 'score_real', 'score_fake')]
            if not all(key in (outputs or ()) for key in keys):
                continue
            # mmengine has already copied them from the device
            real, fake, *scores = (float(runner.message_hub.get_scalar(f'train/{key}').current()) for key in keys)
            gap = abs(scores[0] - scores[1])
            if nothing_counted(runner, name) or not math.isfinite(real + fake + gap):
                continue
            balance.update(real, fake, gap, self.window)
            if balance.count >= self.window and balance.classify(**self.limits):
                self._report(runner, name, balance)

    def after_train(self, runner: Runner) -> None:
        """Let all networks train again."""
        if self.skip:
            self._model.skip_steps -= set(self.balances)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the running means.

        Args:
            runner: Runner that saves.
            checkpoint: Content of the checkpoint; changed in place.
        """
        checkpoint[STATE_KEY] = {name: asdict(balance) for name, balance in self.balances.items()}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the running means if a run is resumed.

        Args:
            runner: Runner that resumes.
            checkpoint: Content of the checkpoint.
        """
        if runner._resume:
            self.balances = {name: Balance(**state) for name, state in checkpoint.get(STATE_KEY, {}).items()}

    def _report(self, runner: Runner, name: str, balance: Balance) -> None:
        figures = (
            f'in about the last {self.window} iterations it was right on {balance.real:.1%} of the real joints and on '
            f'{balance.fake:.1%} of the predicted ones, and its mean scores on the two differed by {balance.gap:.3f}'
        )
        if balance.status == BALANCED:
            runner.logger.info(f'discriminator {name} is balanced again: {figures}')
        elif balance.status == WINS:
            advice = (
                'it takes no step until that changes'
                if self.skip
                else f'try DiscriminatorBalanceHook.skip=True or a lower learning rate of optim_wrapper.{name}'
            )
            runner.logger.warning(
                f"discriminator {name} wins, so that the generator's gradient vanishes: {figures}; {advice}"
            )
        else:
            threshold = getattr(self._model, 'label_thresholds', THRESHOLDS).get(name)
            labels = f', and the share of labels 1 that adversarial.{threshold} gives' if threshold else ''
            runner.logger.warning(
                f'discriminator {name} has collapsed, its output is nearly constant: {figures}; check the learning '
                f'rate of optim_wrapper.{name}{labels}'
            )
