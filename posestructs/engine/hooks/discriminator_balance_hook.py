"""Watch whether a discriminator wins against the generator, or collapses.

What is watched is how often it is right: on true maps, whose joints have the label 1, and on predicted ones, whose
joints have the label 1 or 0 (:mod:`posestructs.models.losses.adversarial_loss`). Where it is nearly always right on
both, its verdict is flat and teaches the generator little. Where it is hardly ever right on one, or its mean verdicts
of the two are alike, it says nearly the same of everything; accuracies alone do not tell that, as what says "true" of
every joint is right on as many predicted joints as have the label 1.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from numbers import Real
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
from posestructs.engine.hooks.fake_label_hook import KEYS

BALANCED, WINS, COLLAPSED = 'balanced', 'wins', 'collapsed'
STATE_KEY = 'discriminator_balance'


@dataclass
class Balance:
    """How one discriminator does.

    Attributes:
        real: Running share of true joints that it takes for true.
        fake: Running share of predicted joints whose label it finds.
        gap: Running distance between its mean verdicts, 0 to 1, of true and of predicted joints.
        count: Iterations that it was scored in.
        status: 'balanced', 'wins' or 'collapsed'.
    """

    real: float = 0.0
    fake: float = 0.0
    gap: float = 1.0
    count: int = 0
    status: str = BALANCED

    def update(self, real: float, fake: float, gap: float, window: int) -> None:
        """Take in one iteration: the plain mean of the first ``window``, from then on an exponential one.

        Args:
            real: Its accuracy on true maps, 0 to 1.
            fake: On predicted ones.
            gap: Distance between its mean verdicts of the two.
            window: Iterations.
        """
        self.count += 1
        rate = 1 / min(self.count, window)
        self.real += rate * (real - self.real)
        self.fake += rate * (fake - self.fake)
        self.gap += rate * (gap - self.gap)

    def judge(self, wins: float, collapses: float, flat: float, margin: float) -> bool:
        """Set the status anew.

        Args:
            wins: It wins where both accuracies are at least this.
            collapses: It has collapsed where one of them is at most this.
            flat: Or where its mean verdicts are at most so far apart; from twice that on they are apart again.
            margin: How far its accuracies must get away from a limit to be balanced again.

        Returns:
            bool: Whether the status is another than before.
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
    """Warn when a discriminator wins or collapses; on request let one that wins wait for the generator.

    Accuracies and verdicts are those that the model logs, of all ranks together, so that every rank decides alike. The
    running means go into the checkpoint as plain numbers, and a resumed run decides as a straight one. It says so once
    when the status changes. A model without discriminators it leaves alone.

    Args:
        window: Iterations that the running means look back; nothing is judged before so many.
        wins: A discriminator wins where both of its accuracies are at least this.
        collapses: It has collapsed where one of them is at most this.
        flat: It has collapsed, too, where its mean verdicts of true and of predicted joints are at most so far apart.
        margin: Distance from ``wins`` or ``collapses`` at which it is balanced again; from ``flat`` it is ``flat``.
        skip: Whether one that wins takes no step until it is balanced. It is still scored, and its verdict still
            teaches the generator. It logs ``train/<name>.skipped``, 1 or 0.

    Raises:
        ValueError: A number is not possible; names the key.
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
        if not isinstance(window, int) or isinstance(window, bool) or window < 1:
            raise ValueError(f'DiscriminatorBalanceHook: window={window!r}, allowed: a whole number of at least 1')
        for key, value in (('wins', wins), ('collapses', collapses), ('margin', margin), ('flat', flat)):
            if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= value <= 1:
                raise ValueError(f'DiscriminatorBalanceHook: {key}={value!r}, allowed: 0 to 1')
        if collapses + margin >= wins - margin:
            raise ValueError(
                f'DiscriminatorBalanceHook: collapses={collapses}, wins={wins}, margin={margin} leave nothing between '
                'them: allowed are collapses + margin < wins - margin'
            )
        self.window, self.skip = window, skip
        self.limits = dict(wins=wins, collapses=collapses, flat=flat, margin=margin)
        self.balances: dict[str, Balance] = {}
        self._model: Any = None

    def before_train(self, runner: Runner) -> None:
        """Find the discriminators; what a checkpoint said of them is kept.

        Args:
            runner: The runner that trains.

        Raises:
            TypeError: The model has no networks.
        """
        self._model = adversarial_model(runner, type(self).__name__)
        names = discriminator_names(self._model)
        self.balances = {name: self.balances.get(name, Balance()) for name in names}
        if self.skip:
            self._model.skip_steps |= {name for name, balance in self.balances.items() if balance.status == WINS}

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Stop those that win, and let the others go on.

        Args:
            runner: The runner that trains.
            batch_idx: Not read.
            data_batch: Not read.
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
        """Take in accuracies and verdicts of the iteration.

        Args:
            runner: The runner that trains.
            batch_idx: Not read.
            data_batch: Not read.
            outputs: Names of what was logged; a discriminator that was not run is not among them.
        """
        for name, balance in self.balances.items():
            keys = [f'{name}.{key}' for key in ('acc_real', 'acc_fake', 'score_real', 'score_fake')]
            if not all(key in (outputs or ()) for key in keys):
                continue
            # mmengine has read them from the device already
            real, fake, *scores = (float(runner.message_hub.get_scalar(f'train/{key}').current()) for key in keys)
            gap = abs(scores[0] - scores[1])
            if nothing_counted(runner, name) or not math.isfinite(real + fake + gap):
                continue
            balance.update(real, fake, gap, self.window)
            if balance.count >= self.window and balance.judge(**self.limits):
                self._tell(runner, name, balance)

    def after_train(self, runner: Runner) -> None:
        """Let all networks go."""
        if self.skip:
            self._model.skip_steps -= set(self.balances)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the running means into a checkpoint.

        Args:
            runner: The runner that saves.
            checkpoint: What will be written; changed in place.
        """
        checkpoint[STATE_KEY] = {name: asdict(balance) for name, balance in self.balances.items()}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go on from the running means of a checkpoint, where a run is resumed.

        Args:
            runner: The runner that resumes.
            checkpoint: What was read.
        """
        if runner._resume:
            self.balances = {name: Balance(**state) for name, state in checkpoint.get(STATE_KEY, {}).items()}

    def _tell(self, runner: Runner, name: str, balance: Balance) -> None:
        figures = (
            f'in about the last {self.window} iterations it was right on {balance.real:.1%} of the true joints and on '
            f'{balance.fake:.1%} of the predicted ones, and its mean verdicts of the two were {balance.gap:.3f} apart'
        )
        if balance.status == BALANCED:
            runner.logger.info(f'discriminator {name} is balanced again: {figures}')
        elif balance.status == WINS:
            advice = (
                'it takes no step until that changes'
                if self.skip
                else f'DiscriminatorBalanceHook.skip=True or a lower learning rate of optim_wrapper.{name} would help'
            )
            runner.logger.warning(f'discriminator {name} wins, so that it teaches little: {figures}; {advice}')
        else:
            runner.logger.warning(
                f'discriminator {name} has collapsed, it says nearly the same of everything: {figures}; see the '
                f'learning rate of optim_wrapper.{name}, and the share of labels 1 that adversarial.{KEYS[name]} makes'
            )
