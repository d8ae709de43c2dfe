"""Hooks of a run: how long it trained in all, when to stop, and how tensors lie in memory."""

from __future__ import annotations

import time

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from benchmarks.grid.gpu_load import GpuLoad

CLOCKS = dict(train=time.perf_counter, train_cpu=time.process_time)
IMAGES = 'grid/images'
GPU = 'grid/gpu'


class OutOfTime(Exception):  # noqa: N818  it is no error: the next call goes on
    """A run stopped at a checkpoint because its time was over."""


@HOOKS.register_module()
class TrainingClockHook(Hook):
    """Add up the seconds of training epochs over all resumptions, in the message hub, which checkpoints keep."""

    # before the checkpoint of the epoch is written
    priority = 'NORMAL'

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clocks."""
        self._since = {name: clock() for name, clock in CLOCKS.items()}

    def after_train_epoch(self, runner: Runner) -> None:
        """Add the epoch."""
        hub = runner.message_hub
        for name, clock in CLOCKS.items():
            key = f'grid/{name}'
            hub.update_info(key, (hub.get_info(key) or 0.0) + clock() - self._since[name])
        hub.update_info(IMAGES, (hub.get_info(IMAGES) or 0) + len(runner.train_dataloader.dataset))

    @staticmethod
    def read(info: dict) -> dict[str, float]:
        """What was added up.

        Args:
            info: ``runtime_info`` of a message hub.

        Returns:
            dict[str, float]: Seconds ``train`` and ``train_cpu``, and ``images``.
        """
        return {key.rpartition('/')[2]: info[key] for key in (*(f'grid/{name}' for name in CLOCKS), IMAGES)}


class GpuLoadHook(Hook):
    """Add up what the GPU's load was, over all resumptions, in the message hub, which checkpoints keep.

    Args:
        load: Samples the GPU while the run trains.
    """

    # before the checkpoint of the epoch is written
    priority = 'NORMAL'

    def __init__(self, load: GpuLoad) -> None:
        self._load, self._seen = load, 0

    def after_train_epoch(self, runner: Runner) -> None:
        """Add the samples since the epoch before."""
        samples = self._load.samples()[self._seen :]
        self._seen += len(samples)
        if samples:
            hub = runner.message_hub
            count, busy, memory = hub.get_info(GPU) or (0, 0, 0)
            used = max(mib for _, mib in samples)
            hub.update_info(GPU, [count + len(samples), busy + sum(share for share, _ in samples), max(memory, used)])

    @staticmethod
    def read(info: dict) -> dict[str, float]:
        """What was added up.

        Args:
            info: ``runtime_info`` of a message hub.

        Returns:
            dict[str, float]: ``gpu_utilisation``, mean percentage of the time of training, and ``gpu_memory_mib``, the
            most; empty where nothing was seen.
        """
        count, busy, memory = info.get(GPU) or (0, 0, 0)
        return dict(gpu_utilisation=round(busy / count, 1), gpu_memory_mib=memory) if count else {}


@HOOKS.register_module()
class StopInTimeHook(Hook):
    """Stop after an epoch where another one would not end in time.

    Args:
        deadline: Seconds since the epoch, as ``time.time()``.

    Raises:
        OutOfTime: The run is to go on in another process.
    """

    # after the checkpoint is written
    priority = 'LOWEST'

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._began = 0.0

    def before_train_epoch(self, runner: Runner) -> None:
        """Note when the epoch began."""
        self._began = time.time()

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop, or let it go on."""
        now = time.time()
        if runner.epoch + 1 < runner.max_epochs and now + 1.1 * (now - self._began) > self.deadline:
            raise OutOfTime


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Lay out weights, and with them the features of convolutions, channels last."""

    def before_train(self, runner: Runner) -> None:
        """Lay out the weights."""
        runner.model.to(memory_format=torch.channels_last)
