"""Draw the messages between body parts.

Run it with ``python tools/analysis/show_messages.py CONFIG CHECKPOINT --parts NAME [flags]``.

For an image, or a person of the config's data set, each chosen part gets an image of its score before and after
messages, and for each neighbour of the sender's score, the learned kernel and the effect of its message. Needs a model
with the neck ``TreeMessagePassing`` and the head ``PartScoreHead``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

# a checkout works without installation
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

import posestructs  # noqa: F401  makes mmpose importable and registers every component
from posestructs.apis.boxes import check_boxes, check_inside
from posestructs.apis.devices import check_device
from posestructs.apis.model_source import load_weights, read_checkpoint
from posestructs.datasets.transforms.occlusion_channel import labelled
from posestructs.models.heads import PartScoreHead
from posestructs.models.necks import TreeMessagePassing
from posestructs.structures import KinematicTree
from posestructs.utils import cli
from posestructs.utils.dataset_configs import build_dataset, dataset_config, map_pipelines, pack_transformed
from posestructs.utils.images import BadImageError, read_image, write_image
from posestructs.utils.outputs import check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.utils.words import counted
from posestructs.visualization import browsing
from posestructs.visualization.message_drawing import draw_messages, part_maps
from posestructs.visualization.message_trace import trace_messages


class Person(NamedTuple):
    """Packed sample, name, (V, 2) positions of its parts in pixels of the input, and (V,) whether labelled."""

    packed: dict[str, Any]
    name: str
    parts: np.ndarray
    known: np.ndarray


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw the messages between the body parts of a structured model.')
    parser.add_argument('config', help='a config file')
    parser.add_argument('checkpoint', help='a checkpoint file or address')
    parser.add_argument('--parts', nargs='+', metavar='NAME', help="of the tree; default: the data set's joints")
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--image', help='an image of one person')
    source.add_argument('--index', type=int, default=0, help='a person of the data set; default: the first')
    parser.add_argument(
        '--bbox', nargs=4, type=float, metavar=('X1', 'Y1', 'X2', 'Y2'), help='with --image; default: all of it'
    )
    parser.add_argument('--phase', choices=('train', 'val', 'test'), default='test', help='data loader of the config')
    parser.add_argument(
        '--out-dir', '--output-dir', dest='output_dir', type=Path, help='default: work_dirs/messages/<config>'
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--cfg-options', nargs='+', action=cli.OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def build_model(cfg: Config, checkpoint: str, device: str) -> torch.nn.Module:
    """The model with its weights, all of them."""
    cli.check_checkpoint(checkpoint, 'checkpoint')
    check_device(device)
    if 'init_cfg' in cfg.model.backbone:
        cfg.model.backbone.init_cfg = None  # the checkpoint has all weights
    model = MODELS.build(cfg.model)
    neck, head = (getattr(model, name, None) for name in ('neck', 'head'))
    if not isinstance(neck, TreeMessagePassing) or not isinstance(head, PartScoreHead):
        raise UsageError(
            f'config {cfg.filename} has the neck {type(neck).__name__} and the head {type(head).__name__}; messages '
            'can be shown of TreeMessagePassing and PartScoreHead'
        )
    if neck.direction == 'self':
        raise UsageError(f"config {cfg.filename} has neck.direction='self': no part has messages from another part")
    load_weights(model, read_checkpoint(checkpoint), checkpoint, str(cfg.filename))
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
    try:
        image = read_image(path)
    except BadImageError as error:
        raise UsageError(f'--image {error}') from error
    height, width = image.shape[:2]
    boxes = check_boxes([args.bbox or (0, 0, width, height)], '--bbox')
    check_inside(boxes, (width, height), '--bbox')
    pipeline = Compose(dataset_config(cfg, args.phase).pipeline)
    packed = pipeline(dict(img=image, img_path=str(path), bbox=boxes[:, :4], bbox_score=boxes[:, 4]))
    return Person(packed, path.stem, np.zeros((tree.num_parts, 2)), np.zeros(tree.num_parts, dtype=bool))


def person_of_dataset(cfg: Config, args: argparse.Namespace, tree: KinematicTree) -> Person:
    """A person of the data set, with its labels."""
    map_pipelines(dataset_config(cfg, args.phase), pack_transformed)
    dataset = build_dataset(cfg, args.phase)
    if not 0 <= args.index < len(dataset):
        raise UsageError(f'--index {args.index}: the {args.phase} data has the persons 0 to {len(dataset) - 1}')
    try:
        packed = getattr(dataset, 'prepare_data', dataset.__getitem__)(args.index)
    except (OSError, KeyError, TypeError, ValueError, AssertionError) as error:
        raise UsageError(f'{cfg.filename}: {args.phase}_dataloader.dataset: {error}') from error
    if packed is None:
        raise UsageError(f'--index {args.index}: left out by the data set or its pipeline')
    labels = packed['data_samples'].gt_instances
    parts, known = tree.part_positions(labels.transformed_keypoints[0], labelled(labels.keypoints_visible)[0])
    return Person(packed, f'{args.phase}{args.index:06d}', parts, known)


@report_usage_errors
def main() -> None:
    """Draw."""
    args = parse_args()
    check_outputs(args)
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
    image = browsing.to_rgb(person.packed['inputs'].permute(1, 2, 0).numpy())
    folder = args.output_dir or Path('work_dirs', 'messages', Path(cfg.filename).stem)
    for part in parts:
        maps = part_maps(model.neck, model.head, trace, part)
        position = person.parts[part] if person.known[part] else None
        drawn = draw_messages(image, maps, position, f'{maps.name}, {person.name}')
        write_image(folder / f'{person.name}_{maps.name}.png', drawn)
    print(f'{counted(len(parts), "image")} in {folder}')


if __name__ == '__main__':
    main()
