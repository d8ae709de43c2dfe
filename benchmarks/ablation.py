"""Compare configs that are trained with the same seed and budget.

    python benchmarks/ablation.py configs/structured_feature/sfl-separable_gen64_stick-figure-64x64*.py \
        --out benchmarks/results/structured_feature_stick-figure-64x64.json

Each config is trained by ``tools/train.py`` and its last checkpoint is scored by ``tools/test.py``; nothing is selected
on the test samples. An interrupted run resumes, a finished one is not repeated. If a config tests on other data than it
validates on, such as images with occluders, the checkpoint is scored on both.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

import posestructs  # noqa: F401
from benchmarks.raw_results import write_results
from posestructs.evaluation.tables import format_table
from posestructs.utils import cli
from posestructs.utils.checkpoints import last_good_checkpoint
from posestructs.utils.files import atomic_write
from posestructs.utils.machine import describe_machine
from posestructs.utils.usage import UsageError, report_usage_errors

ROOT = Path(__file__).resolve().parents[1]
VALIDATION = """_base_ = {config!r}
test_dataloader = _base_.val_dataloader
test_evaluator = _base_.val_evaluator
"""
COLUMNS = ('TorsoPCK@0.2', 'StrictPCP@0.5', 'PDJ@0.1', 'PDJ@0.2', 'PDJ/AUC')


def run(*command: str) -> None:
    """Print a command of the project and run it."""
    sys.stdout.write(f'\n$ python {shlex.join(command)}\n')
    sys.stdout.flush()
    done = subprocess.run([sys.executable, *command], cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.returncode)


def parse_options(words: list[str]) -> dict:
    """Read the words after ``--cfg-options`` as ``tools/train.py`` does."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='*', action=cli.OptionAction, default={})
    return parser.parse_args(['--cfg-options', *words]).cfg_options


def fingerprint(config: Config, seed: int) -> str:
    """Hash of everything that determines the result of a run, 12 hexadecimal digits."""
    return hashlib.sha256(f'{config.pretty_text}{seed}'.encode()).hexdigest()[:12]


def read_config(path: str, options: list[str]) -> Config:
    """Read a config with its options."""
    config = cli.load_config(path)
    cli.merge_options(config, parse_options(options))
    return config


def run_folder(path: str, config: Config, seed: int, work_dir: Path) -> Path:
    """Work directory of a run; config, options and seed are part of its name."""
    return work_dir / f'{Path(path).stem}_seed{seed}_{fingerprint(config, seed)}'


def train_and_test(path: str, options: list[str], seed: int, work_dir: Path) -> dict:
    """Train a config and score its last checkpoint, or read the result of an earlier call.

    Args:
        path: Config file.
        options: ``--cfg-options`` of both commands.
        seed: Seed of the run.
        work_dir: Folder of all runs; that of a finished run holds ``result.json``.

    Returns:
        Config, options, seed, hash, epochs, number of parameters, machine and metrics; ``val_metrics`` if the
        validation data differ from the test data.
    """
    init_default_scope('mmpose')
    config = read_config(path, options)
    folder = run_folder(path, config, seed, work_dir)
    result = folder / 'result.json'
    if result.is_file():
        sys.stdout.write(f'{path}: finished before, {result}\n')
        return json.loads(result.read_text())
    tail = ('--work-dir', str(folder), *(['--cfg-options', *options] if options else []))
    run('tools/train.py', path, '--resume', '--seed', str(seed), *tail)
    checkpoint = str(last_good_checkpoint(folder)[0])
    metrics, val_metrics = folder / 'metrics.json', folder / 'val_metrics.json'
    run('tools/test.py', path, checkpoint, '--out', str(metrics), *tail)
    if config.val_dataloader.dataset != config.test_dataloader.dataset:
        validation = folder / 'validation.py'
        atomic_write(validation, VALIDATION.format(config=str(Path(path).resolve())).encode())
        run('tools/test.py', str(validation), checkpoint, '--out', str(val_metrics), *tail)
    found = dict(
        config=str(Path(path).resolve().relative_to(ROOT)) if Path(path).resolve().is_relative_to(ROOT) else path,
        options=options,
        seed=seed,
        fingerprint=fingerprint(config, seed),
        epochs=config.train_cfg.get('max_epochs'),
        parameters=sum(p.numel() for p in MODELS.build(config.model).parameters()),
        machine=describe_machine(),
        metrics=json.loads(metrics.read_text()),
    )
    if val_metrics.is_file():
        found['val_metrics'] = json.loads(val_metrics.read_text())
    write_results(result, found)
    return found


def cell(value: float | None) -> str:
    """Format a percentage; ``-`` if there is none."""
    return '-' if value is None else f'{value:.1f}'


def table(results: list[dict], columns: tuple[str, ...] = COLUMNS) -> str:
    """Markdown table of runs, metrics in percent.

    Args:
        results: Results of :func:`train_and_test`.
        columns: Metrics to show if a run has them. The first one is also shown for visible and for occluded joints, the
            first two also on the validation data if these differ from the test data.
    """
    found = {key for result in results for key in result['metrics']}
    split = [f'{half}/{column}' for column in columns[:1] for half in ('visible', 'occluded')]
    shown = [key for key in (*columns, *split) if key in found]
    apart = columns[:2] if any('val_metrics' in result for result in results) else ()
    rows = [
        [
            Path(r['config']).stem,
            f'{r["parameters"] / 1e6:.2f} M',
            *(cell(r['metrics'].get(key)) for key in shown),
            *(cell(r.get('val_metrics', {}).get(key)) for key in apart),
        ]
        for r in results
    ]
    return format_table(['model', 'parameters', *shown, *(f'{key}, validation' for key in apart)], rows)


@report_usage_errors
def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('configs', nargs='+')
    parser.add_argument('--seed', type=cli.seed, default=0)
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'ablation')
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    parser.add_argument('--cfg-options', nargs='+', default=[], help='passed on to each run')
    args = parser.parse_args()
    names = [Path(path).stem for path in args.configs]
    if len(set(names)) != len(names):
        raise UsageError(f'configs {" ".join(names)}, allowed: files of different names')
    results = [train_and_test(path, args.cfg_options, args.seed, args.work_dir.resolve()) for path in args.configs]
    sys.stdout.write('\n' + table(results) + '\n')
    if args.out:
        write_results(args.out, results)


if __name__ == '__main__':
    main()
