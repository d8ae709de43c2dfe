"""Publish a trained model: ``python tools/misc/publish_model.py CONFIG CHECKPOINT --out demo/checkpoints/NAME.pth``.

The file gets the weights of backbone, neck and head; discriminators, optimizers and states of hooks are removed. Its
``meta`` says what it is: config, data set, metrics, the command that trained it and the commit. Its name gets the first
digits of its hash. Before it is written, the model is run on a synthetic figure with the original and with the
published weights, and must give the same maps and joints. ``posestructs.apis.shipped_models`` lists the files in
``demo/checkpoints``.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

import posestructs  # noqa: F401  makes mmpose importable and registers every component
from posestructs.apis.model_source import load_weights
from posestructs.datasets.stick_figure import draw_scene
from posestructs.deployment import MapsNetwork, build_generator
from posestructs.utils.checkpoints import read_safely
from posestructs.utils.cli import check_checkpoint, load_config
from posestructs.utils.files import atomic_write
from posestructs.utils.machine import commit
from posestructs.utils.outputs import check_outputs
from posestructs.utils.paths import config_root
from posestructs.utils.publishing import (
    halved,
    hashed_name,
    local_paths,
    network_weights,
    others_of_name,
    release_checkpoint,
    without_local_paths,
)
from posestructs.utils.usage import UsageError, report_usage_errors

MOST_CHANGED = 0.02
"""Share of the largest map value by which float16 may change a map; it rounds weights by at most 0.0005."""
MOST_MOVED = 1
"""Cells of the map, along an axis, by which it may move a joint. Rounding can swap a map's highest cell with an equally
high neighbour, or turn the quarter of a cell that is added towards the higher neighbour; a joint that goes farther went
to another peak."""


class Seen(NamedTuple):
    """Predictions of a model for the fixed image: (C, H, W) maps, (K, 2) joints in pixels, (2,) pixels of a cell."""

    maps: Tensor
    joints: np.ndarray
    cell: np.ndarray


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Make a checkpoint for others to use.')
    parser.add_argument('config', help='the config it was trained with')
    parser.add_argument('checkpoint', type=Path, help='a checkpoint of the run')
    parser.add_argument('--out', type=Path, required=True, help='NAME.pth; the file is named NAME-<hash>.pth')
    parser.add_argument('--command', required=True, help='the exact command that trained it')
    parser.add_argument('--data', required=True, help='what it was trained on, in a few words')
    parser.add_argument('--metrics', type=Path, help='json file of its results')
    parser.add_argument('--about', help='the model in a sentence; default: config and data')
    parser.add_argument('--commit', help='commit of the training; default: that of this checkout, if clean')
    parser.add_argument('--default', action='store_true', help='the model that is used where none is named')
    parser.add_argument('--fp16', action='store_true', help='store kernels in half precision; they load as float32')
    parser.add_argument('--max-mb', type=float, default=5, help='refuse a larger file, in 10^6 bytes')
    parser.add_argument('--replace', action='store_true', help='remove files of the same NAME with another hash')
    args = parser.parse_args()
    args.about = args.about or f'{Path(args.config).stem}, trained on {args.data}'
    return args


def check_args(args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is loaded."""
    check_checkpoint(str(args.checkpoint), 'checkpoint')
    if args.out.suffix != '.pth':
        raise UsageError(f'--out {args.out}: the name has to end in .pth')
    if args.metrics is not None and not args.metrics.is_file():
        raise UsageError(f'--metrics {args.metrics}: no such file')
    for flag in ('command', 'data', 'about'):
        for path in local_paths(getattr(args, flag)):
            raise UsageError(f'--{flag} names {path}, a path of this machine: give it relative to the checkout')
    others = others_of_name(args.out)
    if others and not args.replace:
        raise UsageError(f'--out {args.out}: {others[0]} is there; remove it, or give --replace')


def read_metrics(path: Path | None) -> Any:
    """Read the results that are stored in the file."""
    if path is None:
        return None
    try:
        return json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise UsageError(f'--metrics {path}: no json ({error})') from error


def config_name(path: str) -> str:
    """A config's name below ``configs/``, by which the model is found again."""
    root, file = config_root().resolve(), Path(path).resolve()
    if not file.is_relative_to(root):
        raise UsageError(f'config {path} is not below {root}, where a published model looks for it')
    return file.relative_to(root).as_posix()


def training_commit(given: str | None) -> str:
    """The commit that is given, or that of this checkout, which has to be one that others can get."""
    if given:
        return given
    found = commit()
    if found == 'unknown' or found.endswith('-dirty'):
        raise UsageError(f'--commit is not given, and that of this checkout is {found}: name that of the training')
    return found


def describe(args: argparse.Namespace) -> dict[str, Any]:
    """Description that is stored in the file."""
    root = config_root().resolve().parent
    return dict(
        name=args.out.stem,
        about=args.about,
        config=config_name(args.config),
        config_text=without_local_paths(Path(args.config).read_text(), root),
        data=args.data,
        command=args.command,
        commit=training_commit(args.commit),
        metrics=without_local_paths(read_metrics(args.metrics), root),
        kernels='float16' if args.fp16 else 'float32',
        default=args.default,
    )


@torch.no_grad()
def look(model: nn.Module) -> Seen:
    """Run a model on the same drawn person."""
    size = tuple(model.head.decoder.input_size)
    image = draw_scene(seed=0, index=0, size=size).image
    batch = model.data_preprocessor(dict(inputs=[torch.from_numpy(image.transpose(2, 0, 1).copy())], data_samples=[]))
    found = MapsNetwork(model)(batch['inputs'])
    maps = found[0] if isinstance(found, tuple) else found
    cell = np.array(size) / maps.shape[:1:-1]
    return Seen(maps[0], model.head.decode(maps)[0].keypoints[0], cell)


def compare(cfg: Config, args: argparse.Namespace, state: dict[str, Tensor], data: bytes) -> str:
    """Predictions with the weights of the run and with those of the file."""
    model, seen = build_generator(cfg), []
    for weights in (state, torch.load(io.BytesIO(data), weights_only=True)['state_dict']):
        load_weights(model, dict(state_dict=weights), str(args.checkpoint), args.config)
        seen.append(look(model))
    changed = (seen[0].maps - seen[1].maps).abs().max().item()
    largest = seen[0].maps.abs().max().item()
    moved = float((np.abs(seen[0].joints - seen[1].joints) / seen[0].cell).max())
    difference = f'largest difference of maps {changed:.2g} (of {largest:.2g}), of joints {moved:.2g} cells'
    # a NaN fails the comparisons, too
    if not (changed <= (MOST_CHANGED * largest if args.fp16 else 0) and moved <= MOST_MOVED):
        raise UsageError(f'{args.checkpoint}: the published model would not be the same: {difference}')
    return difference


@report_usage_errors
def main() -> None:
    """Publish."""
    args = parse_args()
    check_outputs(args)
    check_args(args)
    release, cfg = describe(args), load_config(args.config)
    try:
        checkpoint = read_safely(args.checkpoint)
        state = network_weights(checkpoint, cfg.model.get('keep'))
        stored = halved(state) if args.fp16 else state
    except ValueError as error:
        raise UsageError(f'{args.checkpoint}: {error}') from error
    text = Config(without_local_paths(cfg.to_dict(), config_root().resolve().parent)).pretty_text
    data = release_checkpoint(stored, checkpoint.get('meta', {}), text, release)
    if len(data) > args.max_mb * 1e6:
        raise UsageError(
            f'{args.checkpoint}: the file would have {len(data) / 1e6:.2f} MB, more than --max-mb {args.max_mb:g}'
            + ('' if args.fp16 else '; --fp16 halves it')
        )
    report = compare(cfg, args, state, data)
    path, others = hashed_name(args.out, data), others_of_name(args.out)
    atomic_write(path, data)
    for other in set(others) - {path}:
        other.unlink()
    print(f'{path}: {len(data) / 1e6:.2f} MB, {len(state)} of {len(checkpoint["state_dict"])} weights; {report}')


if __name__ == '__main__':
    main()
