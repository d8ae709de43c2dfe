"""Show the shipped model on photographs, then what messages gain in a short training.

A small model is trained with and without messages, and both are compared. The models see the same synthetic figures.
It runs the commands a user would run and prints them; ``make demo`` calls it. The results are in ``work_dirs/demo/``.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np
from demo_report import Trained, compare, draw_figures, draw_photos, explain, load, metric_table

from posestructs.utils.cli import add_renamed
from posestructs.utils.machine import environment_with_threads, threads_per_job

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = ROOT / 'demo' / 'images'
DATA = 'easy-figure-64x64'
MODELS = dict(
    baseline=f'configs/demo/sfl-separable_res18-stage1_{DATA}_none.py',
    structured=f'configs/demo/sfl-separable_res18-stage1_{DATA}.py',
    adversarial=f'configs/demo/apn_2x56_{DATA}.py',
    hybrid=f'configs/demo/apn-tree_2x56_{DATA}.py',
)


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
    environment = environment_with_threads(threads)
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


def show_photos(folder: Path, threads: int, speaker: Speaker) -> Path:
    """Run the shipped model on the photographs of the checkout.

    Args:
        folder: Folder of the results.
        threads: Number of threads.
        speaker: Prints.

    Returns:
        The image of photographs and results.
    """
    out, sheet = folder / 'photos', folder / 'photos.webp'
    boxes = PHOTOS / 'boxes.json'
    names = [str(path.relative_to(ROOT)) for path in (PHOTOS, boxes)]
    command = ['demo/inference.py', names[0], '--bbox-file', names[1], '--out-dir', str(out)]
    run('photos', command, folder / 'photos.txt', threads, speaker)
    photos = list(load(boxes))
    write_image(draw_photos([PHOTOS / name for name in photos], out / 'visualizations'), sheet)
    return sheet


def train_and_test(name: str, folder: Path, options: Sequence[str], threads: int, speaker: Speaker) -> Trained:
    """Train one of the models from scratch and test it.

    Args:
        name: Name of the model.
        folder: For what the runs of all models leave; this one's is a folder in it.
        options: ``--cfg-options`` of both commands.
        threads: Number of threads of each process.
        speaker: Prints.

    Returns:
        The model.
    """
    folder, config = folder / name, MODELS[name]
    folder.mkdir(parents=True, exist_ok=True)
    tail = ['--work-dir', str(folder), *(['--cfg-options', *options] if options else [])]
    begin = time.time()
    run(name, ['tools/train.py', config, '--no-validate', '--seed', '0', *tail], folder / 'train.txt', threads, speaker)
    minutes = (time.time() - begin) / 60
    checkpoint, metrics = Path((folder / 'last_checkpoint').read_text().strip()), folder / 'metrics.json'
    predictions = folder / 'predictions.pkl'
    command = ['tools/test.py', config, str(checkpoint), '--out', str(metrics), '--dump', str(predictions), *tail]
    run(name, command, folder / 'test.txt', threads, speaker)
    return Trained(name, ROOT / config, load(metrics), load(predictions), minutes)


def train_all(names: Sequence[str], folder: Path, options: Sequence[str], jobs: int, speaker: Speaker) -> list[Trained]:
    """Train and test several models, some at the same time.

    Args:
        names: Names of the models.
        folder: Folder of the results.
        options: ``--cfg-options`` of all commands.
        jobs: Models to train at the same time.
        speaker: Prints.

    Returns:
        The models in the order of their names.
    """
    threads = threads_per_job(jobs)
    with ThreadPoolExecutor(jobs) as pool:
        # the slowest first, so that the cores are done at about the same time
        runs = {name: pool.submit(train_and_test, name, folder, options, threads, speaker) for name in reversed(names)}
        try:
            for done in as_completed(runs.values()):
                done.result()
        finally:  # of one that failed: the others are not begun
            pool.shutdown(wait=False, cancel_futures=True)
    return [runs[name].result() for name in names]


def write_image(image: np.ndarray, path: Path) -> None:
    """Write an RGB image as WebP."""
    cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 75])


def cpu_minutes() -> float:
    """Minutes of CPU time of the commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / 60


def main() -> None:
    """Show photographs, then train, test, compare."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--models', nargs='+', choices=list(MODELS), default=list(MODELS)[:2])
    parser.add_argument('--photos-only', action='store_true', help='train nothing')
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'demo')
    add_renamed(parser, '--persons', '--people', type=int, default=8, help='number of persons in the image')
    parser.add_argument('--jobs', type=int, help='models to train at the same time; by default 2 where there are cores')
    parser.add_argument('--cfg-options', nargs='+', default=[], help='passed on to the commands of all models')
    args = parser.parse_args()
    folder, cores = args.work_dir.resolve(), len(os.sched_getaffinity(0))
    folder.mkdir(parents=True, exist_ok=True)
    speaker = Speaker(max(map(len, [*args.models, 'photos'])))

    begin = time.time()
    photos = show_photos(folder, threads_per_job(1), speaker)
    sys.stdout.write(f'\nThe shipped model on photographs: {photos}\n\n')
    if args.photos_only:
        return
    models = train_all(args.models, folder, args.cfg_options, args.jobs or min(2, cores), speaker)
    table, figures = metric_table(models), folder / 'predictions.webp'
    (folder / 'metrics.md').write_text(table + '\n')
    write_image(draw_figures(models, args.persons), figures)
    words = [explain(models[0], other, compare(models[0], other)) for other in models[1:]]
    spent = f'{(time.time() - begin) / 60:.1f} minutes, {cpu_minutes():.1f} of CPU time'
    sys.stdout.write(
        f'\n{table}\n\nIn percent; {spent}. Results:\n'
        f'  photographs  {photos}\n  figures      {figures}\n  table        {folder / "metrics.md"}\n'
        f'  logs         {folder}/{{{",".join(args.models)}}}/\n' + ''.join(f'\n{line}\n' for line in words)
    )


if __name__ == '__main__':
    main()
