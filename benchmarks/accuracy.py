"""Accuracy of all models on the same data under the same budget.

    python benchmarks/accuracy.py --budget cpu --jobs 2                   # all grids for a CPU
    python benchmarks/accuracy.py --budget cpu --data stick-figure --rows tree-none tree-both
    python benchmarks/accuracy.py --budget gpu --max-minutes 9 --bf16 --workers 14
    python benchmarks/accuracy.py --budget structure                      # controls for the effect of messages
    python benchmarks/accuracy.py --report docs/benchmarks.md             # from existing results

Each run is a process that trains the config of a row under the budget of its grid (``benchmarks/grid/grids.py``) and
scores the last checkpoint once on the test samples. Interrupted runs resume from their last checkpoint, finished runs
are not repeated. Each run writes a JSON file, from which tables, plots and intervals are computed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmengine.registry import init_default_scope

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from benchmarks.grid.experiment import ROOT, Settings, check_config
from benchmarks.grid.grids import GRIDS, Grid
from benchmarks.grid.report import grid_section, write_plots
from benchmarks.grid.results import of_settings, read_grid
from benchmarks.grid.rows import BY_NAME, Row
from benchmarks.grid.run import Place, name_of, plan, run_all, without_duplicates
from benchmarks.page import write_section
from posestructs.utils import cli
from posestructs.utils.launch import has_accelerator
from posestructs.utils.machine import commit
from posestructs.utils.usage import UsageError, report_usage_errors

INTRODUCTION = """## Accuracy

All rows of a table were trained on the same images for the same number of steps, with the same batches, augmentation
and schedule (Adam at 1e-3 with warm-up and annealing; discriminators at 2e-4 unless a row states otherwise). Their last
checkpoints were scored with flip test; where anything was selected on the test samples, the table says so. All rows
start from scratch, except those labelled ImageNet or MoveNet, whose backbones start from published weights (MoveNet's
learn at 0.3 times the rate), and the mean pose, which has no model. Rows without results are open.

```bash
python benchmarks/accuracy.py --budget cpu --jobs 2
python benchmarks/accuracy.py --budget structure        # tables structure_...: what messages do, and their controls
python benchmarks/accuracy.py --report docs/benchmarks.md
```

With `--max-minutes` a call stops in time, and the next one resumes. To continue on another machine, copy the folders
`work_dirs/accuracy` (checkpoints of unfinished runs) and `benchmarks/results/accuracy`. A copy of the checkout without
`.git` takes its commit from the environment variable `POSESTRUCTS_COMMIT`.

```bash
python benchmarks/accuracy.py --budget gpu --max-minutes 9 --bf16 --workers 14
```"""
RESULTS = ROOT / 'benchmarks' / 'results' / 'accuracy'


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
    parser.add_argument('--budget', choices=tuple(GRIDS), help='budget of the grids to run')
    parser.add_argument('--data', nargs='+', metavar='NAME', help='grids of the budget; default: all')
    parser.add_argument('--rows', nargs='+', metavar='NAME', help=f'rows; default: all of a grid; {" ".join(BY_NAME)}')
    parser.add_argument('--seeds', nargs='+', type=cli.seed, help="seeds; default: the grid's")
    parser.add_argument('--jobs', type=cli.positive, default=1, help='runs side by side')
    parser.add_argument(
        '--work-dir', type=Path, default=ROOT / 'work_dirs' / 'accuracy', help='folder of checkpoints and logs'
    )
    cli.add_renamed(parser, '--out-dir', '--out', dest='out', type=Path, default=RESULTS, help='folder of the results')
    parser.add_argument('--max-minutes', type=minutes, help='stop after this many minutes; the next call resumes')
    parser.add_argument('--report', type=Path, metavar='PAGE', help='only write tables and plots into a Markdown page')
    parser.add_argument('--list', action='store_true', help='list finished and open runs, and run nothing')
    sized = parser.add_argument_group("trials: in place of the grid's values")
    for flag in ('epochs', 'epoch-images', 'test-images', 'batch-size'):
        sized.add_argument(f'--{flag}', type=cli.positive)
    sized.add_argument('--cfg-options', nargs='+', action=cli.OptionAction, default={}, metavar='KEY=VALUE')
    device = parser.add_argument_group('device')
    device.add_argument('--workers', type=count, default=0, help='data loading processes of each run')
    device.add_argument('--no-cache', action='store_true', help='decode images again in each epoch')
    device.add_argument('--bf16', action='store_true', help='train in bfloat16')
    device.add_argument('--channels-last', action='store_true', help='use the channels-last memory format')
    return parser.parse_args()


def choose(args: argparse.Namespace) -> list[tuple[str, list[Row]]]:
    """Grids and rows of a command line.

    Args:
        args: Arguments of :func:`parse_args`.

    Returns:
        Data and rows of each grid.

    Raises:
        UsageError: A grid, a row, the config of a row or the GPU does not exist.
    """
    if args.bf16 and not has_accelerator():
        raise UsageError('--bf16 needs a GPU')
    grids = GRIDS[args.budget]
    if unknown := [name for name in args.data or () if name not in grids]:
        raise UsageError(f'--data {" ".join(unknown)}, allowed with --budget {args.budget}: {" ".join(grids)}')
    if unknown := [name for name in args.rows or () if name not in BY_NAME]:
        raise UsageError(f'--rows {" ".join(unknown)}, allowed: {" ".join(BY_NAME)}')
    wanted = args.data or list(grids)
    available = [row.name for row in BY_NAME.values() if any(row in grids[data].rows for data in wanted)]
    if absent := [name for name in args.rows or () if name not in available]:
        raise UsageError(f'--rows {" ".join(absent)}, allowed with --data {" ".join(wanted)}: {" ".join(available)}')
    chosen = []
    for data in wanted:
        grid = grids[data]
        rows = [row for row in grid.rows if args.rows is None or row.name in args.rows]
        # a row that decodes a checkpoint needs the row that trains it
        rows += [BY_NAME[row.decode_of] for row in rows if row.decode_of and BY_NAME[row.decode_of] not in rows]
        for row in rows:
            check_config(grid, row)
        chosen.append((data, rows))
    return chosen


def settings_of(args: argparse.Namespace) -> Settings:
    """Changes to a grid by a command line."""
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
    """Flags that change the result of a run, and their values."""
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
    """Write the accuracy part of a page, and its plots beside the page in ``images/benchmarks``.

    Args:
        page: File of the page.
        results: Folder of the results.
        grids: Grids to report.
        settings: Changes by the command line that the results were made with.
    """
    parts = [INTRODUCTION]
    for grid in grids:
        found = read_grid(results, grid)
        runs = of_settings(found, grid, settings)
        own = {name for name, kept in found.items() if any(run.facts['grid'] == grid.name for run in kept)}
        for name in sorted(own - set(runs)):
            say(f'{grid.name}/{name}: left out of {page.name}, since its config or settings differ')
        plots = write_plots(grid, runs, page.parent / 'images' / 'benchmarks')
        names = {about: path.relative_to(page.parent).as_posix() for about, path in plots.items()}
        parts.append(grid_section(grid, runs, names))
    write_section(page, 'accuracy', '\n\n'.join(parts))
    say(f'{page}: written')


@report_usage_errors
def main() -> None:
    """Run the grids."""
    began = time.time()
    args = parse_args()
    place = Place(args.work_dir.resolve(), args.out.resolve())
    if args.report:
        grids = [grid for budget in GRIDS.values() for grid in budget.values()]
        write_report(args.report, place.results, grids, settings_of(args))
        return
    if args.budget is None:
        raise UsageError(f'--budget is missing, allowed: {" ".join(GRIDS)}')
    init_default_scope('mmpose')
    settings = settings_of(args)
    tried = [name for name, value in sizes_of(settings).items() if value]
    if tried and place.results == RESULTS:
        raise UsageError(
            f'--out {RESULTS} with {" ".join(tried)}, allowed: another folder, since they change the results'
        )
    planned = [plan(args.budget, data, rows, args.seeds, place, settings) for data, rows in choose(args)]
    tasks = without_duplicates(task for part in planned for task in part)
    for task, finished in tasks:
        if finished or args.list:
            say(f'{name_of(task)}: {"finished before" if finished else "open"}')
    if args.list:
        return
    if commit().endswith('-dirty'):
        say('note: files differ from the last commit; the results are marked -dirty')
    end = None if args.max_minutes is None else began + 60 * args.max_minutes
    report = run_all(tasks, args.jobs, end, say)
    grids = list(GRIDS[args.budget].values())
    write_report(place.results / 'README.md', place.results, grids, settings)
    say(f'{len(report.done)} finished, {len(report.left)} left, {len(report.failed)} failed')
    if report.failed:
        raise SystemExit('\n'.join(f'{name} failed, see {log}' for name, log in report.failed.items()))


if __name__ == '__main__':
    main()
