"""Evaluate a checkpoint on test or validation data.

Run it with ``python tools/test.py CONFIG CHECKPOINT [flags]``, with mmpose's flags.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mmengine
from mmengine.config import Config
from mmengine.dist import is_main_process

import posestructs  # noqa: F401  makes mmpose importable and registers every component
from posestructs.datasets.image_checks import has_image_files
from posestructs.engine.hooks import (
    AnnotationCheckHook,
    CheckpointCheckHook,
    CodecCheckHook,
    FinitePredictionHook,
    JointCheckHook,
    MetricLabelsHook,
    OcclusionTruthHook,
)
from posestructs.engine.screen_log import ScreenRunner
from posestructs.utils import cli
from posestructs.utils.build_errors import short_build_errors
from posestructs.utils.config_numbers import check_numbers
from posestructs.utils.files import atomic_write
from posestructs.utils.launch import disconnect_ranks, set_up_ranks
from posestructs.utils.outputs import check_output_file, check_output_folder
from posestructs.utils.usage import UsageError, report_usage_errors

OUT_FORMATS = ('.json', '.yaml', '.yml', '.pkl', '.pickle')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Evaluate a checkpoint on test or validation data.')
    parser.add_argument('config', help='a config file, or mmpose::path of one that mmpose ships')
    parser.add_argument('checkpoint', help='a checkpoint file or address')
    parser.add_argument('--out', help=f'write the metrics here ({" ".join(OUT_FORMATS)})')
    parser.add_argument('--dump', help='write the predictions here (.pkl)')
    parser.add_argument(
        '--phase',
        choices=('test', 'val'),
        default='test',
        help="test on the config's test data and metrics (default) or on its validation data and metrics",
    )
    parser.add_argument('--badcase', action='store_true', help='find and draw the worst predictions')
    cli.add_common_arguments(parser)
    return parser.parse_args()


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Apply the command line to a config; ``--cfg-options`` have the last word on its keys."""
    cli.merge_common(cfg, args)
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.phase == 'val':
        cli.require_keys(cfg, 'val_dataloader', 'val_evaluator')
        cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    if args.badcase:
        analyse_badcases(cfg, args)
    if args.show_dir or (args.show and not args.badcase):
        cli.draw_predictions(cfg, args)
        cfg.default_hooks.visualization.update(show=args.show and not args.badcase, out_dir=args.show_dir)
    if args.dump:
        evaluators = cfg.get('test_evaluator') or []
        evaluators = list(evaluators) if isinstance(evaluators, (list, tuple)) else [evaluators]
        cfg.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=args.dump)]
    options = dict(args.cfg_options)
    if args.phase == 'val':  # what is said of the validation set holds for its copy too
        options |= {
            f'test{key[3:]}': v for key, v in options.items() if key.startswith(('val_dataloader', 'val_evaluator'))
        }
    cli.merge_options(cfg, options)


def analyse_badcases(cfg: Config, args: argparse.Namespace) -> None:
    """Switch on mmpose's bad-case hook, with the head's loss or the test metric as its measure."""
    cli.draw_predictions(cfg, args, 'badcase')
    hook = cfg.default_hooks.badcase
    if hook.get('metric'):
        return
    kind = hook.get('metric_type', 'loss')
    head = (cfg.get('model') or {}).get('head') or {}
    measure = head.get('loss') if kind == 'loss' else cfg.get('test_evaluator')
    if not isinstance(measure, dict):
        raise UsageError(f'--badcase: no single {kind} in the config, set default_hooks.badcase.metric')
    hook.metric = measure


def check_badcase_images(dataset: Any) -> None:
    """Refuse ``--badcase`` on synthetic data before the test: mmpose's hook reads each image again from its file."""
    if not has_image_files(dataset):
        raise UsageError(
            f'--badcase: test_dataloader.dataset ({type(dataset).__name__}) draws its images, allowed: a data set with '
            'image files; --show-dir draws the predictions of both'
        )


def check_outputs(args: argparse.Namespace) -> None:
    """Refuse output names before hours of testing."""
    if args.out and Path(args.out).suffix not in OUT_FORMATS:
        raise UsageError(f'--out {args.out}, allowed: a name that ends in {" ".join(OUT_FORMATS)}')
    if args.dump and Path(args.dump).suffix not in ('.pkl', '.pickle'):
        raise UsageError(f'--dump {args.dump}, allowed: a name that ends in .pkl or .pickle')


def check_writable(cfg: Config, args: argparse.Namespace) -> None:
    """Refuse places where nothing can be written."""
    check_output_folder('--work-dir', cfg.work_dir)
    if args.show_dir:
        check_output_folder('--show-dir', Path(cfg.work_dir, 'run', args.show_dir))
    for flag in ('out', 'dump'):
        if getattr(args, flag):
            check_output_file(f'--{flag}', getattr(args, flag))


@report_usage_errors
def main() -> None:
    """Evaluate."""
    args = parse_args()
    check_outputs(args)
    cfg = cli.load_config(args.config)
    cli.check_checkpoint(args.checkpoint, 'checkpoint')
    merge_args(cfg, args)
    cli.require_keys(cfg, 'model', 'test_dataloader', 'test_cfg', 'test_evaluator')
    check_numbers(cfg)
    cli.check_data(cfg, ['test'])
    cli.complete_randomness(cfg)
    cli.add_project_hooks(cfg)
    cli.keep_curves(cfg)
    set_up_ranks(cfg)
    if is_main_process():
        check_writable(cfg, args)
    with short_build_errors(cfg.work_dir):
        runner = ScreenRunner.from_cfg(cfg)
        # not in the config, whose text stands for what a run does: these only look beforehand
        runner.register_hook(OcclusionTruthHook())
        runner.register_hook(MetricLabelsHook())
        runner.register_hook(AnnotationCheckHook())
        runner.register_hook(CheckpointCheckHook())
        runner.register_hook(JointCheckHook())
        runner.register_hook(CodecCheckHook())
        runner.register_hook(FinitePredictionHook())
        if args.badcase:
            check_badcase_images(runner.test_loop.dataloader.dataset)
        metrics = runner.test()
    if args.out and is_main_process():
        text = mmengine.dump(metrics, file_format=Path(args.out).suffix[1:])
        atomic_write(args.out, text if isinstance(text, bytes) else text.encode())
    del runner
    disconnect_ranks()


if __name__ == '__main__':
    main()
