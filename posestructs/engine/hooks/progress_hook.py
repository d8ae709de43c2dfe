"""Progress bar on a terminal; no output to a file or a pipe."""

from __future__ import annotations

import atexit
import logging
import sys
import time
from collections.abc import Sequence
from datetime import timedelta

from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpose.registry import HOOKS
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from posestructs.engine.hooks.throughput_hook import batch_length


@HOOKS.register_module()
class ProgressHook(Hook):
    """Show position, loss, images per second and time left of the running loop below the log lines of a terminal.

    The bar is drawn by rank 0, and only where stdout is a terminal: in a pipe mmengine's log lines say the same.

    Args:
        refresh_seconds: Shortest time between two drawings.
    """

    # after the hooks that write what it shows
    priority = 'LOW'

    def __init__(self, refresh_seconds: float = 0.2) -> None:
        self._refresh_seconds = refresh_seconds
        self._bar: TerminalBar | None = None
        self._images = 0
        self._start = 0.0

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin a row for the epoch, or for the whole training where it counts iterations."""
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            title, total = f'train {runner.epoch + 1}/{runner.max_epochs}', len(runner.train_dataloader)
        else:
            title, total = 'train', runner.max_iters
        self._begin(runner, 'train', title, total)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Advance the training row."""
        scalars = runner.message_hub.log_scalars
        speed = scalars.get('train/images_per_second')
        self._show(
            runner, 'train', batch_idx, [*losses_shown(scalars), f'{speed.current():.1f} img/s' if speed else '']
        )

    def before_val_epoch(self, runner: Runner) -> None:
        """Begin a row for validation."""
        self._begin(runner, 'val', 'val', len(runner.val_dataloader))

    def before_test_epoch(self, runner: Runner) -> None:
        """Begin a row for testing."""
        self._begin(runner, 'test', 'test', len(runner.test_dataloader))

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: Sequence | None = None
    ) -> None:
        """Advance the validation row."""
        self._show(runner, 'val', batch_idx, [self._speed(runner, data_batch)])

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: Sequence | None = None
    ) -> None:
        """Advance the test row."""
        self._show(runner, 'test', batch_idx, [self._speed(runner, data_batch)])

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Remove the validation row."""
        if self._bar is not None:
            self._bar.remove('val')

    def after_run(self, runner: Runner) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _begin(self, runner: Runner, row: str, title: str, total: int) -> None:
        self._images, self._start = 0, time.perf_counter()
        if self._bar is None and runner.rank == 0 and is_terminal():
            self._bar = TerminalBar(runner.logger, self._refresh_seconds)
        if self._bar is not None:
            self._bar.begin(row, title, total)

    def _speed(self, runner: Runner, data_batch: dict | None) -> str:
        self._images += batch_length(data_batch) * runner.world_size
        return f'{self._images / max(time.perf_counter() - self._start, 1e-9):.1f} img/s'

    def _show(self, runner: Runner, row: str, batch_idx: int, notes: list[str]) -> None:
        if self._bar is None:
            return
        eta = runner.message_hub.runtime_info.get('eta')  # by IterTimerHook
        left = [] if eta is None else [f'ETA {timedelta(seconds=int(eta))}']
        self._bar.advance(row, batch_idx + 1, '  '.join(filter(None, [*notes, *left])))


class TerminalBar:
    """Rows of progress that stay below the lines of a logger.

    It has no thread: it is drawn by :meth:`advance` at most every ``refresh_seconds``, so that a data loader may fork.

    Args:
        logger: Its stream handlers write above the bar until :meth:`close`.
        refresh_seconds: Shortest time between two drawings.
    """

    def __init__(self, logger: logging.Logger, refresh_seconds: float) -> None:
        self._refresh_seconds = refresh_seconds
        self._drawn = 0.0
        self._rows: dict[str, TaskID] = {}
        stdout = sys.stdout
        columns = (
            TextColumn('{task.description}'),
            BarColumn(20),
            MofNCompleteColumn(),
            TextColumn('{task.fields[note]}'),
        )
        self._progress = Progress(*columns, console=Console(file=stdout), auto_refresh=False, transient=True)
        self._progress.start()
        # a killed process cannot bring a hidden cursor back
        self._progress.console.show_cursor(True)
        self._redirected = [(h, h.stream) for h in logger.handlers if getattr(h, 'stream', None) is stdout]
        for handler, _ in self._redirected:
            handler.setStream(_AboveBar(self._progress.console))
        # a traceback ends the process without after_run
        atexit.register(self.close)

    def begin(self, row: str, title: str, total: int) -> None:
        """Add a row, in place of one of the same name.

        Args:
            row: Its name.
            title: Its text.
            total: Its number of steps.
        """
        self.remove(row)
        self._rows[row] = self._progress.add_task(title, total=total, note='')

    def advance(self, row: str, completed: int, note: str) -> None:
        """Set a row's state and draw it if it is time.

        Args:
            row: Its name.
            completed: Number of steps done.
            note: Text behind the bar.
        """
        self._progress.update(self._rows[row], completed=completed, note=note)
        now = time.monotonic()
        if now - self._drawn >= self._refresh_seconds or self._progress.finished:
            self._progress.refresh()
            self._drawn = now

    def remove(self, row: str) -> None:
        """Remove a row, if it exists.

        Args:
            row: Its name.
        """
        if row in self._rows:
            self._progress.remove_task(self._rows.pop(row))

    def close(self) -> None:
        """Remove the bar and restore the logger's stream."""
        atexit.unregister(self.close)
        self._progress.stop()
        for handler, stream in self._redirected:
            handler.setStream(stream)
        self._redirected = []


class _AboveBar:
    """A stream whose lines scroll above the bar, whole: what rich puts in place of stdout breaks them to the width."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> None:
        self._console.print(Text.from_ansi(text.removesuffix('\n')), soft_wrap=True)

    def flush(self) -> None:
        self._console.file.flush()


def is_terminal() -> bool:
    """Check whether stdout is a terminal that can move its cursor.

    Returns:
        bool: Not so in a pipe, a file, or with ``TERM=dumb``.
    """
    return sys.stdout.isatty() and not Console(file=sys.stdout).is_dumb_terminal


def losses_shown(scalars: dict[str, HistoryBuffer]) -> list[str]:
    """Choose the losses that fit into a line.

    Args:
        scalars: Log histories by name, as a message hub holds them.

    Returns:
        list[str]: The total training loss, or each one's where there is no total.
    """
    names = ['train/loss'] if 'train/loss' in scalars else [n for n in scalars if n.startswith('train/loss')]
    return [f'{name.removeprefix("train/")} {scalars[name].current():.4g}' for name in names]
