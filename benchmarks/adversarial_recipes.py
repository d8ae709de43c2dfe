"""Recipes of adversarial fine-tuning against the same further training without discriminators.

    python benchmarks/adversarial_recipes.py                              # controls with three seeds, recipes with one
    python benchmarks/adversarial_recipes.py --best b d                   # two more seeds of the best two
    python benchmarks/adversarial_recipes.py --best b d --final           # scored once on val.txt
    python benchmarks/adversarial_recipes.py --rows control a c e --seeds 0 --max-minutes 60
    python benchmarks/adversarial_recipes.py --rows stick-control stick-frozen-d stick-a stick-c stick-e
    python benchmarks/adversarial_recipes.py --cost                       # CPU time of a step of each recipe
    python benchmarks/adversarial_recipes.py --report docs/benchmarks.md --summary docs/adversarial_training.md

Each run trains a config of ``configs/adversarial_posenet/recipes`` on the first 4,400 persons of train.txt. Recipes are
compared on its other 600, so that val.txt is left for the one comparison that ``--final`` makes; the shipped weights
that all rows start from have seen these 600. Rows ``stick-*`` train on synthetic figures; their generator is trained
once on 200,000 other figures, and lies beside their work directories. Interrupted runs resume from their last
checkpoint, finished ones are not repeated. A result is a JSON file with the counts of each person, from which intervals
are computed, error kinds, and the diagnostics of the discriminators. ``--report`` and ``--summary`` write tables from
existing results.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from benchmarks.raw_results import write_results
from benchmarks.recipes.cost import measure
from benchmarks.recipes.report import COST, by_data, read_cost, read_results, tables, write_report, write_summary
from benchmarks.recipes.rows import (
    CONFIGS,
    DEFAULT,
    HELD_OUT,
    ROOT,
    ROWS,
    TRAINED,
    Trial,
    fingerprint,
    make_config,
    make_generator_config,
)
from benchmarks.recipes.run import FINAL, HELD, SAVING, complete, score, train
from posestructs.utils import cli
from posestructs.utils.machine import describe_machine
from posestructs.utils.usage import report_usage_errors


def execute(name: str, seed: int, args: argparse.Namespace, trial: Trial, end: float | None) -> str:
    """Train and score a run.

    Returns:
        str: 'finished', 'finished before', or 'left' for another call.
    """
    row, where = ROWS[name], FINAL if args.final else HELD
    mark = fingerprint(row, seed, trial)
    out = args.out / where / f'{name}_seed{seed}.json'
    before = json.loads(out.read_text()) if out.is_file() else {}
    if before.get('fingerprint') == mark and complete(before):
        return 'finished before'
    # described before the training, as another commit may be checked out meanwhile
    machine, cfg, folder = describe_machine(), make_config(row, trial), args.work_dir / f'{name}_seed{seed}_{mark}'
    if row.figures and train(make_generator_config(trial), 0, trial.generator, end) is None:
        return 'left'
    checkpoint = train(cfg, seed, folder, end)
    if checkpoint is None or (end is not None and time.time() > end):
        return 'left'
    found = dict(
        row=name, seed=seed, fingerprint=mark, config=f'{CONFIGS.relative_to(ROOT)}/{row.config}.py', machine=machine
    )
    budgets = [hook['share'] for hook in cfg.custom_hooks if hook['type'] == 'GradientBudgetHook']
    found |= dict(budget=budgets[0]) if budgets else {}
    found |= score(cfg, checkpoint, folder, where, trial, row.figures)
    write_results(out, found)
    return 'finished'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--rows', nargs='+', choices=ROWS, metavar='NAME', help=f'default: {" ".join(DEFAULT)}')
    parser.add_argument('--seeds', nargs='+', type=cli.seed, help='default: 0; 0 1 2 of control and of --best')
    parser.add_argument('--best', nargs='+', choices=ROWS, metavar='NAME', help='only control and these, three seeds')
    parser.add_argument('--final', action='store_true', help='score on val.txt, once, after the choice is made')
    parser.add_argument('--max-minutes', type=float, help='stop after this many minutes; the next call resumes')
    parser.add_argument('--list', action='store_true', help='list the runs, and run nothing')
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'adversarial_recipes')
    results = ROOT / 'benchmarks' / 'results' / 'adversarial_recipes'
    cli.add_renamed(parser, '--out-dir', '--out', dest='out', type=Path, default=results, help='folder of the results')
    parser.add_argument('--cost', action='store_true', help='only measure the CPU time of a step of each recipe')
    parser.add_argument('--rounds', type=int, default=6, help='rounds of --cost')
    parser.add_argument('--report', type=Path, metavar='PAGE', help='only write tables into a Markdown page')
    parser.add_argument('--summary', type=Path, metavar='PAGE', help='only write a short table into a Markdown page')
    sized = parser.add_argument_group('trials')
    sized.add_argument('--images', type=int, default=TRAINED, help='training images')
    sized.add_argument('--test-images', type=int, default=HELD_OUT, help='persons that are scored')
    sized.add_argument('--workers', type=int, default=0, help='data loading processes')
    sized.add_argument('--cfg-options', nargs='+', action=cli.OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def planned(args: argparse.Namespace) -> Iterable[tuple[str, int]]:
    """Rows and seeds of a call; first seeds first."""
    if args.best:
        runs = [(name, seed) for name in ('control', *args.best) for seed in args.seeds or (0, 1, 2)]
    else:
        runs = [(name, seed) for name in args.rows or DEFAULT for seed in args.seeds or ROWS[name].seeds]
    return sorted(dict.fromkeys(runs), key=lambda run: run[1])


@report_usage_errors
def main() -> None:
    """Run the rows, or report."""
    began, args = time.time(), parse_args()
    args.work_dir, args.out = args.work_dir.resolve(), args.out.resolve()
    generator = args.work_dir / 'stick-generator'
    trial = Trial(args.images, args.test_images, args.workers, args.cfg_options, generator)
    if args.report or args.summary:
        for page, write in ((args.report, write_report), (args.summary, write_summary)):
            if page:
                write(page, args.out, trial)
        return
    if args.cost:
        found = measure(args.rows or DEFAULT, trial, args.rounds)
        write_results(args.out / COST, found)
        print('\n'.join(f'{name}: {ratio} times the control' for name, ratio in found['ratios'].items()))
        return
    end = None if args.max_minutes is None else began + 60 * args.max_minutes
    left = 0
    for name, seed in planned(args):
        if args.list or (end is not None and time.time() > end - SAVING):
            outcome = 'left' if not args.list else 'planned'
        else:
            outcome = execute(name, seed, args, trial, end)
        left += outcome == 'left'
        print(f'{name}, seed {seed}: {outcome}, {(time.time() - began) / 60:.1f} minutes', flush=True)
    if left:
        print(f'{left} runs are left: run the same command again')
    for found in by_data(read_results(args.out / (FINAL if args.final else HELD), trial)).values():
        if not args.list:
            print(f'\n{tables(found, read_cost(args.out))}')


if __name__ == '__main__':
    main()
