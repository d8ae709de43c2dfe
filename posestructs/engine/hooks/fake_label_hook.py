"""Warn if the labels of predicted joints are all equal, so that delta or epsilon distinguishes nothing."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from posestructs.engine.hooks.adversarial_model import nothing_counted
from posestructs.utils.checks import check_integer
from posestructs.utils.networks import unwrapped

# threshold of each discriminator's labels, for models that do not provide ``label_thresholds``
THRESHOLDS = dict(pose='delta', confidence='epsilon')


@HOOKS.register_module()
class FakeLabelHook(Hook):
    """Warn once per discriminator if all predicted joints had the same label in ``window`` consecutive iterations.

    With labels of 1 only, the gate removes the discriminator from the generator's loss. With labels of 0 only, it is an
    ordinary GAN, which does not know correct joints. The labels of an untrained generator are all 0 for a while.

    Args:
        window: Number of iterations, at least 1.

    Raises:
        ValueError: The window is too small.
    """

    priority = 'BELOW_NORMAL'

    def __init__(self, window: int = 500) -> None:
        self.window = check_integer('FakeLabelHook.window', window, 1)
        self._warned: set[str] = set()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Check the labels after every ``window`` iterations.

        Args:
            runner: Runner of the training.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: Logged values, averaged over ranks; a discriminator that was not run has none.
        """
        if (runner.iter + 1) % self.window:
            return
        for name, threshold in getattr(unwrapped(runner.model), 'label_thresholds', THRESHOLDS).items():
            share = f'{name}.share_right'
            if threshold is None or name in self._warned or share not in (outputs or ()):
                continue
            logged = runner.message_hub.get_scalar(f'train/{share}')
            mean = logged.mean(self.window)
            # fewer values are logged if the discriminators have started only recently, after a warm-up
            if len(logged.data[0]) >= self.window and mean in (0, 1):
                self._warned.add(name)
                self._warn(runner, name, threshold, mean)

    def _warn(self, runner: Runner, name: str, threshold: str, mean: float) -> None:
        if nothing_counted(runner, name, self.window):
            runner.logger.warning(
                f'{name}: in the last {self.window} iterations no joint counted, so that it is not trained: no joint '
                "has a label or, with label_rule='p_fake', no person has the reference length of the codec's normalize"
            )
            return
        runner.logger.warning(
            f'{name}: in the last {self.window} iterations {mean:.0%} of the predicted joints had the label 1, so that '
            f'adversarial.{threshold} distinguishes nothing; try a {"smaller" if mean else "larger"} value, unless the '
            'generator is still untrained'
        )
