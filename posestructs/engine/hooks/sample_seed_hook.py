"""Make augmentation and shuffling of a resumed run those of an uninterrupted one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from mmengine import dist
from mmengine.dataset import ConcatDataset
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpose.registry import HOOKS

from posestructs.datasets.sample_seeds import SampleSeeds


@HOOKS.register_module()
class SampleSeedHook(Hook):
    """Define the random numbers of each training sample by seed, epoch and index, for data sets of this project.

    The samples of an epoch then depend neither on the number of workers and ranks nor on an interruption. Their seed
    and the sampler's are stored in checkpoints and restored on ``resume``. Data sets of mmpose and of other projects
    keep drawing from the workers' random states; a resumed run says so. Training that counts iterations is left as it
    is: mmengine repeats its past draws on ``resume``.
    """

    priority = 'VERY_LOW'  # as the last of after_load_checkpoint and before_train

    def __init__(self) -> None:
        self._seed: int | None = None
        self._sampler_seed: int | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the seeds of the run that is resumed; those of a checkpoint to start from do not count.

        Args:
            runner: The runner.
            checkpoint: The checkpoint.
        """
        if runner._resume:
            self._seed = checkpoint.get('meta', {}).get('sample_seed')
            self._sampler_seed = checkpoint.get('meta', {}).get('sampler_seed')

    def before_train(self, runner: Runner) -> None:
        """Choose the seeds, which are the same on all ranks.

        Args:
            runner: The runner that trains.
        """
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            return
        if self._seed is None:
            seeds = [int(runner.seed)]  # other ranks may have others, and only rank 0's is in checkpoints
            dist.broadcast_object_list(seeds)
            self._seed = seeds[0]
        sampler = _sampler(runner.train_dataloader)
        if self._sampler_seed is not None and hasattr(sampler, 'seed'):
            sampler.seed = self._sampler_seed
        others = [name for seeds, name in _find_seeds(runner.train_dataloader.dataset) if seeds is None]
        if others and runner.epoch > 0:
            print_log(
                f'random augmentation of {", ".join(others)} goes on from new random states: only data sets of '
                'posestructs repeat that of an uninterrupted run',
                logger='current',
                level=logging.WARNING,
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the seeds of the epoch.

        Args:
            runner: The runner that trains.
        """
        if self._seed is None:
            return
        for i, (seeds, _) in enumerate(_find_seeds(runner.train_dataloader.dataset)):
            if seeds is not None:
                seeds.set(self._seed + i, runner.epoch)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the seeds.

        Args:
            runner: The runner that trains.
            checkpoint: The checkpoint to be written.
        """
        if self._seed is None:
            return
        checkpoint['meta']['sample_seed'] = self._seed
        seed = getattr(_sampler(runner.train_dataloader), 'seed', None)
        if isinstance(seed, int):
            checkpoint['meta']['sampler_seed'] = seed


def _sampler(dataloader: Any) -> Any:
    own = getattr(dataloader.batch_sampler, 'sampler', None)
    return own if hasattr(own, 'seed') else dataloader.sampler


def _find_seeds(dataset: Any) -> Iterator[tuple[SampleSeeds | None, str]]:
    """Seeds of a data set, or of the members of a union that has none itself; None and the name where there are none.

    A repeated data set is not looked into: its members would augment all repetitions alike.
    """
    seeds = getattr(dataset, 'sample_seeds', None)
    if seeds is None and isinstance(dataset, ConcatDataset):
        for part in dataset.datasets:
            yield from _find_seeds(part)
    else:
        yield seeds, type(dataset).__name__
