"""Stop training cleanly at Ctrl-C or SIGTERM, with a checkpoint."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpose.registry import HOOKS

from posestructs.utils.files import atomic_write
from posestructs.utils.usage import Terminated


class Interrupted(Exception):
    """Training was stopped between two steps."""


@HOOKS.register_module()
class InterruptHook(Hook):
    """Stop between two steps once Ctrl-C was pressed, and write a checkpoint that ``--resume`` goes on from.

    SIGTERM does the same. A second signal stops at once. A checkpoint within an epoch stores the counters and
    learning rates of the start of that epoch, so that resuming repeats the epoch. With several processes nothing is
    changed, as they would stop at different steps.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._pressed = 0  # number of the signal
        self._process = 0  # that trains; workers of the data loaders inherit the handler
        self._epoch_start: tuple[list[dict], list[dict]] | None = None

    @contextmanager
    def watching(self, runner: Runner) -> Iterator[None]:
        """Save and raise ``KeyboardInterrupt`` where the process is to stop while the block trains.

        Args:
            runner: The runner, which has this hook.

        Raises:
            KeyboardInterrupt: Training was stopped, :class:`Terminated` where by SIGTERM; its text says how to go on.
        """
        if runner.distributed:
            yield
            return
        self._process = os.getpid()
        before = {number: signal.signal(number, self._press) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        except Exception as error:
            # a data loader whose workers got the signal too may fail first
            if not self._pressed or not (isinstance(error, Interrupted) or 'DataLoader' in str(error)):
                raise
            raise self._kind()(self._save(runner)) from error
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def before_train_epoch(self, runner: Runner) -> None:
        """Keep what a checkpoint within the epoch has to store.

        Args:
            runner: The runner that trains.
        """
        schedulers = [dict(scheduler.state_dict()) for scheduler in _schedulers(runner)]
        self._epoch_start = schedulers, [dict(group, params=None) for group in _groups(runner)]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Stop where a signal came."""
        self._stop()

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Stop where a signal came."""
        self._stop()

    def _press(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a terminal sends Ctrl-C to workers too; they load on until training ends
            return
        again, self._pressed = self._pressed, number
        if again:
            raise self._kind()('at once; no checkpoint was written for it')
        name = 'SIGTERM' if number == signal.SIGTERM else 'Ctrl-C'
        print(f'\n{name}: stopping after this step (again: at once)', flush=True)

    def _kind(self) -> type[KeyboardInterrupt]:
        return Terminated if self._pressed == signal.SIGTERM else KeyboardInterrupt

    def _stop(self) -> None:
        if self._pressed:
            raise Interrupted

    def _save(self, runner: Runner) -> str:
        """Write a checkpoint and name the command that goes on from it."""
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        if runner.iter == 0:
            return 'before the first step; there is no checkpoint'
        within = by_epoch and runner.iter != runner.epoch * len(runner.train_dataloader)
        meta = dict(epoch=runner.epoch, iter=runner.iter)
        if within:
            self._rewind(runner)
            meta['iter'] = runner.epoch * len(runner.train_dataloader)
        whole = by_epoch and not within
        name = f'epoch_{runner.epoch}.pth' if whole else f'iter_{runner.iter}.pth'
        file = Path(runner.work_dir) / name
        backend = dict(backend='posestructs.AtomicLocalBackend')
        runner.save_checkpoint(runner.work_dir, name, meta=meta, by_epoch=by_epoch, backend_args=backend)
        atomic_write(Path(runner.work_dir) / 'last_checkpoint', str(file).encode())
        repeats = f', which repeats epoch {runner.epoch + 1} from its start' if within else ''
        return f'after {runner.iter} iterations; {file} is written. Go on with --resume{repeats}'

    def _rewind(self, runner: Runner) -> None:
        schedulers, groups = self._epoch_start
        for scheduler, state in zip(_schedulers(runner), schedulers, strict=True):
            scheduler.load_state_dict(state)
        for group, before in zip(_groups(runner), groups, strict=True):
            group.update({key: value for key, value in before.items() if key != 'params'})


def _schedulers(runner: Runner) -> list[Any]:
    own = runner.param_schedulers or []
    return [scheduler for each in own.values() for scheduler in each] if isinstance(own, dict) else list(own)


def _groups(runner: Runner) -> list[dict]:
    wrappers = runner.optim_wrapper
    members = wrappers.values() if hasattr(wrappers, 'optim_wrappers') else [wrappers]
    return [group for member in members for group in member.optimizer.param_groups]
