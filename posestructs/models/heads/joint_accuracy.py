"""Share of joints found in a training batch, computed on the device of the maps.

mmpose's heads copy their maps to numpy for this (``pose_pck_accuracy``), so that a GPU has to wait in each iteration.

Shapes: N batch, K joints, h x w cells.
"""

from __future__ import annotations

from torch import Tensor

from posestructs.layers.heatmaps import argmax


def joint_accuracy(maps: Tensor, cells: Tensor, labelled: Tensor, threshold: float = 0.05) -> Tensor:
    """Share of joints whose maximum lies near the target cell: per joint, then averaged over joints.

    Args:
        maps: (N, K, h, w) predicted maps.
        cells: (N, K, 2) target cells.
        labelled: (N, K) bool, the joints that count.
        threshold: Allowed distance as a fraction of the sides of the map, as in mmpose.

    Returns:
        Tensor: Scalar in [0, 1]; 0 if no joint counts.
    """
    height, width = maps.shape[-2:]
    dx, dy = (argmax(maps) - cells).unbind(-1)
    hits = ((dx / width).hypot(dy / height) < threshold) & labelled
    counts = labelled.sum(dim=0)
    per_joint = hits.sum(dim=0) / counts.clamp(min=1)
    return per_joint.sum() / (counts > 0).sum().clamp(min=1)
