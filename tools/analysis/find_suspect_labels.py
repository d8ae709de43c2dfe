"""List the labels that are most likely wrong.

Run it with ``python tools/analysis/find_suspect_labels.py DUMP [DUMP ...] --config CONFIG``.

Compares the labels of a data set with predictions of models that were not trained on them: train k models, each
without one of k parts of the persons (``id_file`` or ``indices`` of the data set), let ``tools/test.py --dump`` predict
the part that each has not seen, and give all dumps. One model that has seen none of the persons will do as well.

Writes a csv, the most suspect person first, and a sheet of the first ones: labels on the left, predictions on the
right. :mod:`posestructs.evaluation.suspect_labels` says how persons are ranked. Look before you correct: the model errs
too.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from posestructs.evaluation.error_anatomy import torso_scale
from posestructs.evaluation.joint_names import check_pair, find_joints
from posestructs.evaluation.prediction_files import (
    Labels,
    Matched,
    labels_of_dataset,
    match_predictions,
    read_coco_labels,
    read_predictions,
)
from posestructs.evaluation.suspect_labels import Suspect, confidence_ranks, find_suspects
from posestructs.utils.cli import OptionAction, load_config, merge_options
from posestructs.utils.dataset_configs import build_dataset
from posestructs.utils.files import atomic_write
from posestructs.utils.images import BadImageError
from posestructs.utils.outputs import check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.visualization import contact_sheet
from posestructs.visualization.anatomy_drawing import draw_person

NAME = 'find_suspect_labels'
COLUMNS = ('rank', 'score', 'kind', 'what', 'image', 'id', 'joints')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='List the labels that are most likely wrong, by their disagreement with predictions.'
    )
    parser.add_argument('predictions', nargs='+', help='dumps or other files of predictions, one per fold')
    labels = parser.add_mutually_exclusive_group(required=True)
    labels.add_argument('--config', help='a config with the data set')
    labels.add_argument('--ann', help='a COCO json with the labels')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train', help='data set of --config')
    parser.add_argument('--img-root', default='', help='folder of the images of --ann')
    parser.add_argument('--metainfo', help='metainfo file of the joints of --ann')
    parser.add_argument('--torso-pair', nargs=2, metavar='NAME', help='two joints in the place of the torso')
    parser.add_argument('--count', type=int, default=50, help='persons in the sheet')
    parser.add_argument('--out-dir', type=Path, default=Path('work_dirs/suspect_labels'), help='default: %(default)s')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def read_labels(args: argparse.Namespace) -> Labels:
    """Labels of ``--ann`` or of a data set of ``--config``."""
    if args.ann:
        return read_coco_labels(args.ann, args.metainfo, args.img_root)
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    return labels_of_dataset(build_dataset(cfg, args.split), f'the {args.split} set of {Path(args.config).name}')


def join_folds(paths: list[str], labels: Labels) -> tuple[Matched, np.ndarray]:
    """Predictions of all folds, and their confidences from 0 to 1, which are ranked within each fold."""
    joined, confidence = None, None
    for path in paths:
        fold = match_predictions(read_predictions(path), labels)
        own = _confidence(fold, labels)
        if joined is None:
            joined, confidence = fold, own
            continue
        twice = joined.found & fold.found
        if twice.any():
            n = int(np.flatnonzero(twice)[0])
            raise UsageError(
                f'{path}: {twice.sum()} persons are in a fold before it too, the first: id {labels.ids[n]} of '
                f'{labels.paths[n]}; each person is to be predicted by the model that has not seen it'
            )
        joined.pred[fold.found], confidence[fold.found] = fold.pred[fold.found], own[fold.found]
        joined.found |= fold.found
    return joined, confidence


def _confidence(fold: Matched, labels: Labels) -> np.ndarray:
    measured = labels.labelled & fold.found[:, None] & np.isfinite(fold.pred).all(2)
    if 'keypoints_correct' in fold.fields:
        return np.where(measured, fold.fields['keypoints_correct'], 0)
    return confidence_ranks(fold.scores, measured)


def limbs(labels: Labels) -> dict[str, list[int]]:
    """Joints of arms and of legs, by the data set's ``upper_body_ids`` and ``lower_body_ids``."""
    parts = dict(arms='upper_body_ids', legs='lower_body_ids')
    return {name: list(labels.meta[key]) for name, key in parts.items() if labels.meta.get(key)}


def write_csv(path: Path, suspects: list[Suspect], labels: Labels) -> None:
    """One row per person, the most suspect first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(COLUMNS)
    for rank, s in enumerate(suspects, start=1):
        names = ' '.join(labels.joints[j] for j in s.joints)
        row = (rank, f'{s.score:.4f}', s.kind, s.group, labels.paths[s.person], labels.ids[s.person], names)
        writer.writerow(row)
    atomic_write(path, text.getvalue().encode())


def draw_sheet(suspects: list[Suspect], labels: Labels, pred: np.ndarray) -> np.ndarray:
    """Labels beside predictions, (H, W, 3) uint8 RGB."""
    tiles, titles = [], []
    for rank, s in enumerate(suspects, start=1):
        arrays = labels.keypoints[s.person], labels.labelled[s.person], pred[s.person]
        tiles.append(draw_person(labels.paths[s.person], *arrays, labels.meta, s.joints))
        titles.append(f'{rank} {s.kind} {s.group}: {Path(labels.paths[s.person]).stem} #{labels.ids[s.person]}')
    return contact_sheet(tiles, 5, titles)


@report_usage_errors
def main() -> None:
    """Rank."""
    args = parse_args()
    check_outputs(args)
    try:
        labels = read_labels(args)
        joined, confidence = join_folds(args.predictions, labels)
        pair = args.torso_pair or labels.meta.get('torso_pair')
        if not pair:
            raise UsageError(f'{labels.source} names no torso_pair: give --torso-pair, two of {list(labels.joints)}')
        ids = find_joints(check_pair(pair, NAME), labels.meta['keypoint_name2id'], NAME, 'torso_pair')
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from error
    size = torso_scale(labels.keypoints, labels.labelled, ids)
    arrays = joined.pred, labels.keypoints, labels.labelled, size, labels.meta['flip_indices'], confidence
    suspects = find_suspects(*arrays, labels.joints, limbs(labels))
    write_csv(args.out_dir / 'suspects.csv', suspects, labels)
    left_out = int((~joined.found).sum()), int((joined.found & ~np.isfinite(size)).sum())
    print(f'{len(labels.ids)} persons, {left_out[0]} without a prediction, {left_out[1]} without a torso: not ranked')
    kinds = [s.kind for s in suspects[: args.count]]
    print(f'first {len(kinds)}: {kinds.count("mirror")} mirror, {kinds.count("joint")} joint')
    written = [args.out_dir / 'suspects.csv']
    if suspects and args.count > 0:
        try:
            sheet = draw_sheet(suspects[: args.count], labels, joined.pred)
            written.append(args.out_dir / 'suspects.jpg')
            atomic_write(written[-1], cv2.imencode('.jpg', sheet[..., ::-1])[1].tobytes())
        except BadImageError as error:
            print(f'no sheet: {labels.why_no_image(error)}')
    print('written: ' + ', '.join(map(str, written)))


if __name__ == '__main__':
    main()
