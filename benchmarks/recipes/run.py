"""Train and score a run of the benchmark of adversarial recipes, by the tools of the project."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

from benchmarks.raw_results import decode, encode
from benchmarks.recipes.rows import HELD_OUT, ROOT, Trial, last_checkpoint
from posestructs.evaluation.error_anatomy import KINDS, classify_errors, torso_scale
from posestructs.evaluation.prediction_files import read_predictions
from posestructs.utils.checkpoints import last_good_checkpoint
from posestructs.utils.usage import UsageError

HELD, FINAL = 'held-out', 'val'
PLAIN, OCCLUDERS = 'plain', 'occluders'
THR = 0.2  # torsos
# seconds before the end of a call at which training stops, so that a checkpoint can be written
SAVING = 20.0


def tool(name: str, *args: object) -> list[str]:
    """Command line of a tool of the project."""
    return [sys.executable, str(ROOT / 'tools' / name), *map(str, args)]


def config_file(cfg: Config, folder: Path) -> Path:
    """Write the config of a run, apart from the work directory, in which the runner keeps a copy of its own."""
    config = folder / 'config' / 'recipe.py'
    config.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(str(config))
    return config


def train(cfg: Config, seed: int, folder: Path, end: float | None) -> Path | None:
    """Train to the end, or until the time is up.

    Args:
        cfg: Config of the run.
        seed: Its seed.
        folder: Work directory, with the checkpoints of earlier calls.
        end: Time at which to stop, as of ``time.time()``.

    Returns:
        Path | None: The last checkpoint; ``None`` if another call has to resume.

    Raises:
        UsageError: The training failed.
    """
    config = config_file(cfg, folder)
    last = folder / last_checkpoint(cfg)
    if last.is_file() and last_good_checkpoint(folder)[0] == last:
        return last
    flags = ('--work-dir', folder, '--seed', seed, '--resume', '--no-validate')
    with (folder / 'run.log').open('ab') as log:
        process = subprocess.Popen(tool('train.py', config, *flags), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            status = process.wait(None if end is None else max(1.0, end - SAVING - time.time()))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            process.wait()
            return None
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if status:
        raise UsageError(f'training failed, see {folder / "run.log"}')
    return last


def tested_samples(figures: bool, where: str, trial: Trial) -> dict[str, Any]:
    """Options of the data set that choose the persons to score."""
    if figures:  # none of those that are trained on
        return dict(start_index=0 if where == FINAL else 500000, num_samples=trial.test_images)
    samples = dict(id_file='train.txt', indices=-trial.test_images) if where == HELD else dict(id_file='val.txt')
    if where == FINAL and trial.test_images != HELD_OUT:
        samples['indices'] = trial.test_images
    return samples


def score(cfg: Config, checkpoint: Path, folder: Path, where: str, trial: Trial, figures: bool) -> dict[str, Any]:
    """Score a checkpoint on the held-out part or on val.txt: without occluders and, on photographs, with them."""
    config, samples = config_file(cfg, folder), tested_samples(figures, where, trial)
    options = [f'test_dataloader.dataset.{key}={value}' for key, value in samples.items()]
    options += ['test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False']
    sets = {}
    for name, phase in ((PLAIN, 'val'),) if figures else ((PLAIN, 'val'), (OCCLUDERS, 'test')):
        dump = folder / f'{where}_{name}.pkl'
        flags = ('--phase', phase, '--dump', dump, '--work-dir', folder / 'test', '--cfg-options', *options)
        run_quietly(tool('test.py', config, checkpoint, *flags), folder / 'test.log')
        sets[name] = read_counts(str(dump), cfg)
        dump.unlink()
    found: dict[str, Any] = dict(sets=sets)
    if 'discriminators' in cfg.model and cfg.model.discriminators:
        out = folder / f'{where}_diagnostics.json'
        flags = ('--out', out, '--cfg-options', *options)
        run_quietly(tool('analysis/diagnose_discriminators.py', config, checkpoint, *flags), folder / 'test.log')
        found['discriminators'] = json.loads(out.read_text())['discriminators']
    return found


def complete(found: Mapping[str, Any]) -> bool:
    """Check whether a result has all that is reported; one of an earlier version is scored again."""
    return all('kinds' in group for each in found['sets'].values() for group in each['groups'].values())


def run_quietly(command: Sequence[str], log: Path) -> None:
    """Run a command whose output goes into a file; its failure is a :exc:`UsageError`."""
    with log.open('ab') as file:
        if subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT).returncode:
            raise UsageError(f'{command[1]} failed, see {log}')


def read_counts(dump: str, cfg: Config) -> dict[str, Any]:
    """Right and measured joints of each person and error kinds, by group, from a dump of predictions."""
    init_default_scope('mmpose')
    meta = DATASETS.build(dict(cfg.val_dataloader.dataset, lazy_init=True)).metainfo
    poses = read_predictions(dump)
    gt, labelled = poses.labels['keypoints'], poses.labels['labelled']
    pair = tuple(meta['keypoint_name2id'][name] for name in meta['torso_pair'])
    torso = torso_scale(gt, labelled, pair)
    errors = classify_errors(poses.keypoints, gt, labelled, torso, [int(i) for i in meta['flip_indices']], thr=THR)
    occluded = poses.labels.get('keypoints_occluded', np.full(labelled.shape, -1))
    measured, right = errors.kind >= 0, errors.kind == KINDS.index('good')
    groups = dict(all=measured, visible=measured & (occluded == 0), occluded=measured & (occluded == 1))
    return dict(
        persons=len(gt),
        groups={
            name: dict(
                measured=pack(group.sum(1)),
                right=pack((right & group).sum(1)),
                kinds={kind: int((errors.kind[group] == number).sum()) for number, kind in enumerate(KINDS)},
            )
            for name, group in groups.items()
            if group.any()
        },
    )


def pack(counts: np.ndarray) -> str:
    """Counts up to 255 as text."""
    return encode(counts.astype(np.uint8))


def unpack(text: str) -> np.ndarray:
    """Invert :func:`pack`; (N,) float64."""
    return decode(text).astype(np.float64)
