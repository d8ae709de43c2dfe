"""Measure what discriminators know about poses, and the gradients that they give.

Run it with ``python tools/analysis/diagnose_discriminators.py CONFIG CHECKPOINT [flags]``.

For each discriminator: AUROC of right against wrong joints within predicted maps, by the discriminator, by the height
of the map's peak, and by both; AUROC and mean scores of targets against predictions; norm and cosine of its gradient at
the maps against that of the supervised loss; share of predicted joints with the label 1. A discriminator that ranks
joints no better than the peak has nothing to add.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# a checkout works without installation
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from torch import nn

import posestructs  # noqa: F401  makes mmpose importable and registers every component
from posestructs.apis.devices import check_device
from posestructs.apis.model_source import load_weights, read_checkpoint
from posestructs.evaluation.tables import format_table
from posestructs.models.pose_estimators.discriminator_diagnostics import diagnose
from posestructs.utils.cli import OptionAction, check_checkpoint, load_config, merge_options, require_keys
from posestructs.utils.dataset_configs import build_dataset, dataset_config, map_pipelines, with_targets
from posestructs.utils.files import atomic_write
from posestructs.utils.usage import UsageError, report_usage_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Diagnose the discriminators of a checkpoint.')
    parser.add_argument('config', help='a config file with discriminators')
    parser.add_argument('checkpoint', help='a checkpoint of its training')
    parser.add_argument('--phase', choices=('train', 'val', 'test'), default='test', help='whose data; default: test')
    parser.add_argument('--max-item-num', type=int, default=400, help='greatest number of samples; default: 400')
    parser.add_argument('--batch-size', type=int, default=16, help='samples of a batch; default: 16')
    parser.add_argument('--out', type=Path, help='write the figures here (.json)')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def load_model(cfg: Config, checkpoint: str, device: str) -> nn.Module:
    """The model with its discriminators, both with the weights of the checkpoint."""
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    if not hasattr(model, 'attach_discriminators') or len(model.networks()) == 1:
        raise UsageError(f'{cfg.filename}: the model has no discriminators')
    model.attach_discriminators()
    load_weights(model, read_checkpoint(checkpoint), checkpoint, str(cfg.filename))
    return model.to(device).eval()


def batches(cfg: Config, phase: str, count: int, size: int) -> Iterator[Any]:
    """Batches of the first samples of a phase, with targets."""
    require_keys(cfg, 'model')
    map_pipelines(dataset_config(cfg, phase), lambda pipeline: with_targets(pipeline, cfg.model.head.decoder))
    dataset = build_dataset(cfg, phase)
    count = min(count, len(dataset))
    for first in range(0, count, size):
        yield pseudo_collate([dataset[i] for i in range(first, min(first + size, count))])


@report_usage_errors
def main() -> None:
    """Diagnose."""
    args = parse_args()
    for flag in ('max_item_num', 'batch_size'):
        if getattr(args, flag) < 1:
            raise UsageError(f'--{flag.replace("_", "-")} {getattr(args, flag)}, allowed: at least 1')
    if args.out and args.out.suffix != '.json':
        raise UsageError(f'--out {args.out}, allowed: a name that ends in .json')
    check_checkpoint(args.checkpoint, 'CHECKPOINT')
    check_device(args.device)
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    torch.manual_seed(0)
    model = load_model(cfg, args.checkpoint, args.device)
    found = diagnose(model, batches(cfg, args.phase, args.max_item_num, args.batch_size))
    keys = list(dict.fromkeys(key for values in found.values() for key in values))
    rows = [[key, *(f'{values[key]:.4g}' if key in values else '-' for values in found.values())] for key in keys]
    print(format_table(['', *found], rows))
    if args.out:
        content = dict(config=args.config, checkpoint=args.checkpoint, phase=args.phase, discriminators=found)
        atomic_write(args.out, (json.dumps(content, indent=1) + '\n').encode())


if __name__ == '__main__':
    main()
