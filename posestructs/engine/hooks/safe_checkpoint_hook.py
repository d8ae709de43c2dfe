"""Checkpoints that load with ``weights_only=True``."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from posestructs.utils.plain_values import make_plain


@HOOKS.register_module()
class SafeCheckpointHook(Hook):
    """Write checkpoints that resume under ``weights_only=True``.

    It runs after all hooks that add to a checkpoint. With posestructs imported, mmengine's loaders restore the original
    content before any hook sees it. Values without a plain form are kept, with one warning that names them: such a file
    resumes only with ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1``.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Replace values that torch would refuse to load.

        Args:
            runner: The runner that saves.
            checkpoint: Checkpoint to be written; changed in place.
        """
        new = [where for where in make_plain(checkpoint) if where not in self._warned]
        self._warned.update(new)
        if new:
            runner.logger.warning(
                f'the checkpoint holds objects that torch loads only with TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1: '
                f'{", ".join(new)}'
            )
