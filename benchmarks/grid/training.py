"""Parts of a training run: hooks that measure it and stop it in time, the GPU's load, and cached images."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from typing import Any, ClassVar

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS, TRANSFORMS

from posestructs.datasets.transforms import LoadVerifiedImage

# keys of the message hub, which is part of a checkpoint: sums go on after a resumption
CLOCKS = {'grid/train': time.perf_counter, 'grid/train_cpu': time.process_time}
IMAGES, GPU = 'grid/images', 'grid/gpu'


class OutOfTime(Exception):  # noqa: N818  no error: the next call resumes the run
    """A run stopped at a checkpoint because its deadline was near."""


@HOOKS.register_module()
class TrainingClockHook(Hook):
    """Sum the seconds and images of the training epochs over all resumptions."""

    # before the checkpoint of the epoch is written
    priority = 'NORMAL'

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clocks."""
        self._since = {key: clock() for key, clock in CLOCKS.items()}

    def after_train_epoch(self, runner: Runner) -> None:
        """Add the epoch."""
        hub = runner.message_hub
        for key, clock in CLOCKS.items():
            hub.update_info(key, (hub.get_info(key) or 0.0) + clock() - self._since[key])
        hub.update_info(IMAGES, (hub.get_info(IMAGES) or 0) + len(runner.train_dataloader.dataset))

    @staticmethod
    def read(info: dict) -> dict[str, float]:
        """Seconds ``train`` and ``train_cpu``, and ``images``, from a message hub's ``runtime_info``."""
        return {key.rpartition('/')[2]: info[key] for key in (*CLOCKS, IMAGES)}


@HOOKS.register_module()
class StopInTimeHook(Hook):
    """Stop after an epoch if another one would end after the deadline.

    Args:
        deadline: Time in seconds, as of ``time.time()``.

    Raises:
        OutOfTime: Another call is to resume the run.
    """

    # after the checkpoint is written
    priority = 'LOWEST'

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._began = 0.0

    def before_train_epoch(self, runner: Runner) -> None:
        """Note the beginning of the epoch."""
        self._began = time.time()

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop if the time is too short for another epoch."""
        now = time.time()
        if runner.epoch + 1 < runner.max_epochs and now + 1.1 * (now - self._began) > self.deadline:
            raise OutOfTime


# -- the GPU's load ----------------------------------------------------------------------------------------------------


class GpuLoad:
    """Sample utilisation and memory of the first GPU once a second within a ``with`` block.

    Args:
        program: Command to query; if it does not exist, nothing is sampled.
    """

    QUERY = ('--id=0', '--query-gpu=utilization.gpu,memory.used', '--format=csv,noheader,nounits', '--loop=1')

    def __init__(self, program: str = 'nvidia-smi') -> None:
        self._program = shutil.which(program)
        self._process: subprocess.Popen | None = None
        self._output: Any = None

    def __enter__(self) -> GpuLoad:
        """Start sampling."""
        if self._program is not None:
            # opened for appending, since it is read while the program writes
            self._output = tempfile.TemporaryFile('a+')
            command = [self._program, *self.QUERY]
            self._process = subprocess.Popen(command, stdout=self._output, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *error: object) -> None:
        """Stop sampling."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def samples(self) -> list[tuple[int, int]]:
        """Utilisation in percent and used MiB, a pair for each second so far."""
        if self._output is None:
            return []
        self._output.seek(0)
        return parse_gpu_load(self._output.read())


def parse_gpu_load(text: str) -> list[tuple[int, int]]:
    """Read lines ``utilisation, memory`` of ``nvidia-smi``; lines that are cut off are skipped."""
    samples = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(',')]
        if len(parts) == 2 and all(part.isdecimal() for part in parts):
            samples.append((int(parts[0]), int(parts[1])))
    return samples


class GpuLoadHook(Hook):
    """Sum the samples of the GPU's load over all resumptions.

    Args:
        load: Sampler that runs during the training.
    """

    # before the checkpoint of the epoch is written
    priority = 'NORMAL'

    def __init__(self, load: GpuLoad) -> None:
        self._load, self._seen = load, 0

    def after_train_epoch(self, runner: Runner) -> None:
        """Add the samples of the epoch."""
        samples = self._load.samples()[self._seen :]
        self._seen += len(samples)
        if samples:
            count, busy, memory = runner.message_hub.get_info(GPU) or (0, 0, 0)
            busy += sum(share for share, _ in samples)
            memory = max(memory, *(mib for _, mib in samples))
            runner.message_hub.update_info(GPU, [count + len(samples), busy, memory])

    @staticmethod
    def read(info: dict) -> dict[str, float]:
        """Mean ``gpu_utilisation`` in percent and largest ``gpu_memory_mib``; empty if nothing was sampled."""
        count, busy, memory = info.get(GPU) or (0, 0, 0)
        return dict(gpu_utilisation=round(busy / count, 1), gpu_memory_mib=memory) if count else {}


# -- cached images -----------------------------------------------------------------------------------------------------


@TRANSFORMS.register_module()
class LoadCachedImage(LoadVerifiedImage):
    """``LoadVerifiedImage`` that keeps decoded images in memory, for all data sets of the process.

    Images that are cached before a data loader starts its workers are shared with them.
    """

    kept: ClassVar[dict[str, np.ndarray]] = {}

    def load(self, path: str) -> np.ndarray:
        """A copy of the image, (H, W, 3) uint8, that later steps may change."""
        if path not in self.kept:
            self.kept[path] = super().load(path)
        return self.kept[path].copy()


def preload(dataset: BaseDataset) -> None:
    """Decode all images of a data set with :class:`LoadCachedImage`; a set of synthetic images is left alone."""
    loader = LoadCachedImage()
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        if 'img' in info:
            return
        loader.load(info['img_path'])
