"""Tell when the labels of predicted joints are all the same, so that delta or epsilon teaches nothing."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from posestructs.engine.hooks.adversarial_model import nothing_counted

# discriminator: the key that its labels hang on
KEYS = dict(pose='delta', confidence='epsilon')


@HOOKS.register_module()
class FakeLabelHook(Hook):
    """Warn once per discriminator where ``window`` iterations in a row gave each predicted joint the same label.

    With all labels 1 the gate cuts the discriminator off from the generator; with all labels 0 it is an ordinary GAN,
    which knows no joint that is right. An untrained generator has all labels 0 for a while.

    Args:
        window: Iterations, at least 1.

    Raises:
        ValueError: The window is too small.
    """

    priority = 'BELOW_NORMAL'

    def __init__(self, window: int = 500) -> None:
        if not isinstance(window, int) or isinstance(window, bool) or window < 1:
            raise ValueError(f'FakeLabelHook: window={window!r}, allowed: an integer of at least 1')
        self.window = window
        self._told: set[str] = set()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Look at the labels of the last ``window`` iterations, once they are done.

        Args:
            runner: The runner that trains.
            batch_idx: Not read.
            data_batch: Not read.
            outputs: Names of what was logged; shares are of all ranks.
        """
        if (runner.iter + 1) % self.window:
            return
        for name in KEYS:
            share = f'{name}.share_right'
            if name in self._told or share not in (outputs or ()):
                continue
            logged = runner.message_hub.get_scalar(f'train/{share}')
            mean = logged.mean(self.window)
            # fewer where the discriminators have only begun, after a warm-up
            if len(logged.data[0]) >= self.window and mean in (0, 1):
                self._told.add(name)
                self._tell(runner, name, mean)

    def _tell(self, runner: Runner, name: str, mean: float) -> None:
        if nothing_counted(runner, name, self.window):
            runner.logger.warning(
                f'{name}: in the last {self.window} iterations no joint counted, so it learns nothing: none has a '
                "label, or for 'pose' no person has the length that normalize of the codec names"
            )
            return
        runner.logger.warning(
            f'{name}: in the last {self.window} iterations {mean:.0%} of the predicted joints had the label 1, so '
            f'adversarial.{KEYS[name]} tells none from another; {"smaller" if mean else "larger"} values do, unless '
            'the generator is not there yet'
        )
