"""Draw heatmaps, occlusion maps and scores of discriminators.

Run it with ``python tools/analysis/show_heatmaps.py CONFIG CHECKPOINT [flags]``.

For each person: the crop with the predicted and with the labelled joints, and a tile per joint with its pose map, its
occlusion map and the scores of the discriminators (P sees maps and image, C maps only): a bar as long as the score,
green where it is right, with its target t. Occluded joints are rings. The discriminators are those of the checkpoint;
one without them (``strip_discriminators.py``) has no bars. Models of mmpose work as well.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# a checkout works without installation
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from rich.progress import track
from torch import Tensor, nn

import posestructs  # noqa: F401  makes mmpose importable and registers every component
from posestructs.apis.devices import check_device
from posestructs.apis.model_source import load_weights, read_checkpoint
from posestructs.models.pose_estimators.discriminator_targets import read_targets
from posestructs.models.pose_estimators.head_maps import losses_and_maps
from posestructs.utils.cli import OptionAction, check_checkpoint, load_config, merge_options, require_keys
from posestructs.utils.dataset_configs import (
    build_dataset,
    dataset_config,
    map_pipelines,
    with_targets,
)
from posestructs.utils.discriminator_weights import discriminators_in
from posestructs.utils.images import write_image
from posestructs.utils.outputs import check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.utils.weights_fit import weights_of
from posestructs.utils.words import counted
from posestructs.visualization import contact_sheet, draw_legend, draw_pose, stack_rows
from posestructs.visualization.browsing import to_rgb
from posestructs.visualization.heatmap_sheet import DiscriminatorScores, heatmap_sheet, short_name
from posestructs.visualization.pose_drawing import enlarge, enlarged_points


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw heatmaps, occlusion maps and scores of discriminators.')
    parser.add_argument('config', help='a config file, or mmpose::path of one that mmpose ships')
    parser.add_argument('checkpoint', help='a checkpoint file')
    parser.add_argument('--phase', choices=('train', 'val', 'test'), default='val', help='data loader of the config')
    parser.add_argument(
        '--out-dir', '--output-dir', dest='output_dir', type=Path, help='default: work_dirs/heatmaps/<config>'
    )
    parser.add_argument('--indices', type=int, nargs='+', help='samples to draw; default: the first ones')
    parser.add_argument('--max-item-num', type=int, default=8, help='greatest number of samples, without --indices')
    parser.add_argument('--min-side', type=int, default=128, help='enlarge smaller tiles to this shorter side')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def load_model(cfg: Config, checkpoint: str, device: str) -> tuple[nn.Module, list[str]]:
    """The model with its weights, and the discriminators that the checkpoint holds."""
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    content = read_checkpoint(checkpoint)
    held = discriminators_in(weights_of(content))
    names = [name for name in getattr(model, 'networks', dict)() if name in held]
    if names:
        model.attach_discriminators()
    load_weights(model, content, checkpoint, str(cfg.filename))
    return model.to(device).eval(), names


def build_labelled(cfg: Config, phase: str) -> Any:
    """Data set of a phase, with targets of the head's codec."""
    require_keys(cfg, 'model')
    decoder = (cfg.model.get('head') or {}).get('decoder')
    if decoder is None:
        raise UsageError(f'config {cfg.filename} sets no model.head.decoder, which makes the target maps')
    map_pipelines(dataset_config(cfg, phase), lambda pipeline: with_targets(pipeline, decoder))
    return build_dataset(cfg, phase)


def score(model: nn.Module, names: Sequence[str], maps: Tensor, data: Mapping) -> dict[str, DiscriminatorScores]:
    """Scores of the discriminators on the predicted maps of one person, as in training."""
    if not names:
        return {}
    targets = read_targets(data['data_samples'], maps)
    joints = targets.num_joints
    args = maps[:, :joints], targets.maps[:, :joints], targets.cells, targets.sizes
    result = {}
    for name in names:
        rule = model.label_rules[name]
        scores = model.discriminator_logits(name, targets.masked(maps), data['inputs']).sigmoid()
        labels = model.adversarial_loss.labels(rule, *args)
        labels = labels.masked_fill(targets.weights(rule) == 0, float('nan'))
        result[short_name(name)] = DiscriminatorScores(scores[0].cpu().numpy(), labels[0].cpu().numpy())
    return result


@torch.no_grad()
def draw(model: nn.Module, names: Sequence[str], sample: Mapping, metainfo: Mapping, min_side: int) -> np.ndarray:
    """Image of one person."""
    data = model.data_preprocessor(pseudo_collate([sample]), False)
    _, maps = losses_and_maps(model.head, model.extract_feat(data['inputs']), data['data_samples'], {})
    predicted, gt = model.head.decode(maps)[0], data['data_samples'][0].gt_instances
    scores = score(model, names, maps, data)
    joints, maps = metainfo['num_keypoints'], maps[0].cpu().numpy()
    crop = to_rgb(sample['inputs'].permute(1, 2, 0).numpy())
    scale = max(1.0, min_side / min(crop.shape[:2]))
    tile = enlarge(crop, scale)

    def drawn(points: np.ndarray, visible: np.ndarray, occluded: np.ndarray | None) -> np.ndarray:
        factor = 2 * scale
        return draw_pose(enlarge(crop, factor), enlarged_points(points, factor), visible, occluded, metainfo)

    persons = [
        drawn(predicted.keypoints, np.ones_like(predicted.keypoint_scores), predicted.get('keypoints_occluded')),
        drawn(gt.transformed_keypoints, gt.keypoints_visible, gt.get('keypoints_occluded')),
    ]
    titles = [metainfo['keypoint_id2name'][k] for k in range(joints)]
    occlusion = maps[joints:] if len(maps) == 2 * joints else None
    sheet = heatmap_sheet(tile, maps[:joints], occlusion, scores, titles)
    heads = contact_sheet(persons, 2, ['predicted', 'labelled'])
    return stack_rows([heads, sheet, draw_legend(sheet.shape[1])])


@report_usage_errors
def main() -> None:
    """Draw."""
    args = parse_args()
    check_outputs(args)
    if args.max_item_num < 1:
        raise UsageError(f'--max-item-num {args.max_item_num}, allowed: at least 1')
    check_checkpoint(args.checkpoint, 'CHECKPOINT')
    check_device(args.device)
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    dataset = build_labelled(cfg, args.phase)
    indices = range(min(args.max_item_num, len(dataset))) if args.indices is None else args.indices
    outside = [i for i in indices if not 0 <= i < len(dataset)]
    if outside:
        raise UsageError(f'--indices {outside}: the data set has samples 0 to {len(dataset) - 1}')
    model, names = load_model(cfg, args.checkpoint, args.device)
    folder = args.output_dir or Path('work_dirs', 'heatmaps', Path(cfg.filename).stem)
    for index in track(indices, args.phase):
        drawn = draw(model, names, dataset[index], dataset.metainfo, args.min_side)
        write_image(folder / f'{index:06d}.png', drawn)
    letters = ' and '.join(map(short_name, names)) if names else 'no discriminator: the checkpoint has none'
    print(f'{counted(len(indices), "image")} in {folder}, with scores of {letters}')


if __name__ == '__main__':
    main()
