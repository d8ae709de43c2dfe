"""Base of the hooks that check what a runner was given, before its first step."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner


class LoopCheckHook(Hook):
    """Check the loops of training and validation before training, and that of the test before the test."""

    def before_train(self, runner: Runner) -> None:
        """Check training and validation.

        Args:
            runner: The runner that trains.

        Raises:
            UsageError: Something does not fit.
        """
        for name, loop in (('train', runner.train_loop), ('val', runner.val_loop)):
            self.check(runner, name, loop)

    def before_test(self, runner: Runner) -> None:
        """Check the test.

        Args:
            runner: The runner that tests.

        Raises:
            UsageError: Something does not fit.
        """
        self.check(runner, 'test', runner.test_loop)

    def check(self, runner: Runner, name: str, loop: Any) -> None:
        """Check one loop.

        Args:
            runner: The runner.
            name: 'train', 'val' or 'test'.
            loop: The loop; None where there is none.

        Raises:
            UsageError: Something does not fit.
        """
        raise NotImplementedError
