"""Throughput in images per second, in every log line and plot."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from posestructs.utils.checks import check_integer


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Record ``train/images_per_second`` of all ranks over the last iterations, data loading included.

    Args:
        window: Number of iterations it is averaged over.

    Raises:
        ValueError: ``window`` is below 1.
    """

    # before LoggerHook, which prints what the message hub holds
    priority = 'NORMAL'

    def __init__(self, window: int = 50) -> None:
        check_integer('ThroughputHook.window', window, 1)
        self._recent: deque[tuple[int, float]] = deque(maxlen=window)
        self._since = 0.0

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clock; an epoch begins with the loading of its first batch."""
        self._since = time.perf_counter()

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Leave validation between two training iterations out."""
        self._since = time.perf_counter()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Count the batch."""
        now = time.perf_counter()
        self._recent.append((batch_length(data_batch), now - self._since))
        self._since = now
        images = sum(n for n, _ in self._recent) * get_world_size()
        seconds = sum(s for _, s in self._recent)
        runner.message_hub.update_scalar('train/images_per_second', images / max(seconds, 1e-9))


def batch_length(data_batch: dict | Sequence | None) -> int:
    """Number of images of a batch.

    Args:
        data_batch: Batch of a data loader: mmpose's dict with ``inputs``, or a sequence of samples.

    Returns:
        int: Its images; 0 where there are none to count.
    """
    if isinstance(data_batch, dict):
        data_batch = data_batch.get('inputs')
    return 0 if data_batch is None else len(data_batch)
