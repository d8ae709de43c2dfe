"""Train four small models on synthetic figures and compare them in a table and an image.

A baseline of mmpose, messages along the skeleton, Adversarial PoseNet, and both together see the same persons once. It
runs the commands a user would run and prints them; ``make demo`` calls it. The results are in ``work_dirs/demo/``.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

from posestructs.evaluation.tables import format_table
from posestructs.visualization import contact_sheet, draw_legend, draw_pose, side_by_side, stack_rows

# isort: split
# after posestructs, which makes it importable
from mmpose.apis import init_model

ROOT = Path(__file__).resolve().parents[2]
DATA = 'stick-figure-64x64'
MODELS = dict(
    baseline=f'configs/demo/td-hm_res18-small_{DATA}.py',
    structured=f'configs/structured_feature/sfl-separable_gen64_{DATA}.py',
    adversarial=f'configs/adversarial_posenet/apn_2x56_{DATA}.py',
    hybrid=f'configs/hybrid/apn-tree_2x56_{DATA}.py',
)
# one pass over 5,000 persons each, and the same test settings
BUDGET = (
    'train_cfg.max_epochs=1',
    'param_scheduler.1.end=1',
    'param_scheduler.1.T_max=1',
    'train_dataloader.dataset.num_samples=5000',
    'model.test_cfg.flip_test=True',
)
COLUMNS = ('TorsoPCK@0.2', 'visible/TorsoPCK@0.2', 'occluded/TorsoPCK@0.2', 'StrictPCP@0.5', 'PDJ@0.1')


class Trained(NamedTuple):
    """One of the models.

    Attributes:
        name: Its name here.
        config: Its config file.
        checkpoint: Its weights.
        metrics: Metrics on the test persons, in percent.
        minutes: Minutes of training.
    """

    name: str
    config: str
    checkpoint: Path
    metrics: Mapping[str, float]
    minutes: float


class Speaker:
    """Lets several runs print whole lines, each under its name.

    Args:
        width: Width of the longest name.
    """

    def __init__(self, width: int) -> None:
        self._lock, self._width = threading.Lock(), width

    def say(self, name: str, line: str) -> None:
        """Print a line of a run."""
        with self._lock:
            sys.stdout.write(f'{name:{self._width}} | {line}\n')
            sys.stdout.flush()


def run(name: str, command: Sequence[str], log: Path, threads: int, speaker: Speaker) -> None:
    """Run a command of the project; what it prints goes to a file, its progress to the terminal too.

    Args:
        name: Name of the model.
        command: Arguments of ``python``.
        log: File for all it prints.
        threads: Number of threads of each process.
        speaker: Prints.

    Raises:
        SystemExit: The command failed.
    """
    speaker.say(name, f'$ python {shlex.join(command)}')
    call = [sys.executable, *command]
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    with open(log, 'w') as file:
        process = subprocess.Popen(
            call, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in process.stdout:
            file.write(line)
            if 'Epoch(train)' in line:
                speaker.say(name, line[line.index('Epoch(train)') :].rstrip())
    if process.wait():
        raise SystemExit(f'{name}: python {shlex.join(command)} failed:\n{log.read_text()[-3000:]}\nall of it: {log}')


def train_and_test(name: str, folder: Path, options: Sequence[str], threads: int, speaker: Speaker) -> Trained:
    """Train one of the models from scratch and score it.

    Args:
        name: Name of the model.
        folder: For what the runs of all models leave; this one's is a folder in it.
        options: ``--cfg-options`` of both commands, after those of the budget.
        threads: Number of threads of each process.
        speaker: Prints.

    Returns:
        Trained: The model.
    """
    folder, config = folder / name, MODELS[name]
    folder.mkdir(parents=True, exist_ok=True)
    tail = ('--work-dir', str(folder), '--cfg-options', *BUDGET, *options)
    begin = time.time()
    run(name, ['tools/train.py', config, '--no-validate', '--seed', '0', *tail], folder / 'train.txt', threads, speaker)
    minutes = (time.time() - begin) / 60
    checkpoint, metrics = Path((folder / 'last_checkpoint').read_text().strip()), folder / 'metrics.json'
    command = ['tools/test.py', config, str(checkpoint), '--out', str(metrics), *tail]
    run(name, command, folder / 'test.txt', threads, speaker)
    return Trained(name, config, checkpoint, json.loads(metrics.read_text()), minutes)


def table(models: Sequence[Trained]) -> str:
    """Set the models side by side.

    Args:
        models: M models.

    Returns:
        str: A table in Markdown, M rows, metrics in percent.
    """
    found = [key for key in COLUMNS if any(key in model.metrics for model in models)]
    rows = [
        [m.name, *(f'{m.metrics[key]:.1f}' if key in m.metrics else '-' for key in found), f'{m.minutes:.1f}']
        for m in models
    ]
    return format_table(['model', *found, 'minutes'], rows)


def picture(models: Sequence[Trained], persons: int) -> np.ndarray:
    """Draw test persons with the ground truth and with each model's predictions.

    Args:
        models: M models.
        persons: Number of persons, from the first.

    Returns:
        np.ndarray: (H, W, 3) RGB picture, M + 1 poses for each person.
    """
    poses = []
    for trained in models:
        config = Config.fromfile(ROOT / trained.config)
        model = init_model(config, str(trained.checkpoint), device='cpu')
        dataset = DATASETS.build(config.test_dataloader.dataset)
        batch = pseudo_collate([dataset[i] for i in range(persons)])
        poses.append([sample.pred_instances.keypoints for sample in model.test_step(batch)])
    rows = []
    for i in range(persons):
        info = dataset.get_data_info(i)
        meta, scale = dataset.metainfo, max(1, 128 / max(info['img'].shape[:2]))
        image, labels = mmcv.bgr2rgb(info['img']), (info['keypoints_visible'], info.get('keypoints_occluded'))
        truth = draw_pose(image, info['keypoints'], *labels, meta, scale=scale)
        guesses = [draw_pose(image, found[i], metainfo=meta, scale=scale) for found in poses]
        rows.append(side_by_side([truth, *guesses]))
    title = ' | '.join(['truth', *(model.name for model in models)])
    sheet = contact_sheet(rows, columns=2, titles=[title] * persons)
    return stack_rows([sheet, draw_legend(sheet.shape[1])])


def main() -> None:
    """Train, test, compare."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--models', nargs='+', choices=list(MODELS), default=list(MODELS))
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'demo')
    parser.add_argument('--people', type=int, default=12, help='number of persons in the image')
    parser.add_argument('--jobs', type=int, help='models to train at the same time; by default 2 where there are cores')
    parser.add_argument('--cfg-options', nargs='+', default=[], help='passed on to all commands, over the budget')
    args = parser.parse_args()
    folder, cores = args.work_dir.resolve(), len(os.sched_getaffinity(0))
    jobs = args.jobs or min(2, cores)
    speaker = Speaker(max(map(len, args.models)))

    begin = time.time()
    with ThreadPoolExecutor(jobs) as pool:
        # the slowest first, so that the cores are done at about the same time
        runs = {
            name: pool.submit(train_and_test, name, folder, args.cfg_options, max(1, cores // jobs), speaker)
            for name in reversed(args.models)
        }
        try:
            for done in as_completed(runs.values()):
                done.result()
        finally:  # of one that failed: the others are not begun
            pool.shutdown(wait=False, cancel_futures=True)
    models = [runs[name].result() for name in args.models]
    text = table(models)
    (folder / 'metrics.md').write_text(text + '\n')
    init_default_scope('mmpose')
    mmcv.imwrite(mmcv.rgb2bgr(picture(models, args.people)), str(folder / 'predictions.png'))
    sys.stdout.write(
        f'\n{text}\n\nIn percent; {(time.time() - begin) / 60:.1f} minutes. Results:\n'
        f'  picture  {folder / "predictions.png"}\n  table    {folder / "metrics.md"}\n'
        f'  logs     {folder}/{{{",".join(args.models)}}}/\n'
    )


if __name__ == '__main__':
    main()
