"""Heatmap loss that tolerates labels with left and right swapped.

Crowd-sourced labels of hard poses mix up left and right, above all on persons seen from behind or upside down. A
squared loss then drives half of a joint's map to each side. This loss compares the maps of a group of joints with the
labels as given and with the labels mirrored, and takes the mirrored ones where they fit clearly better::

    d_g = sum_{i in g} w^i |y^i - y_n^i|^2,   m_g = sum_{i in g} w^{m(i)} |y^{m(i)} - y_n^i|^2
    L = 1/(2N) sum_n sum_g (m_g if m_g < ratio d_g else d_g)

with m(i) the joint opposite to i. It needs maps that already know left from right, such as those of a pose-pretrained
backbone; from scratch nothing would tie a map to its side. The choice between several labellings by the smaller loss is
that of a permutation-invariant loss (Yu et al., ICASSP 2017), here with two labellings and a preference for the given
one.

Shapes: N batch, K joints, H x W cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmpose.registry import MODELS
from torch import Tensor

from posestructs.models.losses.heatmap_sum_loss import HeatmapSumLoss, squared_distances
from posestructs.structures.skeleton_graph import SkeletonGraph, skeleton_graph
from posestructs.utils.checks import check_number, check_sequence, invalid_value, list_names


@MODELS.register_module()
class MirrorTolerantLoss(HeatmapSumLoss):
    """:class:`HeatmapSumLoss` with the better of two labellings, as given and mirrored, for each group of joints.

    Pose maps and occlusion maps choose independently.

    Args:
        metainfo: Metainfo of the data set, which gives each joint's mirror joint.
        groups: Names of the joints that are mirrored together, such as all joints of the legs; joints in no group are
            never mirrored. By default one group of all joints: only whole persons are mirrored.
        ratio: The mirrored labels are taken where their distance is less than this fraction of the given ones', from 0
            (never) to 1.
        loss_weight: Factor of the loss, at least 0.

    Raises:
        ValueError: A group has an unknown joint or a joint without its mirror joint, two groups share a joint, or a
            number is out of range.
    """

    def __init__(
        self,
        metainfo: Mapping[str, Any],
        groups: Sequence[Sequence[str]] | None = None,
        ratio: float = 0.5,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(loss_weight)
        self.ratio = check_number('MirrorTolerantLoss.ratio', ratio, 0, 1)
        graph = skeleton_graph(metainfo)
        self.mirror = list(graph.mirror)
        self.groups = [list(range(len(graph.names)))] if groups is None else _indices(groups, graph)

    def forward(self, maps: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            maps: (N, K, H, W) predicted maps.
            targets: (N, K, H, W) target maps.
            weights: (N, K) weight of each map, 0 to leave it out.

        Returns:
            Tensor: Scalar.

        Raises:
            ValueError: The shapes do not match, or K is not the number of joints of the metainfo.
        """
        self.check_shapes(maps, targets, weights)
        if maps.shape[1] != len(self.mirror):
            raise ValueError(f'MirrorTolerantLoss: metainfo has {len(self.mirror)} joints, the maps {maps.shape[1]}')
        # w^i |y^i - y_n^i|^2 and w^{m(i)} |y^{m(i)} - y_n^i|^2
        given = squared_distances(maps, targets) * weights
        mirrored = squared_distances(maps, targets[:, self.mirror]) * weights[:, self.mirror]
        chosen = given.clone()
        for group in self.groups:
            # m_g < ratio d_g
            better = mirrored[:, group].sum(1) < self.ratio * given[:, group].sum(1)
            chosen[:, group] = torch.where(better[:, None], mirrored[:, group], given[:, group])
        return self.loss_weight * chosen.sum() / (2 * len(maps))


def _indices(groups: Sequence[Sequence[str]], graph: SkeletonGraph) -> list[list[int]]:
    """Joint indices of groups, each closed under mirroring, no joint in two."""
    seen: set[str] = set()
    out = []
    for group in check_sequence('MirrorTolerantLoss.groups', groups):
        unknown = set(group) - set(graph.names)
        if unknown:
            raise invalid_value('MirrorTolerantLoss.groups', list(group), f'joints of {list_names(graph.names)}')
        indices = [graph.names.index(name) for name in group]
        alone = [graph.names[i] for i in indices if graph.mirror[i] not in indices]
        if alone:
            raise ValueError(f'MirrorTolerantLoss: groups={list(group)} lacks the mirror joints of {list_names(alone)}')
        if seen & set(group) or len(set(group)) < len(group):
            raise ValueError(f'MirrorTolerantLoss: groups={list(groups)} names a joint twice')
        seen |= set(group)
        out.append(indices)
    return out
