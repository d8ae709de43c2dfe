"""Train a pose model: ``python tools/train.py CONFIG [flags]``, with mmpose's flags."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmengine.config import Config
from mmengine.dist import is_main_process

import posestructs  # noqa: F401  makes mmpose importable and registers every component
from posestructs.engine.hooks import (
    AnnotationCheckHook,
    CheckpointCheckHook,
    CodecCheckHook,
    FinitePredictionHook,
    InterruptHook,
    JointCheckHook,
    MetricLabelsHook,
    OcclusionTruthHook,
)
from posestructs.engine.pretrained_sources import check_pretrained_sources
from posestructs.engine.screen_log import ScreenRunner
from posestructs.utils import cli
from posestructs.utils.build_errors import short_build_errors
from posestructs.utils.checkpoints import last_good_checkpoint, read_meta, why_not_resumable
from posestructs.utils.config_numbers import check_numbers
from posestructs.utils.downloads import is_address
from posestructs.utils.launch import disconnect_ranks, set_up_ranks
from posestructs.utils.outputs import check_output_folder
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.utils.work_dir_lock import work_dir_lock


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train a pose model.')
    parser.add_argument('config', help='a config file, or mmpose::path of one that mmpose ships')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint; without a value, from the last good one in the work dir',
    )
    parser.add_argument(
        '--load-from',
        metavar='CHECKPOINT',
        help='start from the weights of this checkpoint, at epoch 0 with a new optimizer and schedule (load_from=...)',
    )
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision; bfloat16 on a CPU')
    parser.add_argument(
        '--channels-last',
        action='store_true',
        help='store the weights of convolutions channels last, which is faster on most CPUs (ChannelsLastHook)',
    )
    parser.add_argument('--no-validate', action='store_true', help='do not evaluate while training')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate to the batch size')
    parser.add_argument('--seed', type=cli.seed, help='random seed')
    parser.add_argument('--tensorboard', action='store_true', help='write TensorBoard files (tensorboard=True)')
    parser.add_argument('--wandb', action='store_true', help='log to Weights & Biases (needs wandb)')
    cli.add_common_arguments(parser)
    return parser.parse_args()


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Apply the command line to a config; ``--cfg-options`` have the last word on its keys."""
    cli.merge_common(cfg, args)
    if args.amp:
        cli.use_amp(cfg.get('optim_wrapper') or {})
    if args.auto_scale_lr:
        if not cfg.get('auto_scale_lr'):
            raise UsageError(f'--auto-scale-lr: {args.config} sets no auto_scale_lr=dict(base_batch_size=...)')
        cfg.auto_scale_lr.enable = True
    if args.seed is not None:
        cli.merge_dict(cfg, 'randomness', dict(seed=args.seed))
    if args.show or args.show_dir:
        cli.draw_predictions(cfg, args)
        cfg.default_hooks.visualization.out_dir = args.show_dir
    if args.tensorboard:
        cfg.tensorboard = True
    if args.load_from:
        if args.resume:
            raise UsageError('--load-from starts anew and --resume goes on: give one of them')
        cfg.load_from, cfg.resume = args.load_from, False
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    cli.merge_options(cfg, args.cfg_options)
    if args.channels_last:
        hooks = cfg.get('custom_hooks') or []
        if not any(hook.get('type') == 'ChannelsLastHook' for hook in hooks):
            cfg.custom_hooks = [*hooks, dict(type='ChannelsLastHook')]
    if args.no_validate:  # after the options, some of which may be about validation
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None


def check_length(cfg: Config) -> None:
    """Refuse a training of no steps, which mmengine would end without a word."""
    for key in ('max_epochs', 'max_iters'):
        value = cfg.train_cfg.get(key)
        if value is not None and not (isinstance(value, int) and value >= 1):
            raise UsageError(f'train_cfg.{key}={value!r}, allowed: an integer of at least 1')


def choose_checkpoint(cfg: Config, start: str | None) -> list[str]:
    """Settle what a run that resumes goes on from.

    Args:
        cfg: The config; its ``resume`` and ``load_from`` are changed in place.
        start: Weights to start from where there is nothing to resume.

    Returns:
        list[str]: What the user should know about the choice.

    Raises:
        UsageError: The named checkpoint is absent or unusable, or all of the work directory are.
    """
    if not cfg.get('resume'):
        if cfg.get('load_from'):
            cli.check_checkpoint(cfg.load_from, 'load_from')
        return []
    if cfg.get('load_from'):
        file = cli.check_checkpoint(cfg.load_from, '--resume')
        downloaded = is_address(cfg.load_from)
        problem = file and why_not_resumable(file, opt_in=not downloaded)
        if problem:
            raise UsageError(f'--resume {cfg.load_from}: {problem}')
        if file and not downloaded:  # mmengine's loader takes an address from the cache, and runs no code of it
            cfg.load_from = str(file)
        keep_seed(cfg, file, opt_in=not downloaded)
        return []
    template = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('filename_tmpl')
    patterns = [template.replace('{}', '*')] if template else ['epoch_*.pth', 'iter_*.pth']
    try:
        found, notes = last_good_checkpoint(cfg.work_dir, patterns)
    except ValueError as error:
        raise UsageError(f'--resume: {error}; without --resume it trains from scratch') from error
    cfg.resume, cfg.load_from = (True, str(found)) if found else (False, start)
    keep_seed(cfg, found)
    return notes if found else [f'nothing to resume in {cfg.work_dir}: training starts from {start or "scratch"}']


def keep_seed(cfg: Config, file: Path | None, opt_in: bool = True) -> None:
    """Go on with the seed of the checkpoint; mmengine takes it over too, but after the data are shuffled."""
    if file is None or (cfg.get('randomness') or {}).get('seed') is not None:
        return
    cli.merge_dict(cfg, 'randomness', dict(seed=read_meta(file, opt_in).get('seed')))


@report_usage_errors
def main() -> None:
    """Train."""
    args = parse_args()
    cfg = cli.load_config(args.config)
    start = cfg.get('load_from')
    merge_args(cfg, args)
    cli.require_keys(cfg, 'model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
    check_length(cfg)
    check_numbers(cfg)
    if cfg.get('tensorboard'):
        cli.use_tensorboard(cfg)
    if args.wandb:
        cli.use_wandb(cfg)
    notes = choose_checkpoint(cfg, start)
    cli.check_data(cfg, ['train'] if cfg.get('val_dataloader') is None else ['train', 'val'])
    check_pretrained_sources(dict(model=cfg.model))
    check_pretrained_sources(cfg)
    cli.complete_randomness(cfg)
    cli.add_project_hooks(cfg)
    cli.keep_curves(cfg)
    set_up_ranks(cfg)
    if is_main_process():
        check_output_folder('--work-dir', cfg.work_dir)
    lock = work_dir_lock(cfg.work_dir) if is_main_process() else nullcontext()
    with short_build_errors(cfg.work_dir), lock:
        train(cfg, notes)
    disconnect_ranks()


def train(cfg: Config, notes: list[str]) -> None:
    """Build the runner and train.

    Args:
        cfg: The final config.
        notes: Warnings for the log.
    """
    runner = ScreenRunner.from_cfg(cfg)
    # not in the config, whose text stands for what a run does: these only look beforehand
    runner.register_hook(OcclusionTruthHook())
    runner.register_hook(MetricLabelsHook())
    runner.register_hook(AnnotationCheckHook())
    runner.register_hook(CheckpointCheckHook())
    runner.register_hook(JointCheckHook())
    runner.register_hook(CodecCheckHook())
    runner.register_hook(FinitePredictionHook())
    for note in notes:
        runner.logger.warning(note)
    interrupt = InterruptHook()
    runner.register_hook(interrupt)
    with interrupt.watching(runner):
        runner.train()


if __name__ == '__main__':
    main()
