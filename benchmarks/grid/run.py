"""Plan and execute the runs of a grid, each in a process, several side by side."""

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

from benchmarks.grid.experiment import ROOT, Settings, fingerprint
from benchmarks.grid.grids import GRIDS
from benchmarks.grid.rows import Row
from benchmarks.grid.worker import OUT_OF_TIME, TAKEN, Task, decoders_of, result_path
from posestructs.utils.machine import environment_with_threads, threads_per_job

# seconds before the end of a call at which training stops, so that there is time to score
FOR_SCORING = 45.0
POLL = 0.2


@dataclass(frozen=True)
class Place:
    """Folders of the files of all grids.

    Attributes:
        work: Folder of checkpoints and logs; may be deleted once all runs are finished.
        results: Folder of the result files.
    """

    work: Path
    results: Path


@dataclass(frozen=True)
class Report:
    """Outcome of a call.

    Attributes:
        done: Names of the finished runs, earlier ones included.
        left: Names of the runs that another call has to resume or to begin.
        failed: Logs of the runs that ended with an error, by name.
    """

    done: list[str]
    left: list[str]
    failed: dict[str, Path]


def is_finished(path: Path, mark: str) -> bool:
    """Whether a file holds the result of the run with this fingerprint."""
    try:
        return json.loads(path.read_text())['fingerprint'] == mark
    except (OSError, ValueError, KeyError):
        return False


def plan(
    budget: str, data: str, rows: Iterable[Row], seeds: Sequence[int] | None, place: Place, settings: Settings
) -> list[tuple[Task, bool]]:
    """List the runs of a grid.

    Args:
        budget: Key of :data:`GRIDS`.
        data: Key of the budget's grids.
        rows: Rows of the grid to run. A row that decodes a checkpoint is scored along with the row that trains it.
        seeds: Seeds in place of the grid's.
        place: Folders of the files.
        settings: Changes by the command line.

    Returns:
        The runs, and whether each is finished. The first seeds of the main rows come first.
    """
    grid = GRIDS[budget][data]
    wanted = {row.name for row in rows}
    results, *shared = (place.results / name for name in grid.folders())
    listed = []
    for row in (row for row in grid.rows if row.name in wanted and row.decode_of is None):
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


def without_duplicates(tasks: Iterable[tuple[Task, bool]]) -> list[tuple[Task, bool]]:
    """Remove runs that several grids of a call share, keeping the first."""
    first: dict[str, tuple[Task, bool]] = {}
    for task, finished in tasks:
        # the folder's name holds row, seed and fingerprint
        first.setdefault(Path(task.folder).name, (task, finished))
    return list(first.values())


def name_of(task: Task) -> str:
    """Short name of a run."""
    return f'{task.data}/{task.row}/seed{task.seed}'


def run_all(tasks: Sequence[tuple[Task, bool]], jobs: int, end: float | None, say: Callable[[str], None]) -> Report:
    """Execute the unfinished runs of a plan; those that have a checkpoint come first.

    Args:
        tasks: Runs of :func:`plan`.
        jobs: Number of runs side by side; they share the cores evenly, see :func:`threads_per_job`.
        end: Time at which to stop, as of ``time.time()``; the next call resumes what was begun.
        say: Function that prints a line at the begin and the end of each run.

    Returns:
        The outcome.
    """
    report = Report([name_of(task) for task, finished in tasks if finished], [], {})
    waiting = sorted((task for task, finished in tasks if not finished), key=lambda task: not _has_checkpoint(task))
    running: dict[subprocess.Popen, tuple[Task, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs and (end is None or time.time() < end - FOR_SCORING):
                task = waiting.pop(0)
                how, threads = 'resumes' if _has_checkpoint(task) else 'begins', threads_per_job(jobs)
                say(f'{name_of(task)}: {how}, number of threads: {threads}, log in {_log(task)}')
                running[_start(task, jobs, end)] = task, time.time()
            if not running:
                break
            time.sleep(POLL)
            for process in [p for p in running if p.poll() is not None]:
                task, began = running.pop(process)
                _note(report, task, process.returncode)
                say(f'{name_of(task)}: {_ending(process.returncode)} after {(time.time() - began) / 60:.1f} minutes')
            if end is not None and time.time() > end:
                break
    finally:
        _stop(running)
    report.left.extend(name_of(task) for task, _ in running.values())
    report.left.extend(map(name_of, waiting))
    return report


def _has_checkpoint(task: Task) -> bool:
    return any(Path(task.folder).glob('epoch_*.pth'))


def _log(task: Task) -> Path:
    return Path(task.folder) / 'run.log'


def _start(task: Task, jobs: int, end: float | None) -> subprocess.Popen:
    Path(task.folder).mkdir(parents=True, exist_ok=True)
    task = dataclasses.replace(task, deadline=None if end is None else end - FOR_SCORING)
    environment = environment_with_threads(threads_per_job(jobs))
    command = [sys.executable, '-m', 'benchmarks.grid.worker', task.to_json()]
    with _log(task).open('ab') as log:
        # in a process group of its own, so that its child processes can be ended with it
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
    known = {0: 'finished', OUT_OF_TIME: 'stopped at a checkpoint', TAKEN: 'left to another process'}
    return known.get(status, f'FAILED (status {status})')


def _stop(running: Iterable[subprocess.Popen]) -> None:
    """End running processes and their children; their last checkpoints stay."""
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
