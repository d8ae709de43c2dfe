"""One run in a process of its own: ``python -m benchmarks.grid.worker '{"budget": ..., "row": ..., ...}'``.

Trains a row, or goes on where it stopped, scores its last checkpoint on the grid's test sets, and writes its result.
Rows that only decode another row's checkpoint are scored along with that one. Exit status 75 says that its time was
over, and that another call goes on; 76 that another process is at the same run.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from benchmarks.grid import cached_image, mean_pose_row
from benchmarks.grid.budgets import GRIDS, Grid
from benchmarks.grid.complexity import complexity
from benchmarks.grid.experiment import ROOT, Settings, fingerprint, for_test_set, make_config
from benchmarks.grid.gpu_load import GpuLoad
from benchmarks.grid.hits import Hits, pack
from benchmarks.grid.hooks import GpuLoadHook, OutOfTime, TrainingClockHook
from benchmarks.grid.rows import BY_NAME, MEAN_POSE, ROWS, Row
from benchmarks.grid.verdicts import verdicts
from posestructs.utils.checkpoints import last_good_checkpoint
from posestructs.utils.files import atomic_write
from posestructs.utils.machine import describe_machine

OUT_OF_TIME, TAKEN = 75, 76


@dataclass(frozen=True)
class Task:
    """A run.

    Attributes:
        budget: Of :data:`GRIDS`.
        data: Of the budget.
        row: Name of the row.
        seed: Of the run.
        folder: For checkpoints and logs.
        results: For the JSON files.
        deadline: ``time.time()`` at which it should have stopped; ``None`` for none.
        settings: What the call changes.
    """

    budget: str
    data: str
    row: str
    seed: int
    folder: str
    results: str
    deadline: float | None
    settings: Settings

    def to_json(self) -> str:
        """For the command line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        """From the command line."""
        found = json.loads(text)
        return cls(**{**found, 'settings': Settings(**found['settings'])})

    @property
    def grid(self) -> Grid:
        """The grid it belongs to."""
        return GRIDS[self.budget][self.data]


def result_path(results: str | Path, row: Row, seed: int) -> Path:
    """Where the result of a run goes.

    Args:
        results: Folder of the grid's results.
        row: The row.
        seed: Of the run.

    Returns:
        Path: Its file.
    """
    return Path(results) / f'{row.name}_seed{seed}.json'


def decoders_of(row: Row, grid: Grid) -> list[Row]:
    """Rows of a grid that score a row's checkpoint in another way."""
    return [other for other in ROWS if other.decode_of == row.name and other in grid.rows()]


def run(task: Task) -> None:
    """Train and score a row, and those that decode its checkpoint.

    Args:
        task: What to do.

    Raises:
        OutOfTime: Training is to go on in another call.
    """
    row, grid, folder = BY_NAME[task.row], task.grid, Path(task.folder)
    # before the training: its commit is that of the code that runs, whatever is checked out meanwhile
    machine = describe_machine()
    cfg = make_config(grid, row, task.seed, task.settings)
    if row.name == MEAN_POSE:
        pose = mean_pose_row.fit(cfg)
        hits = {name: mean_pose_row.score(for_test_set(cfg, name), pose) for name in grid.test_sets}
        write(task, row, cfg, {}, hits, 0.0, machine)
        return
    cfg.work_dir = str(folder)
    checkpoint, clock = train(cfg, task)
    for scored in (row, *decoders_of(row, grid)):
        cfg = cfg if scored is row else make_config(grid, scored, task.seed, task.settings)
        cfg.work_dir = str(folder)
        if scored.fit_types:
            fit_types(cfg, folder)
        began = time.perf_counter()
        hits = {name: score(for_test_set(cfg, name), checkpoint, name) for name in grid.test_sets}
        write(task, scored, cfg, clock, hits, time.perf_counter() - began, machine)


def train(cfg: Config, task: Task) -> tuple[str, dict[str, float]]:
    """Train to the end.

    Args:
        cfg: With ``work_dir``.
        task: Gives the deadline.

    Returns:
        tuple[str, dict[str, float]]: The last checkpoint; seconds and images of training, and the GPU's load.

    Raises:
        OutOfTime: Its time was over before.
    """
    found, _ = last_good_checkpoint(cfg.work_dir)
    cfg.resume, cfg.load_from = found is not None, None if found is None else str(found)
    if task.deadline is not None:
        cfg.custom_hooks = [*cfg.custom_hooks, dict(type='StopInTimeHook', deadline=task.deadline)]
    runner = Runner.from_cfg(cfg)
    if task.settings.cache and task.settings.workers:
        cached_image.preload(runner.build_dataloader(cfg.train_dataloader).dataset)
    with GpuLoad() as load:
        runner.register_hook(GpuLoadHook(load))
        runner.train()
    info = runner.message_hub.runtime_info
    clock = {**TrainingClockHook.read(info), **GpuLoadHook.read(info)}
    return str(last_good_checkpoint(cfg.work_dir)[0]), clock


def fit_types(cfg: Config, folder: Path) -> None:
    """Fit where parts lie, seen from their parents, to a row's training people, and decode with it.

    Args:
        cfg: Its decoder is changed in place.
        folder: For the file.
    """
    out, config = folder / 'types.json', folder / 'config_of_types.py'
    cfg.dump(str(config))
    command = ('tools/analysis/fit_deformation.py', str(config), '--num-types', '1', '--out', str(out))
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True)
    # the file's weights, as what a cell more or less means depends on the size of the maps
    cfg.model.head.decoder.update(deformation=str(out), decode='max_sum', deformation_weight='fitted')


def score(cfg: Config, checkpoint: str, name: str) -> Hits:
    """Score a checkpoint.

    Args:
        cfg: Of :func:`for_test_set`.
        checkpoint: The file.
        name: Of the test set.

    Returns:
        Hits: What it got right.
    """
    cfg.load_from, cfg.resume = checkpoint, False
    cfg.experiment_name = f'{Path(cfg.work_dir).name}_{name}_{time.time_ns()}'
    runner = Runner.from_cfg(cfg)
    runner.test()
    return runner.test_evaluator.metrics[0].hits


def write(
    task: Task, row: Row, cfg: Config, clock: dict, hits: dict[str, Hits], test_seconds: float, machine: dict
) -> None:
    """Write the result of a run.

    Args:
        task: The run.
        row: What was scored.
        cfg: Of the row.
        clock: Of the training.
        hits: By test set.
        test_seconds: Of all test sets.
        machine: What did it.
    """
    size = {} if row.name == MEAN_POSE else complexity(cfg)
    seconds = {name: round(clock[name], 1) for name in ('train', 'train_cpu') if name in clock}
    found: dict[str, Any] = dict(
        row=row.name,
        grid=task.grid.name,
        seed=task.seed,
        fingerprint=fingerprint(task.grid, row, task.seed, task.settings),
        config=row.path(task.grid.data),
        epochs=cfg.train_cfg.max_epochs if clock else 0,
        images=int(clock.get('images', 0)),
        batch_size=cfg.train_dataloader.batch_size,
        settings={key: value for key, value in dataclasses.asdict(task.settings).items() if value},
        seconds=dict(seconds, test=round(test_seconds, 1)),
        **size,
        **{name: clock[name] for name in clock if name.startswith('gpu_')},
        machine=machine,
        sets={name: pack(record) for name, record in hits.items()},
    )
    judged = verdicts(Path(task.folder))
    if judged:
        found['discriminators'] = judged
    if clock:
        found['images_per_second'] = round(clock['images'] / clock['train'], 2)
    path = result_path(task.results, row, task.seed)
    atomic_write(path, (json.dumps(found, indent=1) + '\n').encode())


def main() -> None:
    """Do the task of the command line."""
    task = Task.from_json(sys.argv[1])
    init_default_scope('mmpose')
    # registers them
    from benchmarks.grid import hits, hooks  # noqa: F401

    with (Path(task.folder) / 'lock').open('w') as lock:
        try:
            # held as long as the process lives, which may be longer than the call that started it
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            run(task)
        except BlockingIOError:
            sys.exit(TAKEN)
        except OutOfTime:
            sys.exit(OUT_OF_TIME)


if __name__ == '__main__':
    main()
