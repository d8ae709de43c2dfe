"""Count jitter, inversions, swaps and misses in predictions.

Run it with ``python tools/analysis/error_anatomy.py PREDICTIONS [PREDICTIONS] --config CONFIG``.

Every labelled joint is good, jitter, an inversion (left and right confused), a swap (on another joint or another
person) or a miss; :mod:`posestructs.evaluation.error_anatomy` has the definitions. Predictions are a dump of
``tools/test.py --dump`` or of mmpose, COCO results (json of mmpose, ultralytics or detectron2), a csv or h5 of
DeepLabCut, or an analysis h5 of SLEAP. Labels are those of a config's test set or of a COCO json (``--ann``). Two files
of predictions are compared with a paired bootstrap.

Writes a table, its numbers as json, a figure of stacked bars and, if the images are available, a sheet of the worst
persons of each kind of error. No image is opened for anything but the sheets, and no file of predictions can run code.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from posestructs.evaluation.anatomy_report import Analysis, analyse, comparison_table, report, shares_table
from posestructs.evaluation.error_anatomy import DEFAULTS, KINDS, compare_kinds
from posestructs.evaluation.prediction_files import (
    Labels,
    labels_of_dataset,
    match_predictions,
    read_coco_labels,
    read_predictions,
)
from posestructs.utils.cli import OptionAction, load_config, merge_options, not_negative, positive
from posestructs.utils.dataset_configs import build_dataset
from posestructs.utils.files import atomic_write
from posestructs.utils.images import BadImageError
from posestructs.utils.outputs import check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.visualization.anatomy_drawing import draw_bars, draw_worst, worst_persons


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Count jitter, inversions, swaps and misses in predictions.')
    parser.add_argument('predictions', nargs='+', help='one file, or two to compare')
    labels = parser.add_mutually_exclusive_group(required=True)
    labels.add_argument('--config', help='a config whose test_dataloader.dataset has the labels')
    labels.add_argument('--ann', help='a COCO json with the labels')
    parser.add_argument('--img-root', default='', help='folder of the images of --ann, for the sheets')
    parser.add_argument('--metainfo', help='metainfo file of the joints of --ann')
    parser.add_argument(
        '--pred-joints', nargs='+', metavar='NAME', help='joints of predictions without names, in order'
    )
    parser.add_argument('--map', nargs='+', default=[], metavar='PRED=LABEL', help='joints that have two names')
    parser.add_argument('--common-joints', action='store_true', help='leave out joints that are not predicted')
    parser.add_argument('--scale', choices=tuple(DEFAULTS), default='torso', help='unit of distance')
    parser.add_argument('--thr', type=float, help='greatest error of a good joint; default: 0.2 torsos, or OKS 0.85')
    parser.add_argument(
        '--near', type=float, help='greatest distance to a joint nearby; default: 0.4 torsos, or OKS 0.5'
    )
    parser.add_argument('--torso-pair', nargs=2, metavar='NAME', help='two joints in the place of the torso')
    parser.add_argument('--names', nargs='+', help='names of the models in tables and images')
    parser.add_argument('--worst', type=not_negative, default=16, help='persons in each sheet; 0 for no sheets')
    parser.add_argument('--resamples', type=positive, default=5000, help='number of bootstrap samples')
    parser.add_argument('--out-dir', type=Path, default=Path('work_dirs/error_anatomy'), help='default: %(default)s')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def read_labels(args: argparse.Namespace) -> Labels:
    """Labels of ``--ann`` or of the test set of ``--config``."""
    if args.ann:
        return read_coco_labels(args.ann, args.metainfo, args.img_root)
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    return labels_of_dataset(build_dataset(cfg, 'test'), f'the test set of {Path(args.config).name}')


def model_names(args: argparse.Namespace) -> list[str]:
    """Names for tables and files: given ones, else those of the files."""
    if len(args.predictions) > 2:
        raise UsageError(f'{len(args.predictions)} files of predictions, allowed: one, or two to compare')
    names = args.names or [Path(path).stem for path in args.predictions]
    if len(names) != len(args.predictions) or len(set(names)) < len(names):
        raise UsageError(f'--names {" ".join(names)}: give a different name for each file of predictions')
    return names


def joint_map(pairs: list[str]) -> dict[str, str]:
    """``--map`` as a dict."""
    if any(pair.count('=') != 1 for pair in pairs):
        raise UsageError(f'--map {" ".join(pairs)}: each is PRED=LABEL')
    return dict(pair.split('=') for pair in pairs)


def analyse_file(path: str, labels: Labels, args: argparse.Namespace) -> Analysis:
    """Error kinds of one file of predictions."""
    poses = read_predictions(path)
    if args.pred_joints and poses.joints is None:
        if len(args.pred_joints) != poses.keypoints.shape[1]:
            raise UsageError(
                f'--pred-joints has {len(args.pred_joints)} names, {path} {poses.keypoints.shape[1]} joints'
            )
        poses.joints = tuple(args.pred_joints)
    matched = match_predictions(poses, labels, joint_map(args.map), args.common_joints)
    return analyse(matched, labels, args.scale, args.thr, args.near, args.torso_pair)


def write_sheets(name: str, found: Analysis, labels: Labels, args: argparse.Namespace) -> list[Path]:
    """A sheet of the worst persons of each kind of error."""
    written = []
    for which, kind in enumerate(KINDS[1:], start=1):
        persons = worst_persons(found.errors.kind, found.errors.distance, which, args.worst)
        if not persons:
            continue
        titles = [f'{Path(path).stem} #{person}' for path, person in zip(labels.paths, labels.ids, strict=True)]
        arrays = labels.keypoints, found.labelled, found.matched.pred
        sheet = draw_worst(persons, found.errors.kind, which, *arrays, labels.paths, titles, labels.meta)
        file = args.out_dir / f'{name}_{kind}.jpg'
        atomic_write(file, cv2.imencode('.jpg', sheet[..., ::-1])[1].tobytes())
        written.append(file)
    return written


@report_usage_errors
def main() -> None:
    """Analyse."""
    args = parse_args()
    check_outputs(args)
    names = model_names(args)
    try:
        labels = read_labels(args)
        found = {name: analyse_file(path, labels, args) for name, path in zip(names, args.predictions, strict=True)}
        # the same joints of the same persons for all
        common = np.logical_and.reduce([analysis.errors.kind >= 0 for analysis in found.values()])
        found = {name: analysis.only(common) for name, analysis in found.items()}
        first = found[names[0]]
        compared = None
        if len(names) == 2:
            kinds = [analysis.errors.kind for analysis in found.values()]
            compared = compare_kinds(*kinds, group=[str(image) for image in labels.images], resamples=args.resamples)
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from error
    print(first.definition)
    for name, analysis in found.items():
        print(f'\n{name}\n' + ''.join(f'note: {note}\n' for note in analysis.notes) + shares_table(analysis))
    content = dict(definition=first.definition, models={name: report(analysis) for name, analysis in found.items()})
    if compared is not None:
        print(f'\n{names[1]} minus {names[0]}, in points, with 95 % intervals\n' + comparison_table(compared))
        content['difference'] = {kind: value._asdict() for kind, value in compared.items()}
    files = [args.out_dir / 'anatomy.json', args.out_dir / 'anatomy.png']
    atomic_write(files[0], (json.dumps(content, indent=1) + '\n').encode())
    draw_bars({name: analysis.counts() for name, analysis in found.items()}).savefig(files[1], dpi=130)
    for name, analysis in found.items() if args.worst > 0 else ():
        try:
            files += write_sheets(name, analysis, labels, args)
        except BadImageError as error:
            remedy = '; --img-root names the folder of the images' if args.ann else ''
            print(f'no sheets: {labels.why_no_image(error)}{remedy}')
            break
    print('\nwritten: ' + ', '.join(map(str, files)))


if __name__ == '__main__':
    main()
