"""Short trainings that try what helps a model to tell left from right.

    python benchmarks/left_right_pilots.py                                # all rows, the control with two seeds
    python benchmarks/left_right_pilots.py --rows control facing --max-minutes 20
    python benchmarks/left_right_pilots.py --report docs/shipped_model.md # from existing results

Each row trains the shipped model from MoveNet's weights for two epochs on the first 4,400 persons of train.txt, turned
by at most 30 degrees, with one change, and is scored on its last 600; val.txt takes no part. A run takes 5 minutes of
one core (larger-input 9, mirror-consistency 10). Interrupted runs resume from their last checkpoint, finished ones are
not repeated. The row clean-labels leaves out persons by the list that ``tools/analysis/find_suspect_labels.py`` makes
of predictions for train.txt (``benchmarks/peers.py --cfg-options`` makes those of MoveNet Thunder).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from benchmarks.grid.experiment import set_everywhere
from benchmarks.hard_persons import interval, read_persons, right_joints, summarise
from benchmarks.page import write_section
from benchmarks.raw_results import write_results
from benchmarks.recipes.rows import HELD_OUT, ROOT, TRAINED, config_hash
from benchmarks.recipes.run import config_file, pack, run_quietly, tool, train, unpack
from posestructs.evaluation.prediction_files import labels_of_dataset
from posestructs.evaluation.tables import format_table
from posestructs.utils import cli
from posestructs.utils.files import atomic_write
from posestructs.utils.machine import describe_machine
from posestructs.utils.usage import UsageError, report_usage_errors

CONFIG = ROOT / 'configs/hybrid/td-tree_movenet-lightning_lspet-mini-192x192.py'
RESULTS = ROOT / 'benchmarks/results/left_right_pilots.json'
ROWS = {
    'control': 'control: turned by up to 30 degrees',
    'larger-input': 'input of 256x256 pixels',
    'facing': 'direction of the torso and front or back as a further target',
    'bone-maps': 'bone maps (part affinity fields) as a further target',
    'mirror-consistency': 'same maps for an image and its mirror image',
    'clean-labels': 'without persons whose labels look mirrored',
}
SEEDS = {'control': (0, 1)}
FEATURES = 96
SUSPECT = 0.2  # score of a person, from which clean-labels leaves it out
COLUMNS = ('joints', 'whole_persons', 'inversions_among_errors', 'both_on_one_knee', 'both_on_one_ankle')
HEAD = ('joints', 'over control', 'whole persons', 'inversions, of the errors', 'both on one knee', 'both on one ankle')


def make_config(row: str, images: int = TRAINED, held_out: int = HELD_OUT, ids: Path | None = None) -> Config:
    """Config of a row, without its seed and work directory.

    Args:
        row: Key of ROWS.
        images: Number of training persons.
        held_out: Number of persons that are scored.
        ids: File of the persons that clean-labels trains on.
    """
    cfg = cli.load_config(str(CONFIG)).to_dict()
    train_set, val_set = cfg['train_dataloader']['dataset'], cfg['val_dataloader']['dataset']
    train_set.update(indices=images)
    val_set.update(id_file='train.txt', indices=-held_out)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader].update(num_workers=0, persistent_workers=False)
    for step in train_set['pipeline']:
        if step['type'] == 'RandomBBoxTransform':
            step['rotate_factor'] = 30
    cfg['train_cfg'].update(max_epochs=2, val_interval=2)
    cfg['param_scheduler'][0].update(end=50)
    cfg['param_scheduler'][1].update(end=2, T_max=2)
    cfg['default_hooks']['checkpoint'].update(interval=1, max_keep_ckpts=1)
    cfg['custom_imports']['imports'] = ['posestructs', 'benchmarks.pilots']
    model, metainfo = cfg['model'], dict(from_file='lsp.py')
    if row == 'larger-input':
        set_everywhere(cfg, dict(input_size=(256, 256), heatmap_size=(64, 64)))
    elif row == 'facing':
        names = joint_names(cfg)
        auxiliary = dict(type='FacingLoss', in_channels=FEATURES, names=names)
        model.update(type='AuxiliaryPoseEstimator', auxiliary=auxiliary)
    elif row == 'bone-maps':
        auxiliary = dict(type='BoneMapLoss', in_channels=FEATURES, tree=dict(metainfo=metainfo))
        model.update(type='AuxiliaryPoseEstimator', auxiliary=auxiliary)
    elif row == 'mirror-consistency':
        model.update(type='MirrorConsistentPoseEstimator')
    elif row == 'clean-labels' and ids is not None:
        train_set.update(id_file=str(ids), indices=None)
    return Config(cfg, filename=str(CONFIG))


def joint_names(cfg: Mapping[str, Any]) -> list[str]:
    """Names of the joints of a config's data set."""
    init_default_scope('mmpose')
    meta = DATASETS.build(dict(cfg['val_dataloader']['dataset'], lazy_init=True)).metainfo
    return [meta['keypoint_id2name'][k] for k in range(meta['num_keypoints'])]


def clean_ids(suspects: Path, folder: Path, images: int) -> Path:
    """Write the ids of the first training persons without those whose labels look mirrored.

    Args:
        suspects: List of ``tools/analysis/find_suspect_labels.py``.
        folder: Folder for the file.
        images: Number of training persons before.

    Raises:
        UsageError: The list cannot be read.
    """
    data = cli.load_config(str(CONFIG)).train_dataloader.dataset
    known = Path(data.data_root, data.id_file).read_text().split()[:images]
    try:
        with suspects.open(newline='') as file:
            rows = list(csv.DictReader(file))
        mirrored = {r['id'] for r in rows if r['kind'] == 'mirror' and float(r['score']) >= SUSPECT}
    except (OSError, KeyError, ValueError) as error:
        raise UsageError(f'--suspects {suspects}, allowed: suspects.csv of find_suspect_labels.py ({error})') from error
    out = folder / 'clean.txt'
    kept = [each for each in known if each not in mirrored]
    atomic_write(out, ('\n'.join(kept) + '\n').encode())
    print(f'clean-labels: {len(kept)} of {len(known)} persons are kept', flush=True)
    return out


def score(cfg: Config, checkpoint: Path, folder: Path) -> dict[str, Any]:
    """Figures of a checkpoint, and right and measured joints of each held-out person."""
    config, dump = config_file(cfg, folder), folder / 'held-out.pkl'
    flags = ('--phase', 'val', '--dump', dump, '--work-dir', folder / 'test')
    run_quietly(tool('test.py', config, checkpoint, *flags), folder / 'test.log')
    init_default_scope('mmpose')
    labels = labels_of_dataset(DATASETS.build(cfg.val_dataloader.dataset), 'train.txt')
    persons = read_persons(str(dump), labels)
    right, measured = right_joints(persons).sum(1), persons.labelled.sum(1)
    return dict(figures=summarise(persons, labels), right=pack(right), measured=pack(measured))


def table(results: list[Mapping[str, Any]]) -> str:
    """Markdown table; differences are to the mean of the control's seeds, with 95 % intervals over persons."""
    control = [unpack(one['right']) for one in results if one['row'] == 'control']
    rows = []
    for one in sorted(results, key=lambda one: (list(ROWS).index(one['row']), one['seed'])):
        figures, gap = one['figures'], '-'
        if control and one['row'] != 'control':
            d = interval(unpack(one['right']), np.mean(control, 0), unpack(one['measured']))
            gap = f'{d["mean"]:+.1f} [{d["low"]:+.1f}, {d["high"]:+.1f}]'
        name = ROWS[one['row']] + (f', seed {one["seed"]}' if one['row'] in SEEDS else '')
        cells = [f'{figures[key]:.1f}' for key in COLUMNS]
        rows.append([name, cells[0], gap, *cells[1:]])
    finished = {one['row'] for one in results}
    rows += [[label, 'open', *('-' for _ in HEAD[1:])] for row, label in ROWS.items() if row not in finished]
    return format_table(['', *HEAD], rows)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--rows', nargs='+', choices=ROWS, default=list(ROWS), metavar='NAME', help=' '.join(ROWS))
    parser.add_argument('--seeds', nargs='+', type=cli.seed, help='default: 0; 0 1 of the control')
    parser.add_argument('--suspects', type=Path, help='list of find_suspect_labels.py, for clean-labels')
    parser.add_argument('--max-minutes', type=float, help='stop after this many minutes; the next call resumes')
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs/left_right_pilots')
    parser.add_argument('--out', type=Path, default=RESULTS, help='JSON file of the results')
    parser.add_argument('--report', type=Path, metavar='PAGE', help='only write the table into a Markdown page')
    parser.add_argument('--images', type=cli.positive, default=TRAINED, help='training persons, for trials')
    parser.add_argument('--test-images', type=cli.positive, default=HELD_OUT, help='persons that are scored')
    args = parser.parse_args()
    args.work_dir, args.out = args.work_dir.resolve(), args.out.resolve()
    if args.out == RESULTS and (args.images, args.test_images) != (TRAINED, HELD_OUT):
        parser.error('--images and --test-images change the results: give another --out')
    return args


def read_results(path: Path) -> list[dict[str, Any]]:
    """Results of earlier calls."""
    return json.loads(path.read_text()) if path.is_file() else []


@report_usage_errors
def main() -> None:
    """Run the rows that are not finished, or report."""
    began, args = time.time(), parse_args()
    if args.report:
        write_section(args.report, 'left-right-pilots', table(read_results(args.out)))
        return
    end = None if args.max_minutes is None else began + 60 * args.max_minutes
    planned = [(row, seed) for row in args.rows for seed in args.seeds or SEEDS.get(row, (0,))]
    for row, seed in sorted(planned, key=lambda run: run[1]):
        ids = None
        if row == 'clean-labels':
            if args.suspects is None:
                print('clean-labels: left out without --suspects', flush=True)
                continue
            args.work_dir.mkdir(parents=True, exist_ok=True)
            ids = clean_ids(args.suspects, args.work_dir, args.images)
        cfg = make_config(row, args.images, args.test_images, ids)
        mark = config_hash(cfg, seed, ids.read_text() if ids else None)
        if any(one['fingerprint'] == mark for one in read_results(args.out)):
            print(f'{row}, seed {seed}: finished before', flush=True)
            continue
        machine, folder = describe_machine(), args.work_dir / f'{row}_seed{seed}_{mark}'
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint = train(cfg, seed, folder, end)
        if checkpoint is None:
            print(f'{row}, seed {seed}: left for another call', flush=True)
            break
        found = dict(row=row, seed=seed, fingerprint=mark, machine=machine, **score(cfg, checkpoint, folder))
        kept = [one for one in read_results(args.out) if (one['row'], one['seed']) != (row, seed)]
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_results(args.out, [*kept, found])
        print(f'{row}, seed {seed}: finished, {(time.time() - began) / 60:.1f} minutes', flush=True)
    if results := read_results(args.out):
        print(table(results))


if __name__ == '__main__':
    main()
