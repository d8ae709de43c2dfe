"""Accuracy of all models side by side: same data, same budget, one table.

    python benchmarks/accuracy.py --budget cpu --jobs 2                   # all grids for a CPU
    python benchmarks/accuracy.py --budget cpu --data stick-figure --rows tree-none tree-both
    python benchmarks/accuracy.py --budget gpu --max-minutes 9 --unpack grid.tar --pack grid.tar --bf16 --workers 14
    python benchmarks/accuracy.py --report docs/benchmarks.md             # from the results that are there

Each run is a process that trains a row's config (``benchmarks/grid/rows.py``) under the grid's budget
(``benchmarks/grid/budgets.py``) and scores its last checkpoint, once, on the test people. A run that
was killed goes on from its last checkpoint; one whose result is there is not done again. Results are one JSON file a
run, from which tables, plots and intervals are made.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.grid.began import BEGAN

# isort: split
from mmengine.registry import init_default_scope

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from benchmarks.grid import archive
from benchmarks.grid.budgets import GRIDS, Grid
from benchmarks.grid.experiment import ROOT, Settings, check_config
from benchmarks.grid.plots import write_plots
from benchmarks.grid.report import grid_section
from benchmarks.grid.results import of_settings, read_grid
from benchmarks.grid.rows import BY_NAME
from benchmarks.grid.run import Place, Report, name_of, plan, run_all, unfinished, without_twins
from benchmarks.grid.sections import write_section
from benchmarks.grid.worker import Task
from posestructs.utils import cli
from posestructs.utils.launch import has_accelerator
from posestructs.utils.machine import commit
from posestructs.utils.usage import UsageError, report_usage_errors

INTRODUCTION = """## Accuracy

All rows of a table were trained on the same images for the same number of steps, with the same batches, augmentation
and schedule (Adam at 1e-3, warmed up and annealed; discriminators at 2e-4 where a row says nothing else), and their
last checkpoints scored, with flip test, on test people; where anything was chosen on those, the table says so. All
start from scratch but those that say ImageNet, and the mean pose learns nothing but itself. What has not been run is
open.

```bash
python benchmarks/accuracy.py --budget cpu --jobs 2
python benchmarks/accuracy.py --report docs/benchmarks.md
```

On a GPU that is to be had for minutes only, the grid is made in parts. Each takes over what the tar of the part before
holds, results and the newest checkpoints, and writes the next one, of 16 MiB at most. A checkpoint that does not go
into it, such as those of mmpose's models, stays out: its run begins anew, after all others. A copy of the checkout
without `.git` takes its commit from the environment variable `POSESTRUCTS_COMMIT`.

```bash
python benchmarks/accuracy.py --budget gpu --max-minutes 9 --unpack grid.tar --pack grid.tar --bf16 --workers 14
```"""
# kept of --max-minutes for the tar and the report
FOR_PACKING = 20.0
RESULTS = ROOT / 'benchmarks' / 'results' / 'accuracy'


def positive(text: str) -> int:
    """Read a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text} is not a whole number above 0')
    return int(text)


def count(text: str) -> int:
    """Read a whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'{text} is not a whole number')
    return int(text)


def minutes(text: str) -> float:
    """Read a number of minutes above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f'{text} is not a number of minutes above 0')
    return value


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--budget', choices=tuple(GRIDS), help='which grids to run')
    parser.add_argument('--data', nargs='+', metavar='NAME', help='which of the grids; default: all of the budget')
    parser.add_argument('--rows', nargs='+', metavar='NAME', help=f'default: all of a grid; {" ".join(BY_NAME)}')
    parser.add_argument('--seeds', nargs='+', type=cli.seed, help="default: the grid's")
    parser.add_argument('--jobs', type=positive, default=1, help='runs side by side')
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'accuracy', help='checkpoints and logs')
    parser.add_argument('--out', type=Path, default=RESULTS, help='results')
    parser.add_argument('--max-minutes', type=minutes, help='stop in time; the next call goes on')
    parser.add_argument('--report', type=Path, metavar='PAGE', help='only write tables and plots into a Markdown page')
    parser.add_argument('--unpack', type=Path, metavar='TAR', help='first, take over what --pack wrote')
    parser.add_argument('--pack', type=Path, metavar='TAR', help='at the end, write results and open checkpoints here')
    parser.add_argument('--list', action='store_true', help='say what is finished and what is left, and run nothing')
    sized = parser.add_argument_group('in place of what the grid says, to try it out')
    for flag in ('epochs', 'epoch-images', 'test-images', 'batch-size'):
        sized.add_argument(f'--{flag}', type=positive)
    sized.add_argument('--cfg-options', nargs='+', action=cli.OptionAction, default={}, metavar='KEY=VALUE')
    device = parser.add_argument_group('device')
    device.add_argument('--workers', type=count, default=0, help='processes that load data, of each run')
    device.add_argument('--no-cache', action='store_true', help='decode images anew in each epoch')
    device.add_argument('--bf16', action='store_true', help='train in bfloat16')
    device.add_argument('--channels-last', action='store_true', help='lay out tensors so')
    return parser.parse_args()


def choose(args: argparse.Namespace) -> list[tuple[str, list]]:
    """Grids and rows that a command line asks for.

    Args:
        args: Of :func:`parse_args`.

    Returns:
        list[tuple[str, list]]: Data and rows of each grid.

    Raises:
        UsageError: There is no such grid, no such row in them, a row's config is absent, or the device is not fit.
    """
    if args.bf16 and not has_accelerator():
        raise UsageError('--bf16 needs a GPU')
    grids = GRIDS[args.budget]
    unknown = [name for name in args.data or () if name not in grids]
    if unknown:
        raise UsageError(f'--data {" ".join(unknown)}: --budget {args.budget} has {" ".join(grids)}')
    unknown = [name for name in args.rows or () if name not in BY_NAME]
    if unknown:
        raise UsageError(f'--rows {" ".join(unknown)}: allowed are {" ".join(BY_NAME)}')
    wanted = args.data or list(grids)
    there = {row.name for data in wanted for row in grids[data].rows()}
    if absent := [name for name in args.rows or () if name not in there]:
        raise UsageError(f'--rows {" ".join(absent)}: no row of {" ".join(wanted)}')
    chosen = []
    for data in wanted:
        grid = grids[data]
        rows = [row for row in grid.rows() if args.rows is None or row.name in args.rows]
        # what decodes a checkpoint needs the row that trains it
        rows += [BY_NAME[row.decode_of] for row in rows if row.decode_of and BY_NAME[row.decode_of] not in rows]
        for row in rows:
            check_config(grid, row)
        chosen.append((data, rows))
    return chosen


def settings_of(args: argparse.Namespace) -> Settings:
    """What the command line changes of a grid."""
    return Settings(
        epochs=args.epochs,
        epoch_images=args.epoch_images,
        test_images=args.test_images,
        batch_size=args.batch_size,
        workers=args.workers,
        cache=not args.no_cache,
        bf16=args.bf16,
        channels_last=args.channels_last,
        options=args.cfg_options,
    )


def sizes_of(settings: Settings) -> dict[str, Any]:
    """Flags that make a run another one than the grid's, and their values."""
    return {
        '--epochs': settings.epochs,
        '--epoch-images': settings.epoch_images,
        '--test-images': settings.test_images,
        '--batch-size': settings.batch_size,
        '--cfg-options': settings.options,
    }


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()


def write_report(page: Path, results: Path, grids: Sequence[Grid], settings: Settings) -> None:
    """Write the part of a page that tells of accuracy, and its plots beside the page in ``images/benchmarks``.

    Args:
        page: The page's file.
        results: Folder of results.
        grids: What to report on.
        settings: What the calls changed whose results are wanted.
    """
    parts = [INTRODUCTION]
    for grid in grids:
        found = read_grid(results, grid)
        runs = of_settings(found, grid, settings)
        own = {name for name, kept in found.items() if any(run.facts['grid'] == grid.name for run in kept)}
        for name in sorted(own - set(runs)):
            say(f'{grid.name}/{name}: left out of {page.name}, as its result is of another config or other settings')
        pictures = write_plots(grid, runs, page.parent / 'images' / 'benchmarks')
        names = {about: path.relative_to(page.parent).as_posix() for about, path in pictures.items()}
        parts.append(grid_section(grid, runs, names))
    write_section(page, 'accuracy', '\n\n'.join(parts))
    say(f'{page}: written')


def names_of(budget: str) -> list[str]:
    """Names of a budget's grids."""
    return [grid.name for grid in GRIDS[budget].values()]


def finish(args: argparse.Namespace, place: Place, tasks: Sequence[tuple[Task, bool]], report: Report) -> None:
    """Report and pack what a call has done.

    Args:
        args: The command line.
        place: Where files are.
        tasks: All runs of the call.
        report: What became of them.
    """
    if args.pack:  # before all that could fail
        for name in archive.pack(args.pack, place, names_of(args.budget), unfinished(tasks, report)):
            say(f'--pack: the checkpoint of {name} is too large, its run will begin anew, after all others')
    write_report(place.results / 'README.md', place.results, list(GRIDS[args.budget].values()), settings_of(args))


@report_usage_errors
def main() -> None:
    """Run the grids."""
    args = parse_args()
    place = Place(args.work_dir.resolve(), args.out.resolve())
    if args.report:
        grids = [grid for budget in GRIDS.values() for grid in budget.values()]
        write_report(args.report, place.results, grids, settings_of(args))
        return
    if args.budget is None:
        raise UsageError('--budget: give one of ' + ' '.join(GRIDS))
    init_default_scope('mmpose')
    settings = settings_of(args)
    tried = {name: value for name, value in sizes_of(settings).items() if value}
    if tried and place.results == RESULTS:
        raise UsageError(f'{" ".join(tried)} change what the grid says: --out must be another folder than {RESULTS}')
    if args.unpack:
        count = archive.unpack(args.unpack, place) if args.unpack.is_file() else 'not there yet, nothing is taken over'
        say(f'--unpack {args.unpack}: {count}')
    planned = [plan(args.budget, data, rows, args.seeds, place, settings) for data, rows in choose(args)]
    tasks = without_twins(task for part in planned for task in part)
    for task, finished in tasks:
        if finished or args.list:
            say(f'{name_of(task)}: {"finished before" if finished else "open"}')
    if args.list:
        return
    if commit().endswith('-dirty'):
        say('note: files differ from the last commit, and results will say so (-dirty)')
    end = None if args.max_minutes is None else BEGAN + 60 * args.max_minutes - (FOR_PACKING if args.pack else 0)
    # a call that is cut off leaves a tar all the same
    keep = partial(archive.pack, args.pack, place, names_of(args.budget)) if args.pack else lambda folders: None
    report = run_all(tasks, args.jobs, end, say, keep)
    finish(args, place, tasks, report)
    say(f'{len(report.done)} finished, {len(report.left)} left, {len(report.failed)} failed')
    if report.failed:
        raise SystemExit('\n'.join(f'{name} failed, see {log}' for name, log in report.failed.items()))


if __name__ == '__main__':
    main()
