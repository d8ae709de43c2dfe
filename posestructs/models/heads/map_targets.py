"""Target maps and their weights from the samples of a batch, for :class:`AdversarialHead`.

Shapes: N batch, K joints, H x W cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmpose.structures import PoseDataSample
from torch import Tensor


def map_targets(
    samples: Sequence[PoseDataSample], maps: Tensor, out_channels: int, multi_task: bool
) -> tuple[Tensor, list[Tensor]]:
    """Collect the targets of a batch, and check that they fit the predicted maps.

    Args:
        samples: N samples, as the codec of the pipeline encodes them.
        maps: (N, 2K, H, W) predicted maps, or (N, K, H, W) for a single task.
        out_channels: K of the head.
        multi_task: Read occlusion maps too.

    Returns:
        tuple[Tensor, list[Tensor]]: Target maps of the shape of ``maps``; weights (N, K) of the pose maps and, with
        ``multi_task``, of the occlusion maps.

    Raises:
        ValueError: The targets do not fit the maps, or have no occlusion labels.
    """
    targets = torch.stack([sample.gt_fields.heatmaps for sample in samples])
    if not multi_task and targets.shape[1] == 2 * out_channels:
        # a codec with occlusion maps is allowed: the single-task baseline uses the same pipeline
        targets = targets[:, :out_channels]
    _check_shapes(targets, maps, out_channels, multi_task)
    weights = [torch.cat([sample.gt_instance_labels.keypoint_weights for sample in samples])]
    if multi_task:
        if 'occlusion_weights' not in samples[0].gt_instance_labels:
            raise ValueError(
                'AdversarialHead: multi_task=True needs gt_instance_labels.occlusion_weights, which OcclusionHeatmap '
                'in the pipeline (GenerateTarget) encodes'
            )
        known = torch.cat([sample.gt_instance_labels.occlusion_weights for sample in samples])
        weights.append(weights[0] * known)
    return targets, weights


def _check_shapes(targets: Tensor, maps: Tensor, out_channels: int, multi_task: bool) -> None:
    if targets.shape == maps.shape:
        return
    if targets.shape[:2] == maps.shape[:2]:
        (height, width), (rows, columns) = maps.shape[2:], targets.shape[2:]
        raise ValueError(
            f'AdversarialHead: its maps have {width} x {height} cells (width x height), those of the codec of the '
            f'pipeline heatmap_size=({columns}, {rows}): set heatmap_size to ({width}, {height}), enlarge the maps '
            'with head.deconv_out_channels, or choose another stride of the backbone'
        )
    raise ValueError(
        f'AdversarialHead: out_channels={out_channels}, multi_task={multi_task} give maps of the shape '
        f'{tuple(maps.shape[1:])}, the codec of the pipeline {tuple(targets.shape[1:])}'
    )
