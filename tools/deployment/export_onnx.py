"""Export a model to ONNX: ``python tools/deployment/export_onnx.py CONFIG CHECKPOINT --out X.onnx``.

The network takes normalised images in batches of any size and gives the last maps; discriminators are left out. The
metadata of the file describes cropping, normalisation and decoding, which ``onnx_pose`` beside this file does with
NumPy alone. The network is compared with torch on batches of two sizes before the file is written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# a checkout works without installation
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from posestructs.deployment import MapsNetwork, load_generator
from posestructs.deployment.metadata import describe_network
from posestructs.deployment.onnx_export import differences, export_network
from posestructs.utils.cli import OptionAction, check_checkpoint, load_config, merge_options, require_keys
from posestructs.utils.files import atomic_write
from posestructs.utils.outputs import check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Export a model to ONNX.')
    parser.add_argument('config', help='a config file, or mmpose::path of one that mmpose ships')
    parser.add_argument('checkpoint', nargs='?', help='a checkpoint file or address')
    parser.add_argument('--random-weights', action='store_true', help='no checkpoint: a network to measure, not to use')
    parser.add_argument('--out', type=Path, required=True, help='the file to write')
    parser.add_argument(
        '--batches', type=int, nargs=2, default=[1, 3], metavar='N', help='batch sizes of the comparison'
    )
    parser.add_argument(
        '--tolerance', type=float, default=1e-4, help='largest difference, as a share of the largest value or of 1'
    )
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def check_args(args: argparse.Namespace) -> None:
    """Check the arguments before anything is loaded."""
    if args.out.suffix != '.onnx':
        raise UsageError(f'--out {args.out}: the name has to end in .onnx')
    if min(args.batches) < 1:
        raise UsageError(f'--batches {min(args.batches)}: allowed are sizes from 1')
    if (args.checkpoint is None) != args.random_weights:
        given = 'none' if args.checkpoint is None else f'{args.checkpoint} and --random-weights'
        raise UsageError(f'checkpoint: {given}, allowed: a checkpoint, or --random-weights')
    if args.checkpoint is not None:
        check_checkpoint(args.checkpoint, 'checkpoint')


@report_usage_errors
def main() -> None:
    """Export."""
    args = parse_args()
    check_outputs(args)
    check_args(args)
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    require_keys(cfg, 'model', 'test_dataloader')
    try:
        model = load_generator(cfg, args.checkpoint)
        description = describe_network(model, cfg)
        network, size = MapsNetwork(model).eval(), description['input']['size']
        data = export_network(network, size, description)
    except (TypeError, ValueError) as error:
        raise UsageError(f'{args.config}: {error}') from error
    found = differences(network, data, size, args.batches)
    for difference in found:
        print(
            f'batch of {difference.batch}: torch and onnxruntime differ by {difference.largest:.2g} at most, of '
            f'values up to {difference.scale:.2g}'
        )
    worst = max(difference.largest / max(1, difference.scale) for difference in found)
    if not worst <= args.tolerance:
        raise UsageError(
            f'--tolerance {args.tolerance:g}: torch and onnxruntime differ by {worst:.2g}; nothing is written'
        )
    atomic_write(args.out, data)
    print(
        f'{args.out}: {len(data) / 1e6:.2f} MB, codec {description["codec"]["type"]}'
        + ('' if args.checkpoint else ', random weights')
    )
    if (model.test_cfg or {}).get('pyramid_scales'):
        print('test_cfg.pyramid_scales is not exported: the graph is for one input size.')


if __name__ == '__main__':
    main()
