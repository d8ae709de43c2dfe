"""Calibrate the scores of a model: ``python tools/analysis/fit_calibration.py CONFIG CHECKPOINT [flags]``.

Predicts the validation set, and fits for each joint a curve from its score to the probability that it is right: within
``--thr`` of the torso's length. The curves go into a small json file for ``model.test_cfg.calibration``, with which
predictions have ``keypoints_correct``. Works with every top-down model of mmpose; one of type ``TopdownPoseEstimator``
becomes a ``CalibratedPoseEstimator`` for it.

``--method features`` fits a logistic regression on features of the heatmaps and the pose instead of one on the score
alone: how wide the map is, its second peak, the mirror joint's map, the limbs' lengths, and so on
(:mod:`posestructs.structures.joint_features`). With ``--cut-persons`` it also predicts the persons cut by the edge of
the image (``RandomPersonCut``) and fits ``keypoints_present``, the probability that a joint is in the image at all.

Curves are fitted on one part of the persons and measured on the others (``--holdout``), who share no image with them.
The persons must be neither those that the model was trained on nor those that a report is about.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from posestructs.evaluation.calibration import auroc, false_joints, reliability, risk_coverage, summary
from posestructs.evaluation.calibration_fit import fit_curves, hold_out
from posestructs.evaluation.calibration_plot import draw_calibration
from posestructs.evaluation.error_anatomy import torso_scale
from posestructs.evaluation.feature_fit import fit_regression
from posestructs.evaluation.joint_names import check_pair, find_joints
from posestructs.evaluation.prediction_files import (
    Labels,
    Poses,
    labels_of_dataset,
    match_predictions,
    read_predictions,
)
from posestructs.evaluation.tables import format_table
from posestructs.structures.feature_calibration import METHOD, FeatureCalibration, Regression
from posestructs.structures.score_calibration import METHODS, ScoreCalibration
from posestructs.utils import cli
from posestructs.utils.dataset_configs import build_dataset
from posestructs.utils.files import atomic_write
from posestructs.utils.model_fingerprint import model_fingerprint
from posestructs.utils.outputs import check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors

NAME = 'fit_calibration'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Calibrate the scores of a model, so that they are the probability that a joint is correct.'
    )
    parser.add_argument('config', help='a config file, or mmpose::path of one that mmpose ships')
    parser.add_argument('checkpoint', help='a checkpoint file')
    parser.add_argument('--pred', help="dump of the model's predictions, instead of predicting")
    parser.add_argument('--dump', type=Path, help='keep the predictions here (.pkl)')
    parser.add_argument('--split', choices=('val', 'test'), default='val', help='data loader of the config')
    parser.add_argument('--method', choices=(*METHODS, METHOD), default='platt', help='default: %(default)s')
    parser.add_argument('--cut-persons', action='store_true', help='with features: fit keypoints_present too')
    parser.add_argument('--dump-cut', type=Path, help='keep the predictions of cut persons here (.pkl)')
    parser.add_argument('--pooled', action='store_true', help='one curve for all joints')
    parser.add_argument('--thr', type=float, default=0.2, help='distance of a right joint, in torsos')
    parser.add_argument('--torso-pair', nargs=2, metavar='NAME', help='two joints in the place of the torso')
    parser.add_argument('--holdout', type=float, default=0.5, help='share of the images to measure on; 0 fits on all')
    parser.add_argument('--seed', type=cli.seed, default=0, help='seed of the choice of images')
    parser.add_argument('--out', type=Path, help='default: work_dirs/calibration/<config>.json')
    parser.add_argument('--cfg-options', nargs='+', action=cli.OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def check_args(args: argparse.Namespace) -> None:
    """Check the arguments before anything is loaded."""
    check_outputs(args)
    if not args.thr > 0:
        raise UsageError(f'--thr {args.thr:g}: allowed: above 0')
    if not 0 <= args.holdout < 1:
        raise UsageError(f'--holdout {args.holdout:g}: allowed: from 0 to below 1')
    if args.cut_persons and args.method != METHOD:
        raise UsageError(f'--cut-persons needs --method {METHOD}, got --method {args.method}')
    if args.dump_cut and not args.cut_persons:
        raise UsageError('--dump-cut needs --cut-persons')
    if args.pooled and args.method == METHOD:
        raise UsageError(f'--pooled is for {", ".join(METHODS)}, got --method {METHOD}')


def load_runner(args: argparse.Namespace, dump: Path, cut: bool = False) -> Runner:
    """A runner that dumps the predictions of the split, or of its persons cut by the edge of the image."""
    cfg = cli.load_config(args.config)
    cli.check_checkpoint(args.checkpoint, 'checkpoint')
    cfg.load_from, cfg.resume, cfg.launcher = args.checkpoint, False, 'none'
    cfg.work_dir = str(dump.parent)
    cli.merge_options(cfg, args.cfg_options)
    cli.require_keys(cfg, 'model', f'{args.split}_dataloader', 'test_cfg')
    cfg.test_dataloader = cfg[f'{args.split}_dataloader']
    cfg.test_evaluator = dict(type='DumpResults', out_file_path=str(dump))
    cfg.model.setdefault('test_cfg', {}).pop('calibration', None)
    if args.method == METHOD:
        if cfg.model.type == 'TopdownPoseEstimator':
            cfg.model.type = 'CalibratedPoseEstimator'
        meta = build_dataset(cfg, 'test').metainfo
        cfg.model.test_cfg.output_features = joints_of_features(meta)
    if cut:
        cut_persons(cfg.test_dataloader.dataset, args.seed)
    cli.complete_randomness(cfg)
    cfg.visualizer = None
    return Runner.from_cfg(Config(cfg.to_dict(), filename=cfg.filename))


def joints_of_features(meta: Mapping[str, Any]) -> dict[str, list]:
    """Mirror joints and neighbours, from the metainfo of a data set."""
    links = [[int(a), int(b)] for a, b in meta.get('skeleton_links', ())]
    return dict(mirror=[int(i) for i in meta['flip_indices']], links=links)


def cut_persons(dataset: Any, seed: int) -> None:
    """Put RandomPersonCut into the pipeline of a data set's config."""
    steps = [step.get('type') for step in dataset.get('pipeline') or ()]
    if 'TopdownAffine' not in steps:
        raise UsageError(f'--cut-persons needs TopdownAffine in the pipeline of the data set, which has {steps}')
    cut = dict(type='RandomPersonCut', prob=1.0, cuts=('waist', 'side'), seed=seed)
    dataset.pipeline.insert(steps.index('TopdownAffine'), cut)


def sizes(labels: Labels, args: argparse.Namespace) -> np.ndarray:
    """(N,) pixels of each person's torso, NaN where it is not labelled."""
    pair = args.torso_pair or labels.meta.get('torso_pair')
    if not pair:
        raise UsageError(f'{labels.source} names no torso_pair: give --torso-pair, two of {list(labels.joints)}')
    ids = find_joints(check_pair(pair, NAME), labels.meta['keypoint_name2id'], NAME, 'torso_pair')
    return torso_scale(labels.keypoints, labels.labelled, ids)


def right_joints(labels: Labels, pred: np.ndarray, args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Joints that can be measured and those that are right, both (N, K)."""
    size = sizes(labels, args)[:, None]
    distance = np.linalg.norm(pred - labels.keypoints, axis=2)
    return labels.labelled & np.isfinite(size), np.nan_to_num(distance / size, nan=np.inf) <= args.thr


def table(numbers: dict[str, dict[str, float]]) -> str:
    """Numbers of the scores and of the probabilities on held-out joints."""
    keys = [key for key in numbers['score'] if key not in ('joints', 'clipped', 'right')]
    rows = [[key, *(f'{part[key]:.3f}' for part in numbers.values())] for key in keys]
    return format_table(['held out', 'score', 'calibrated'], rows)


def predict(args: argparse.Namespace, runner: Runner, dump: Path) -> None:
    """Predict, or load the weights only, for their fingerprint."""
    if args.pred is not None:
        runner.load_or_resume()
        return
    runner.test()
    if args.dump is not None:
        atomic_write(args.dump, dump.read_bytes())


def features_of(poses: Poses) -> np.ndarray:
    """(N, K, F) features of a dump."""
    if 'keypoint_features' not in poses.fields:
        raise UsageError(f'{poses.source} has no keypoint_features: predict with --method {METHOD} --dump')
    return poses.fields['keypoint_features']


def fit_present(
    args: argparse.Namespace, folder: Path, labels: Labels, held: np.ndarray, size: np.ndarray
) -> tuple[Regression, dict[str, Any]]:
    """Regression of keypoints_present on cut persons, and what it is worth beside the score on held-out ones."""
    dump = folder / 'cut.pkl'
    load_runner(args, dump, cut=True).test()
    if args.dump_cut is not None:
        atomic_write(args.dump_cut, dump.read_bytes())
    poses = read_predictions(dump)
    position = {name: n for n, name in enumerate(labels.ids)}
    order = [position[name] for name in poses.ids]
    held, size = held[order], size[order]
    present, features = poses.labels['keypoints_present'], features_of(poses)
    known = present >= 0
    found = fit_regression(features, present == 1, known & ~held[:, None], labels.meta['flip_indices'])
    mask = known & held[:, None] & np.isfinite(size)[:, None]
    if not mask.any():
        return found, {}
    distance = np.linalg.norm(poses.keypoints - poses.labels['keypoints'], axis=2) / size[:, None]
    right, absent = ((present == 1) & (distance <= args.thr))[mask], (present == 0)[mask]
    report = dict(PCK=float(right.sum() / max((~absent).sum(), 1)), absent=float(absent.mean()))
    for name, values in dict(score=poses.scores, present=found.probability(features)).items():
        kept = {f'false_at_{share}': false_joints(values[mask], right, absent, share / 100) for share in (95, 90)}
        report[name] = dict(AUROC=auroc(values[mask], ~absent), **kept)
    return found, report


@report_usage_errors
def main() -> None:
    """Fit."""
    args = parse_args()
    check_args(args)
    shared, report = [], {}
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder, 'predictions.pkl')
        runner = load_runner(args, dump)
        predict(args, runner, dump)
        try:
            poses = read_predictions(args.pred or dump)
            labels = labels_of_dataset(
                build_dataset(runner.cfg, 'test'), f'the {args.split} set of {Path(args.config).name}'
            )
            matched = match_predictions(poses, labels)
            measured, right = right_joints(labels, matched.pred, args)
            measured &= matched.found[:, None]
            held = hold_out(labels.images, args.holdout, args.seed)
            fitted = measured & ~held[:, None]
            common = dict(
                joints=labels.joints,
                criterion=f'TorsoPCK@{args.thr:g}',
                fingerprint=model_fingerprint(runner.model),
                flip_test=bool((runner.cfg.model.get('test_cfg') or {}).get('flip_test', False)),
                source=f'{int(fitted.any(1).sum())} persons of {labels.source}',
            )
            if args.method == METHOD:
                features_of(poses)
                features = matched.fields['keypoint_features']
                correct = fit_regression(features, right, fitted, labels.meta['flip_indices'])
                probabilities, present = correct.probability(features), None
                if args.cut_persons:
                    present, report = fit_present(args, Path(folder), labels, held, sizes(labels, args))
                joints = {key: tuple(map(_plain, value)) for key, value in joints_of_features(labels.meta).items()}
                calibration = FeatureCalibration(correct=correct, present=present, **joints, **common)
            else:
                curves, shared = fit_curves(matched.scores, right, fitted, args.method, args.pooled)
                calibration = ScoreCalibration(method=args.method, curves=tuple(curves), **common)
                probabilities = calibration.apply(matched.scores)
        except ValueError as error:
            raise error if isinstance(error, UsageError) else UsageError(str(error)) from error
    mask = measured & held[:, None]
    out = args.out or Path('work_dirs', 'calibration', f'{Path(args.config).stem}.json')
    pairs = dict(score=matched.scores[mask], calibrated=probabilities[mask])
    if mask.any():
        numbers = {name: summary(p, right[mask]) for name, p in pairs.items()}
        print(table(numbers))
        calibration = replace(calibration, report=numbers | (dict(present=report) if report else {}))
    if report:
        print(present_table(report))
    calibration.save(out)
    if mask.any():
        draw(pairs, right[mask], out.with_suffix('.png'))
    if shared and not args.pooled:
        print(f'too few right or wrong labels for a curve of its own: {[labels.joints[k] for k in shared]}')
    print(f'{args.method} of {len(calibration.joints)} joints, fitted on {calibration.source}: {out}')


def present_table(report: Mapping[str, Any]) -> str:
    """How well absent joints of cut persons are separated from those in the image, held out."""
    keys = ('AUROC', 'false_at_95', 'false_at_90')
    rows = [
        [name, *('-' if report[name][key] is None else f'{report[name][key]:.3f}' for key in keys)]
        for name in ('score', 'present')
    ]
    return format_table(['cut persons', 'AUROC', 'absent drawn at 95 % kept', 'at 90 % kept'], rows)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def draw(pairs: Mapping[str, np.ndarray], right: np.ndarray, path: Path) -> None:
    """Write the reliability diagram."""
    diagrams = {name: reliability(np.clip(p, 0, 1), right) for name, p in pairs.items()}
    coverage = np.arange(1, 21) / 20
    curves = {name: risk_coverage(p, right, coverage) for name, p in pairs.items()}
    draw_calibration(diagrams, curves, coverage).savefig(path, dpi=110)


if __name__ == '__main__':
    main()
