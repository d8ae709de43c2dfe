"""Search for the thresholds delta and epsilon of Adversarial PoseNet on samples held out of the training set.

    python benchmarks/label_thresholds.py --out benchmarks/results/label_thresholds.json

The paper publishes neither. Until the generator has converged somewhat, the labels of all predicted joints are 0.
Therefore a generator is first trained without discriminators; each pair of delta and epsilon continues from it, and so
does one run without discriminators, for comparison. All runs see the same samples in the same order. The validation
samples of the data set are not read.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from mmengine.config import Config, ConfigDict

import posestructs  # noqa: F401
from benchmarks.ablation import cell, read_config, run_folder, train_and_test
from benchmarks.grid.experiment import set_everywhere
from benchmarks.raw_results import write_results
from posestructs.evaluation.tables import format_table
from posestructs.utils import cli
from posestructs.utils.checkpoints import last_good_checkpoint
from posestructs.utils.files import atomic_write
from posestructs.utils.run_logs import find_logs, read_curves
from posestructs.utils.usage import UsageError, report_usage_errors

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs' / 'adversarial_posenet' / 'apn_2x56_lspet-mini-128x128.py'
METRICS = ('TorsoPCK@0.2', 'visible/TorsoPCK@0.2', 'occluded/TorsoPCK@0.2', 'StrictPCP@0.5')


def split_ids(ids: list[str], held_out: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Split samples at random.

    Args:
        ids: Ids of all samples.
        held_out: Number of samples to hold out.
        seed: Seed of the split.

    Returns:
        Ids to train on and ids held out, each in the order of ``ids``.

    Raises:
        UsageError: One of the two would be empty.
    """
    if not 0 < held_out < len(ids):
        raise UsageError(f'--held-out {held_out}, allowed: 1 to {len(ids) - 1} of the {len(ids)} training samples')
    out = set(np.random.default_rng(seed).permutation(len(ids))[:held_out].tolist())
    return [i for n, i in enumerate(ids) if n not in out], [i for n, i in enumerate(ids) if n in out]


def base_config(args: argparse.Namespace, folder: Path) -> Config:
    """The small config with the input size and the samples of the experiment."""
    cfg = cli.load_config(str(CONFIG))
    data = Path(cfg.train_dataloader.dataset.data_root)
    ids = (data / cfg.train_dataloader.dataset.id_file).read_text().split()
    # the number is part of the name, so that another split is another run
    fit, held_out = (folder / f'{name}_{args.held_out}.txt' for name in ('fit', 'held_out'))
    for file, part in zip((fit, held_out), split_ids(ids, args.held_out), strict=True):
        atomic_write(file, '\n'.join([*part, '']).encode())
    size = dict(input_size=(args.size,) * 2, heatmap_size=(args.size // 4,) * 2, sigma=sigma_of(args.size))
    plain = cfg.to_dict()
    set_everywhere(plain, size)
    cfg = Config(plain)
    cfg.train_dataloader.dataset.id_file = str(fit.resolve())
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.id_file = str(held_out.resolve())
    return cfg


def sigma_of(size: int) -> float:
    """Standard deviation of a target map in cells: 2 at 128 pixels, in proportion to the input size."""
    return 2 * size / 128


def with_budget(cfg: Config, epochs: int, lr: float) -> Config:
    """A copy that trains for some epochs; learning rates keep their proportions to that of the generator."""
    cfg = Config(ConfigDict(cfg.to_dict()))
    cfg.train_cfg.update(max_epochs=epochs, val_interval=epochs)
    cfg.default_hooks.checkpoint.interval = 1
    for network in ('generator', 'pose', 'confidence'):
        optimizer = cfg.optim_wrapper[network].optimizer
        optimizer.lr *= lr / 1e-3
    for scheduler in cfg.param_scheduler:
        if scheduler.type == 'CosineAnnealingLR':
            scheduler.update(end=epochs, T_max=epochs)
        else:
            scheduler.update(end=100)
    return cfg


def without_discriminators(cfg: Config) -> Config:
    """The multi-task baseline of a config."""
    cfg = Config(ConfigDict(cfg.to_dict()))
    cfg.model.discriminators = None
    cfg.optim_wrapper.update(pose=None, confidence=None)
    return cfg


def shares(folder: Path) -> dict[str, dict[str, float]]:
    """Share of predicted joints with label 1, over a run and over its last tenth."""
    curves = read_curves(find_logs(folder))
    found = {}
    for name in ('pose', 'confidence'):
        curve = curves.get(f'{name}.share_right')
        if curve is not None:
            tail = curve.values[-max(1, len(curve.values) // 10) :]
            found[name] = dict(mean=round(float(curve.values.mean()), 4), last=round(float(tail.mean()), 4))
    return found


def one_run(cfg: Config, name: str, folder: Path, seed: int) -> dict:
    """Train and test, or read the result of an earlier call."""
    path = folder / f'{name}.py'
    cfg.dump(path)
    result = train_and_test(str(path), [], seed, folder)
    return dict(
        name=name,
        **{k: result[k] for k in ('seed', 'epochs', 'machine')},
        metrics={key: result['metrics'][key] for key in METRICS if key in result['metrics']},
        share_of_label_1=shares(run_folder(str(path), read_config(str(path), []), seed, folder)),
    )


def table(runs: list[dict]) -> str:
    """Markdown table of the runs."""

    def share(run: dict, name: str) -> str:
        values = run['share_of_label_1'].get(name)
        return '-' if values is None else f'{100 * values["last"]:.0f} %'

    rows = [
        [run['name'], share(run, 'pose'), share(run, 'confidence'), *(cell(run['metrics'].get(m)) for m in METRICS)]
        for run in runs
    ]
    return format_table(['run', 'P: label 1', 'C: label 1', *METRICS], rows)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--deltas', type=float, nargs='+', default=[0.1, 0.2, 0.4], help='values of delta, in torso lengths'
    )
    parser.add_argument(
        '--epsilons',
        type=float,
        nargs='+',
        default=[0.3, 0.6, 0.9],
        help='values of epsilon, in norms of a target map, 1.77 sigma',
    )
    parser.add_argument('--size', type=int, default=64, help='side of the images in pixels, a multiple of 32')
    parser.add_argument('--held-out', type=int, default=3000, help='samples of train.txt to test on')
    parser.add_argument('--first', type=int, default=8, help='epochs without discriminators')
    parser.add_argument('--epochs', type=int, default=2, help='epochs of each pair')
    parser.add_argument('--seed', type=cli.seed, default=0)
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'label_thresholds')
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    args = parser.parse_args()
    if args.size % 32 or args.size < 32:
        raise UsageError(f'--size {args.size}, allowed: multiples of 32')
    return args


@report_usage_errors
def main() -> None:
    """Run the experiment."""
    args = parse_args()
    folder = args.work_dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    base = base_config(args, folder)
    runs = [one_run(without_discriminators(with_budget(base, args.first, 1e-3)), 'first', folder, args.seed)]
    path = str(folder / 'first.py')
    first = run_folder(path, read_config(path, []), args.seed, folder)
    base.load_from = str(last_good_checkpoint(first)[0])
    base = with_budget(base, args.epochs, 5e-4)
    runs.append(one_run(without_discriminators(base), 'no-discriminators', folder, args.seed))
    # the norm of exp(-r^2 / (2 sigma^2)) over the plane is sqrt(pi) sigma
    norm = math.sqrt(math.pi) * sigma_of(args.size)
    for delta, share in itertools.product(args.deltas, args.epsilons):
        base.model.adversarial.update(delta=delta, epsilon=round(share * norm, 4))
        run = one_run(base, f'delta{delta:g}_epsilon{share:g}', folder, args.seed)
        runs.append(dict(run, delta=delta, epsilon_in_norms=share, epsilon=base.model.adversarial.epsilon))
    text = table(runs)
    sys.stdout.write(f'\n{args.held_out} samples held out of train.txt, {args.size}x{args.size}\n\n{text}\n')
    if args.out:
        found = dict(size=args.size, held_out=args.held_out, first=args.first, epochs=args.epochs, runs=runs)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_results(args.out, found)


if __name__ == '__main__':
    main()
