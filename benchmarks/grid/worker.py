"""Run one row in a process of its own: ``python -m benchmarks.grid.worker '{"budget": ..., "row": ..., ...}'``.

It trains the row, or resumes its training, scores the last checkpoint on the test sets of the grid and writes the
result. Rows that decode the checkpoint of this row are scored with it. Exit status 75: stopped at a checkpoint by the
deadline; 76: another process is at the same run.
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
from mmengine.structures import InstanceData
from mmpose.registry import DATASETS

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from benchmarks.grid.experiment import ROOT, Settings, fingerprint, for_test_set, make_config
from benchmarks.grid.grids import GRIDS, Grid
from benchmarks.grid.measures import HitRecord, Hits, brief, complexity, discriminator_scores, pack
from benchmarks.grid.results import without_labels
from benchmarks.grid.rows import BY_NAME, OCCLUDERS, PLAIN, Row
from benchmarks.grid.training import GpuLoad, GpuLoadHook, OutOfTime, TrainingClockHook, preload
from benchmarks.mean_pose import build_without_images, mean_pose, place, read_samples
from benchmarks.raw_results import write_results
from posestructs.utils.checkpoints import last_good_checkpoint
from posestructs.utils.files import atomic_write
from posestructs.utils.machine import describe_machine

OUT_OF_TIME, TAKEN = 75, 76


@dataclass(frozen=True)
class Task:
    """A run.

    Attributes:
        budget: Key of :data:`GRIDS`.
        data: Key of the budget's grids.
        row: Name of the row.
        seed: Seed of the run.
        folder: Work directory.
        results: Folder of the result files.
        deadline: Time at which it should have stopped, as of ``time.time()``; ``None`` for no limit.
        settings: Changes by the command line.
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
        """Serialize for the command line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Invert :meth:`to_json`."""
        found = json.loads(text)
        return cls(**{**found, 'settings': Settings(**found['settings'])})

    @property
    def grid(self) -> Grid:
        """The grid of the run."""
        return GRIDS[self.budget][self.data]


def result_path(results: str | Path, row: Row, seed: int) -> Path:
    """Result file of a run in the folder of its grid."""
    return Path(results) / f'{row.name}_seed{seed}.json'


def decoders_of(row: Row, grid: Grid) -> list[Row]:
    """Rows of a grid that decode the checkpoint of a row."""
    return [other for other in grid.rows if other.decode_of == row.name]


def run(task: Task) -> None:
    """Train and score a row, and score the rows that decode its checkpoint.

    Raises:
        OutOfTime: The deadline is near; another call is to resume the training.
    """
    row, grid = BY_NAME[task.row], task.grid
    # described before the training, as another commit may be checked out meanwhile
    machine = describe_machine()
    machine['commit'] = ', '.join(commits_of(Path(task.folder), machine['commit']))
    cfg = make_config(grid, row, task.seed, task.settings)
    if row.is_mean_pose:
        write(task, row, cfg, {}, score_mean_pose(cfg, grid), 0.0, machine)
        return
    cfg.work_dir = task.folder
    checkpoint, clock = train(cfg, task)
    for scored in (row, *decoders_of(row, grid)):
        cfg = cfg if scored is row else make_config(grid, scored, task.seed, task.settings)
        cfg.work_dir = task.folder
        if scored.fit_types:
            fit_types(cfg, Path(task.folder))
        began = time.perf_counter()
        hits = {name: score(for_test_set(cfg, name), checkpoint, name) for name in grid.test_sets}
        write(task, scored, cfg, clock, hits, time.perf_counter() - began, machine)


def commits_of(folder: Path, current: str) -> list[str]:
    """Commits that the training in a work directory was run with, the current one last; noted there."""
    note = folder / 'commits.txt'
    resumes = last_good_checkpoint(folder)[0] is not None and note.is_file()
    known = note.read_text().split() if resumes else []
    if known and current != known[-1]:
        sys.stdout.write(f'resumed with commit {current}, begun with {known[0]}; the result names all\n')
    commits = [*(commit for commit in known if commit != current), current]
    atomic_write(note, '\n'.join(commits).encode())
    return commits


def train(cfg: Config, task: Task) -> tuple[str, dict[str, float]]:
    """Train to the end, from the newest checkpoint of the work directory if there is one.

    Args:
        cfg: Config with ``work_dir``.
        task: The run.

    Returns:
        The last checkpoint; seconds and images of the training, and the GPU's load.

    Raises:
        OutOfTime: The deadline is near.
    """
    found, _ = last_good_checkpoint(cfg.work_dir)
    cfg.resume, cfg.load_from = found is not None, None if found is None else str(found)
    if task.deadline is not None:
        cfg.custom_hooks = [*cfg.custom_hooks, dict(type='StopInTimeHook', deadline=task.deadline)]
    runner = Runner.from_cfg(cfg)
    if task.settings.cache and task.settings.workers:
        preload(runner.build_dataloader(cfg.train_dataloader).dataset)
    with GpuLoad() as load:
        runner.register_hook(GpuLoadHook(load))
        runner.train()
    info = runner.message_hub.runtime_info
    clock = {**TrainingClockHook.read(info), **GpuLoadHook.read(info)}
    return str(last_good_checkpoint(cfg.work_dir)[0]), clock


def fit_types(cfg: Config, folder: Path) -> None:
    """Fit the mean offsets of parts from their parents on the training samples, and decode with them.

    Args:
        cfg: Config whose decoder is changed in place.
        folder: Folder for the file of the fit.
    """
    out, config = folder / 'types.json', folder / 'config_of_types.py'
    cfg.dump(str(config))
    command = ('tools/analysis/fit_deformation.py', str(config), '--num-types', '1', '--out', str(out))
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True)
    # the fitted weights fit the size of the maps
    cfg.model.head.decoder.update(deformation=str(out), decode='max_sum', deformation_weight='fitted')


def score(cfg: Config, checkpoint: str, name: str) -> Hits:
    """Score a checkpoint with a config from :func:`for_test_set`."""
    cfg.load_from, cfg.resume = checkpoint, False
    cfg.experiment_name = f'{Path(cfg.work_dir).name}_{name}_{time.time_ns()}'
    runner = Runner.from_cfg(cfg)
    runner.test()
    return runner.test_evaluator.metrics[0].hits


def score_mean_pose(cfg: Config, grid: Grid) -> dict[str, Hits]:
    """Score the average training pose, stretched to the box of each test sample, by test set."""
    pose = mean_pose(*read_samples(build_without_images(cfg.train_dataloader.dataset))[:3])
    hits = {}
    for name in grid.test_sets:
        # images are loaded, since occluders are cut from them
        dataset = DATASETS.build(for_test_set(cfg, name).test_dataloader.dataset)
        record = HitRecord()
        record.dataset_meta = dataset.metainfo
        for i in range(len(dataset)):
            sample = dataset[i]['data_samples']
            joints = place(pose, sample.gt_instances.bboxes)
            sample.pred_instances = InstanceData(keypoints=joints, keypoint_scores=joints[..., 0] * 0 + 1)
            record.process(None, [sample.to_dict()])
        record.evaluate(len(dataset))
        hits[name] = record.hits
    return hits


def write(
    task: Task, row: Row, cfg: Config, clock: dict, hits: dict[str, Hits], test_seconds: float, machine: dict
) -> None:
    """Write a result file.

    Args:
        task: The run.
        row: Row that was scored.
        cfg: Config of the row.
        clock: Seconds, images and GPU load of the training; empty without one.
        hits: Hits by test set.
        test_seconds: Seconds of scoring.
        machine: Description of the machine, with the commit.
    """
    path = result_path(task.results, row, task.seed)
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
        **({} if row.is_mean_pose else complexity(cfg)),
        **{name: clock[name] for name in clock if name.startswith('gpu_')},
        machine=machine,
        sets={
            name: without_labels(
                pack(brief(record), hits[PLAIN]) if name == OCCLUDERS else pack(record), path.parent, name
            )
            for name, record in hits.items()
        },
    )
    if scores := discriminator_scores(Path(task.folder)):
        found['discriminators'] = scores
    if clock:
        found['images_per_second'] = round(clock['images'] / clock['train'], 2)
    write_results(path, found)


def main() -> None:
    """Run the task of the command line."""
    task = Task.from_json(sys.argv[1])
    init_default_scope('mmpose')
    with (Path(task.folder) / 'lock').open('w') as lock:
        try:
            # held until the process ends, which may be after the call that started it
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            run(task)
        except BlockingIOError:
            sys.exit(TAKEN)
        except OutOfTime:
            sys.exit(OUT_OF_TIME)


if __name__ == '__main__':
    main()
