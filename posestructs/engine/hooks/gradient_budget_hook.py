"""Choose the weights of discriminators by the size of their gradients.

Published weights belong to the loss, the size of the maps and the state of the generator that they were tuned with. On
a generator that is nearly trained, or with a discriminator that saturates, the same weights may give gradients that are
thousands of times smaller than those of L_G, or larger. What counts for the generator is the ratio of the two::

    weight_n = share / N * |dL_G/dy| / |dL_n/dy|

with y the final maps, L_n the term of discriminator n of N with a weight of 1, and the norm over a batch. The ratio is
measured in some iterations, and its running geometric mean is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from posestructs.engine.hooks.adversarial_model import adversarial_model, discriminator_names
from posestructs.utils.checks import check_integer, check_number

STATE_KEY = 'gradient_budget'


@HOOKS.register_module()
class GradientBudgetHook(Hook):
    """Set the discriminators' weights so that their gradients at the maps are a fixed share of L_G's.

    It replaces the weights of the config and of ``AdversarialScheduleHook``, except a weight of 0: a discriminator that
    is not to contribute yet does not. The measured values are averaged over ranks, so that all ranks set the same
    weights, and saved in checkpoints. ``train/NAME.budget_weight`` is logged.

    Args:
        share: Sum of the norms of the discriminators' gradients over the norm of L_G's, above 0.
        begin: Share of the training, 0 to 1, after which the discriminators contribute; before, their weights are 0.
        interval: Number of iterations between two measurements. Each costs a backward pass through the discriminators
            and the head.
        window: Number of measurements of the running mean.
        names: Discriminators to control; by default all.

    Raises:
        ValueError: A number is not allowed (when built), or the model has no discriminator of a name (when training
            begins).
    """

    # after AdversarialScheduleHook, whose weights it replaces
    priority = 'NORMAL'

    def __init__(
        self,
        share: float,
        begin: float = 0.0,
        interval: int = 10,
        window: int = 20,
        names: Sequence[str] | None = None,
    ) -> None:
        self.share = check_number('GradientBudgetHook.share', share, above=0)
        self.begin = check_number('GradientBudgetHook.begin', begin, 0, 1)
        self.interval = check_integer('GradientBudgetHook.interval', interval, 1)
        self.window = check_integer('GradientBudgetHook.window', window, 1)
        self.names = None if names is None else list(names)
        # logarithm of the ratio, and number of measurements
        self.measured: dict[str, tuple[float, int]] = {}
        self._model: Any = None
        self._own: dict[str, float] = {}

    def before_train(self, runner: Runner) -> None:
        """Find the discriminators; the state of a checkpoint is kept.

        Args:
            runner: Runner of the training.

        Raises:
            TypeError: The model has no networks to control.
            ValueError: The model has no discriminator of a name.
        """
        model = adversarial_model(runner, type(self).__name__)
        known = discriminator_names(model)
        names = list(known) if self.names is None else self.names
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f'GradientBudgetHook: names={unknown}, allowed: {", ".join(known) or "none"}')
        if not names:
            runner.logger.info('GradientBudgetHook has no effect: the model has no discriminators')
            return
        self._model, self._own = model, dict(model.adversarial_weights)
        self.measured = {name: self.measured.get(name, (0.0, 0)) for name in names}

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the weights, and measure from time to time.

        Args:
            runner: Runner of the training.
            batch_idx: Not used.
            data_batch: Not used.
        """
        if self._model is None:
            return
        weights = dict(self._model.adversarial_weights)
        # in a warm-up without adversarial terms, discriminators are not run
        contributes = any(weights[name] > 0 for name in self.measured)
        for name, (ratio, count) in self.measured.items():
            ready = count and runner.iter >= self.begin * runner.max_iters and weights[name] > 0
            weights[name] = self.share / len(self.measured) / math.exp(ratio) if ready else 0.0
            runner.message_hub.update_scalar(f'train/{name}.budget_weight', weights[name])
        self._model.adversarial_weights = weights
        unmeasured = any(count == 0 for _, count in self.measured.values())
        self._model.measure_gradients = contributes and (unmeasured or runner.iter % self.interval == 0)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Update the running means, and restore the model's own weights.

        Args:
            runner: Runner of the training.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: Logged values, averaged over ranks.
        """
        if self._model is None:
            return
        self._model.adversarial_weights = dict(self._own)
        for name, (ratio, count) in self.measured.items():
            key = f'{name}.grad_ratio'
            if key not in (outputs or ()):
                continue
            found = float(outputs[key])
            # no joint counted for it, or L_G is 0
            if not 0 < found < math.inf:
                continue
            count = min(count + 1, self.window)
            self.measured[name] = ratio + (math.log(found) - ratio) / count, count

    def after_train(self, runner: Runner) -> None:
        """Restore the model's own weights."""
        if self._model is not None:
            self._model.adversarial_weights = dict(self._own)
            self._model.measure_gradients = False

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the running means.

        Args:
            runner: Runner that saves.
            checkpoint: Content of the checkpoint; changed in place.
        """
        checkpoint[STATE_KEY] = {name: list(state) for name, state in self.measured.items()}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the running means if a run is resumed.

        Args:
            runner: Runner that resumes.
            checkpoint: Content of the checkpoint.
        """
        if runner._resume:
            saved = checkpoint.get(STATE_KEY, {})
            self.measured = {name: (float(ratio), int(count)) for name, (ratio, count) in saved.items()}
