"""See what parts tell each other: ``python tools/analysis/show_messages.py CONFIG CHECKPOINT --parts NAME [flags]``.

For an image, or a person of the config's data set, draws each chosen part's score before and after messages, and for
each of its neighbours what it knew, the learned kernel, and what its message added. Needs a model with the neck
``TreeMessagePassing`` and the head ``PartScoreHead``.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from pathlib import Path
from typing import Any, NamedTuple

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmpose.registry import DATASETS, MODELS

import posestructs  # noqa: F401  makes mmpose importable and registers every component
from posestructs.datasets.transforms.occlusion_channel import labelled
from posestructs.models.heads import PartScoreHead
from posestructs.models.necks import TreeMessagePassing
from posestructs.structures import KinematicTree
from posestructs.utils import cli
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.visualization import browsing
from posestructs.visualization.message_pictures import draw_messages, part_maps
from posestructs.visualization.message_trace import trace_messages


class Person(NamedTuple):
    """One packed sample, its name, and where its parts are: (V, 2) in pixels of the input and (V,) whether known."""

    packed: dict[str, Any]
    name: str
    parts: np.ndarray
    known: np.ndarray


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw the messages between parts of a structured model.')
    parser.add_argument('config', help='a config file')
    parser.add_argument('checkpoint', help='a checkpoint file or address')
    parser.add_argument('--parts', nargs='+', metavar='NAME', help="of the tree; default: the data set's joints")
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--image', help='an image of one person')
    source.add_argument('--index', type=int, default=0, help='a person of the data set; default: the first')
    parser.add_argument(
        '--bbox', nargs=4, type=float, metavar=('X1', 'Y1', 'X2', 'Y2'), help='with --image; default: all of it'
    )
    parser.add_argument('--phase', choices=('train', 'val', 'test'), default='test', help='whose data loader')
    parser.add_argument('--output-dir', type=Path, help='default: work_dirs/messages/<config>')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--cfg-options', nargs='+', action=cli.OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def build_model(cfg: Config, checkpoint: str, device: str) -> torch.nn.Module:
    """The model with its weights, all of them."""
    cli.check_checkpoint(checkpoint, 'checkpoint')
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:  # what torch raises for a device that is not there
        raise UsageError(f'--device {device}: {str(error).splitlines()[0]}') from error
    if 'init_cfg' in cfg.model.backbone:
        cfg.model.backbone.init_cfg = None  # the checkpoint has all weights
    model = MODELS.build(cfg.model)
    neck, head = (getattr(model, name, None) for name in ('neck', 'head'))
    if not isinstance(neck, TreeMessagePassing) or not isinstance(head, PartScoreHead):
        raise UsageError(
            f'config {cfg.filename} has the neck {type(neck).__name__} and the head {type(head).__name__}; messages '
            'can be shown of TreeMessagePassing and PartScoreHead'
        )
    try:
        load_checkpoint(model, checkpoint, map_location='cpu', strict=True)
    except (RuntimeError, ValueError, pickle.UnpicklingError) as error:
        reason = ' '.join(str(error).split())
        raise UsageError(f'checkpoint {checkpoint} does not fit config {cfg.filename}: {reason[:300]}') from error
    return model.to(device).eval()


def chosen_parts(tree: KinematicTree, names: list[str] | None) -> list[int]:
    """Indices of the named parts; of the joints where none are named."""
    if names is None:
        return list(tree.joint_parts)
    unknown = [name for name in names if name not in tree.names]
    if unknown:
        raise UsageError(f'--parts {" ".join(unknown)}: no such part, allowed: {" ".join(tree.names)}')
    return [tree.names.index(name) for name in names]


def person_of_image(cfg: Config, args: argparse.Namespace, tree: KinematicTree) -> Person:
    """An image, cropped as for testing."""
    path = Path(args.image)
    image = mmcv.imread(str(path)) if path.is_file() else None
    if image is None:
        raise UsageError(f'--image {path} {"is no image" if path.is_file() else "does not exist"}')
    height, width = image.shape[:2]
    x1, y1, x2, y2 = args.bbox or (0, 0, width, height)
    if not (x1 < x2 and y1 < y2 and x2 > 0 and y2 > 0 and x1 < width and y1 < height):
        raise UsageError(f'--bbox {x1:g} {y1:g} {x2:g} {y2:g}: no box in {path}, which has {width} x {height} pixels')
    pipeline = Compose(dataset_config(cfg, args.phase).pipeline)
    bbox = np.array([[x1, y1, x2, y2]], dtype=np.float32)
    packed = pipeline(dict(img_path=str(path), bbox=bbox, bbox_score=np.ones(1, np.float32)))
    return Person(packed, path.stem, np.zeros((tree.num_parts, 2)), np.zeros(tree.num_parts, dtype=bool))


def person_of_dataset(cfg: Config, args: argparse.Namespace, tree: KinematicTree) -> Person:
    """A person of the data set, with the truth."""
    config = dataset_config(cfg, args.phase)
    browsing.map_pipelines(config, lambda steps: [*steps[:-1], {**steps[-1], 'pack_transformed': True}])
    try:
        dataset = DATASETS.build(config)
        count = len(dataset)
        packed = getattr(dataset, 'prepare_data', dataset.__getitem__)(args.index) if 0 <= args.index < count else None
    except (OSError, KeyError, TypeError, ValueError, AssertionError) as error:
        raise UsageError(f'{cfg.filename}: {args.phase}_dataloader.dataset: {error}') from error
    if not 0 <= args.index < count:
        raise UsageError(f'--index {args.index}: the {args.phase} data has {count} people, from 0')
    if packed is None:
        raise UsageError(f'--index {args.index}: left out by the data set or its pipeline')
    truth = packed['data_samples'].gt_instances
    parts, known = tree.part_positions(truth.transformed_keypoints[0], labelled(truth.keypoints_visible)[0])
    return Person(packed, f'{args.phase}{args.index:06d}', parts, known)


def dataset_config(cfg: Config, phase: str) -> Any:
    """The data set's part of a config."""
    loader = cfg.get(f'{phase}_dataloader')
    if not loader or not loader.get('dataset'):
        raise UsageError(f'config {cfg.filename} sets no {phase}_dataloader.dataset')
    return loader.dataset


@report_usage_errors
def main() -> None:
    """Draw."""
    args = parse_args()
    if args.bbox and not args.image:
        raise UsageError('--bbox needs --image')
    cfg = cli.load_config(args.config)
    cli.merge_options(cfg, args.cfg_options)
    cli.require_keys(cfg, 'model')
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    model = build_model(cfg, args.checkpoint, args.device)
    tree = model.neck.tree
    parts = chosen_parts(tree, args.parts)
    person = (person_of_image if args.image else person_of_dataset)(cfg, args, tree)

    with torch.no_grad():
        inputs = model.data_preprocessor(pseudo_collate([person.packed]), training=False)['inputs']
        trace = trace_messages(model.neck, model.backbone(inputs))
    picture = browsing.as_picture(person.packed['inputs'].permute(1, 2, 0).numpy())
    folder = args.output_dir or Path('work_dirs', 'messages', Path(cfg.filename).stem)
    for part in parts:
        maps = part_maps(model.neck, model.head, trace, part)
        truth = person.parts[part] if person.known[part] else None
        drawn = draw_messages(picture, maps, truth, f'{maps.name}, {person.name}')
        mmcv.imwrite(mmcv.rgb2bgr(drawn), str(folder / f'{person.name}_{maps.name}.png'))
    print(f'{len(parts)} pictures in {folder}')


if __name__ == '__main__':
    main()
