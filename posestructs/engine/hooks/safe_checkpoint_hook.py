"""Checkpoints that torch loads without running what is in them."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from posestructs.utils.plain_values import make_plain


@HOOKS.register_module()
class SafeCheckpointHook(Hook):
    """Write checkpoints that resume under ``weights_only=True``.

    It runs last of all hooks, after those that add to a checkpoint. Importing posestructs makes mmengine's loaders turn
    the content back before any hook sees it. What cannot be turned into plain values is left as it is, with one warning
    that names it: such a file still resumes where the user opts in (``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1``).
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Replace what torch would refuse to load.

        Args:
            runner: The runner that saves.
            checkpoint: What will be written; changed in place.
        """
        new = [where for where in make_plain(checkpoint) if where not in self._warned]
        self._warned.update(new)
        if new:
            runner.logger.warning(
                f'the checkpoint holds objects that torch loads only with TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1: '
                f'{", ".join(new)}'
            )
