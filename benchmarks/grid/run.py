"""Doing the runs of a grid: what is left to do, a process for each, several side by side."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.grid.budgets import GRIDS
from benchmarks.grid.experiment import ROOT, Settings, fingerprint
from benchmarks.grid.rows import Row
from benchmarks.grid.worker import OUT_OF_TIME, TAKEN, Task, decoders_of, result_path

# of a call's time, kept for scoring: training stops so much earlier
FOR_SCORING = 45.0
POLL = 0.2
PUT_OFF = 'checkpoint_too_large'
"""File in a run's folder: its checkpoint did not travel, so that it begins anew, and no other run waits for it."""


@dataclass(frozen=True)
class Place:
    """Where a grid's files go.

    Attributes:
        work: For checkpoints and logs; may be deleted once everything is done.
        results: For the JSON files.
    """

    work: Path
    results: Path


@dataclass(frozen=True)
class Report:
    """What became of a call.

    Attributes:
        done: Names of the runs that were finished, now or before.
        left: Names of those that another call has to go on with.
        failed: Names of those that ended with an error, and their logs.
    """

    done: list[str]
    left: list[str]
    failed: dict[str, Path]


def is_finished(path: Path, mark: str) -> bool:
    """Whether a result is there, and of the same run.

    Args:
        path: Its file.
        mark: Fingerprint of the run.

    Returns:
        bool: Whether nothing is left to do.
    """
    try:
        return json.loads(path.read_text())['fingerprint'] == mark
    except (OSError, ValueError, KeyError):
        return False


def plan(
    budget: str, data: str, rows: Iterable[Row], seeds: Sequence[int] | None, place: Place, settings: Settings
) -> list[tuple[Task, bool]]:
    """List the runs of a grid.

    Args:
        budget: Of :data:`GRIDS`.
        data: Of the budget.
        rows: Which of its rows; one that only decodes comes along with the row that it decodes.
        seeds: In place of the grid's.
        place: Where files go.
        settings: What the call changes.

    Returns:
        list[tuple[Task, bool]]: The runs and whether they are finished, the first seed of all main rows first.
    """
    grid = GRIDS[budget][data]
    rows = [row for row in grid.rows() if row in list(rows) and row.decode_of is None]
    results, *shared = (place.results / name for name in grid.folders())
    listed = []
    for row in rows:
        for order, seed in enumerate(seeds if seeds is not None else grid.seeds_of(row)):
            marks = {scored: fingerprint(grid, scored, seed, settings) for scored in (row, *decoders_of(row, grid))}
            work = place.work / grid.name / f'{row.name}_seed{seed}_{marks[row]}'
            task = Task(budget, data, row.name, seed, str(work), str(results), None, settings)
            finished = all(
                any(is_finished(result_path(folder, scored, seed), mark) for folder in (results, *shared))
                for scored, mark in marks.items()
            )
            listed.append(((not row.main, order), task, finished))
    return [(task, finished) for _, task, finished in sorted(listed, key=lambda item: item[0])]


def without_twins(tasks: Iterable[tuple[Task, bool]]) -> list[tuple[Task, bool]]:
    """Leave out runs that two grids share and that another grid of the same call makes already.

    Args:
        tasks: Of :func:`plan`, of all grids of a call.

    Returns:
        list[tuple[Task, bool]]: The first of each kind, in the same order.
    """
    first: dict[str, tuple[Task, bool]] = {}
    for task, finished in tasks:
        # row, seed and fingerprint
        first.setdefault(Path(task.folder).name, (task, finished))
    return list(first.values())


def name_of(task: Task) -> str:
    """Short name of a run."""
    return f'{task.data}/{task.row}/seed{task.seed}'


def run_all(
    tasks: Sequence[tuple[Task, bool]],
    jobs: int,
    end: float | None,
    say: Callable[[str], None],
    keep: Callable[[list[Path]], None] = lambda folders: None,
) -> Report:
    """Do what is left of a plan.

    Args:
        tasks: Of :func:`plan`. A run that was begun before comes first, one whose checkpoint was too large last.
        jobs: Runs side by side; the cores are shared out among them.
        end: ``time.time()`` at which to stop, or ``None``; what was begun goes on in the next call.
        say: Gets a line on each run's begin and end.
        keep: Called after each run, with the folders of those that are not finished.

    Returns:
        Report: What became of the runs.
    """
    report = Report([name_of(task) for task, finished in tasks if finished], [], {})
    waiting = sorted((task for task, finished in tasks if not finished), key=_turn)
    running: dict[subprocess.Popen, tuple[Task, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs and (end is None or time.time() < end - FOR_SCORING):
                task = waiting.pop(0)
                say(f'{name_of(task)}: {"goes on" if _begun(task) else "begins"}, log in {_log(task)}')
                running[_start(task, jobs, end)] = task, time.time()
            if not running:
                break
            time.sleep(POLL)
            for process in [p for p in running if p.poll() is not None]:
                task, began = running.pop(process)
                _note(report, task, process.returncode)
                say(f'{name_of(task)}: {_ending(process.returncode)} after {(time.time() - began) / 60:.1f} minutes')
                keep(unfinished(tasks, report))
            if end is not None and time.time() > end:
                break
    finally:
        _stop(running)
    report.left.extend(name_of(task) for task, _ in running.values())
    report.left.extend(map(name_of, waiting))
    return report


def unfinished(tasks: Iterable[tuple[Task, bool]], report: Report) -> list[Path]:
    """Folders of the runs that another call has to go on with, be they left or failed, in the order of the plan."""
    return [Path(task.folder) for task, _ in tasks if name_of(task) not in report.done]


def _turn(task: Task) -> int:
    return 0 if _begun(task) else 2 if (Path(task.folder) / PUT_OFF).is_file() else 1


def _begun(task: Task) -> bool:
    return any(Path(task.folder).glob('epoch_*.pth'))


def _log(task: Task) -> Path:
    return Path(task.folder) / 'run.log'


def _start(task: Task, jobs: int, end: float | None) -> subprocess.Popen:
    Path(task.folder).mkdir(parents=True, exist_ok=True)
    task = dataclasses.replace(task, deadline=None if end is None else end - FOR_SCORING)
    threads = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    environment = {**os.environ, 'OMP_NUM_THREADS': threads, 'MKL_NUM_THREADS': threads}
    command = [sys.executable, '-m', 'benchmarks.grid.worker', task.to_json()]
    with _log(task).open('ab') as log:
        # a group of its own, so that what it starts ends with it
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _note(report: Report, task: Task, status: int) -> None:
    if status == 0:
        report.done.append(name_of(task))
    elif status in (OUT_OF_TIME, TAKEN):
        report.left.append(name_of(task))
    else:
        report.failed[name_of(task)] = _log(task)


def _ending(status: int) -> str:
    known = {0: 'finished', OUT_OF_TIME: 'stopped, to go on in another call', TAKEN: 'left to another process'}
    return known.get(status, f'FAILED (status {status})')


def _stop(running: Iterable[subprocess.Popen]) -> None:
    """End what still runs and what that has started; the last checkpoints stay."""
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
