"""Share of joints found in a training batch, computed where the maps are.

mmpose's heads copy their maps to numpy for this (``pose_pck_accuracy``), which makes a GPU wait in each iteration.

Shapes: N images, K joints, h x w cells.
"""

from __future__ import annotations

from torch import Tensor

from posestructs.layers.heatmaps import argmax, unravel


def joint_accuracy(maps: Tensor, cells: Tensor, labelled: Tensor, threshold: float = 0.05) -> Tensor:
    """Share of joints whose greatest value lies near the true cell: per joint, then the mean over joints.

    Args:
        maps (Tensor): (N, K, h, w).
        cells (Tensor): (N, K) int64 true cells, y*w + x.
        labelled (Tensor): (N, K) bool, which of them count.
        threshold (float): How far off a joint may be, as a share of the map's sides, as in mmpose. Defaults to 0.05.

    Returns:
        Tensor: A scalar in [0, 1]; 0 where no joint counts.
    """
    height, width = maps.shape[-2:]
    dx, dy = (argmax(maps) - unravel(cells, width)).unbind(2)
    dx, dy = dx / width, dy / height
    hits = (dx.hypot(dy) < threshold) & labelled
    counts = labelled.sum(dim=0)
    per_joint = hits.sum(dim=0) / counts.clamp(min=1)
    return per_joint.sum() / (counts > 0).sum().clamp(min=1)
