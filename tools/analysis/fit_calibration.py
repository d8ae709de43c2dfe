"""Calibrate the scores of a model: ``python tools/analysis/fit_calibration.py CONFIG CHECKPOINT [flags]``.

Predicts the validation set, and fits for each joint a curve from its score to the probability that it is right: within
``--thr`` of the torso's length. The curves go into a small json file for ``model.test_cfg.calibration``, with which
predictions have ``keypoints_correct``. Works with every top-down model of mmpose; one of type ``TopdownPoseEstimator``
becomes a ``CalibratedPoseEstimator`` for it.

Curves are fitted on one part of the persons and measured on the others (``--holdout``), who share no image with them.
The persons must be neither those that the model was trained on nor those that a report is about.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from posestructs.evaluation.calibration import reliability, risk_coverage, summary
from posestructs.evaluation.calibration_fit import fit_curves, hold_out
from posestructs.evaluation.calibration_plot import draw_calibration
from posestructs.evaluation.error_anatomy import torso_scale
from posestructs.evaluation.joint_names import check_pair, find_joints
from posestructs.evaluation.prediction_files import Labels, labels_of_dataset, match_predictions, read_predictions
from posestructs.evaluation.tables import format_table
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
    parser.add_argument('--split', choices=('val', 'test'), default='val', help='whose data loader')
    parser.add_argument('--method', choices=METHODS, default='platt', help='default: %(default)s')
    parser.add_argument('--pooled', action='store_true', help='one curve for all joints')
    parser.add_argument('--thr', type=float, default=0.2, help='distance of a right joint, in torsos')
    parser.add_argument('--torso-pair', nargs=2, metavar='NAME', help='two joints in the place of the torso')
    parser.add_argument('--holdout', type=float, default=0.5, help='share of the images to measure on; 0 fits on all')
    parser.add_argument('--seed', type=cli.seed, default=0, help='seed of the choice of images')
    parser.add_argument('--out', type=Path, help='default: work_dirs/calibration/<config>.json')
    parser.add_argument('--cfg-options', nargs='+', action=cli.OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def load_runner(args: argparse.Namespace, dump: Path) -> Runner:
    """A runner that dumps the predictions of the split."""
    cfg = cli.load_config(args.config)
    cli.check_checkpoint(args.checkpoint, 'checkpoint')
    cfg.load_from, cfg.resume, cfg.launcher = args.checkpoint, False, 'none'
    cfg.work_dir = str(dump.parent)
    cli.merge_options(cfg, args.cfg_options)
    cli.require_keys(cfg, 'model', f'{args.split}_dataloader', 'test_cfg')
    cfg.test_dataloader = cfg[f'{args.split}_dataloader']
    cfg.test_evaluator = dict(type='DumpResults', out_file_path=str(dump))
    cfg.model.setdefault('test_cfg', {}).pop('calibration', None)
    cli.complete_randomness(cfg)
    cfg.visualizer = None
    return Runner.from_cfg(Config(cfg.to_dict(), filename=cfg.filename))


def right_joints(labels: Labels, pred: np.ndarray, args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Joints that can be measured and those that are right, both (N, K)."""
    pair = args.torso_pair or labels.meta.get('torso_pair')
    if not pair:
        raise UsageError(f'{labels.source} names no torso_pair: give --torso-pair, two of {list(labels.joints)}')
    ids = find_joints(check_pair(pair, NAME), labels.meta['keypoint_name2id'], NAME, 'torso_pair')
    size = torso_scale(labels.keypoints, labels.labelled, ids)[:, None]
    distance = np.linalg.norm(pred - labels.keypoints, axis=2)
    return labels.labelled & np.isfinite(size), np.nan_to_num(distance / size, nan=np.inf) <= args.thr


def table(numbers: dict[str, dict[str, float]]) -> str:
    """Numbers of the scores and of the probabilities on held-out joints."""
    keys = [key for key in numbers['score'] if key not in ('joints', 'clipped', 'right')]
    rows = [[key, *(f'{part[key]:.3f}' for part in numbers.values())] for key in keys]
    return format_table(['held out', 'score', 'calibrated'], rows)


@report_usage_errors
def main() -> None:
    """Fit."""
    args = parse_args()
    check_outputs(args)
    if not args.thr > 0:
        raise UsageError(f'--thr {args.thr:g}: allowed: above 0')
    if not 0 <= args.holdout < 1:
        raise UsageError(f'--holdout {args.holdout:g}: allowed: from 0 to below 1')
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder, 'predictions.pkl')
        runner = load_runner(args, dump)
        if args.pred is None:
            runner.test()
            if args.dump is not None:
                atomic_write(args.dump, dump.read_bytes())
        else:
            runner.load_or_resume()
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
            curves, shared = fit_curves(matched.scores, right, fitted, args.method, args.pooled)
        except ValueError as error:
            raise error if isinstance(error, UsageError) else UsageError(str(error)) from error
        calibration = ScoreCalibration(
            joints=labels.joints,
            method=args.method,
            curves=tuple(curves),
            criterion=f'TorsoPCK@{args.thr:g}',
            fingerprint=model_fingerprint(runner.model),
            flip_test=bool((runner.cfg.model.get('test_cfg') or {}).get('flip_test', False)),
            source=f'{int(fitted.any(1).sum())} persons of {labels.source}',
        )
    mask = measured & held[:, None]
    if mask.any():
        pairs = dict(score=matched.scores[mask], calibrated=calibration.apply(matched.scores)[mask])
        calibration = replace(calibration, report={name: summary(p, right[mask]) for name, p in pairs.items()})
        print(table(calibration.report))
    out = args.out or Path('work_dirs', 'calibration', f'{Path(args.config).stem}.json')
    calibration.save(out)
    if mask.any():
        diagrams = {name: reliability(np.clip(p, 0, 1), right[mask]) for name, p in pairs.items()}
        coverage = np.arange(1, 21) / 20
        curves = {name: risk_coverage(p, right[mask], coverage) for name, p in pairs.items()}
        draw_calibration(diagrams, curves, coverage).savefig(out.with_suffix('.png'), dpi=110)
    if shared and not args.pooled:
        print(f'too few right or wrong labels for a curve of its own: {[labels.joints[k] for k in shared]}')
    print(f'{args.method} curves of {len(calibration.joints)} joints, fitted on {calibration.source}: {out}')


if __name__ == '__main__':
    main()
