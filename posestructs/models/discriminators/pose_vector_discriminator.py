"""Discriminator of poses as vectors: coordinates of the joints and limbs between them, no maps and no image.

A discriminator of maps can tell predictions from targets by their appearance. This one reads positions, the same way
from both (:mod:`posestructs.layers.soft_argmax`), and what the tree's edges make of them: limb vectors and lengths, and
products of limbs that meet in a joint, from which the angle between them follows. Yang et al. (3D Human Pose Estimation
in the Wild by Adversarial Learning, CVPR 2018) found such geometric descriptors essential::

    u_k  positions about the mean of the labelled joints, over their spread s (root mean squared distance from it)
    v_e = u_child(e) - u_parent(e),  |v_e|,  v_e . v_f  and  v_e x v_f  for edges e, f that share a joint

Shapes: N batch, K joints, E edges, A pairs of edges that share a joint, H x W cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.layers.soft_argmax import POWER, present, rounded, soft_argmax
from posestructs.structures import KinematicTree, build_tree
from posestructs.utils.checks import check_integer, check_number


@MODELS.register_module()
class PoseVectorDiscriminator(BaseModule):
    """Score joints by the geometry of the pose.

    Args:
        tree: Config of the tree, as for :func:`posestructs.structures.build_tree`; its parts are the joints.
        num_joints: K, if it is to be checked against the tree.
        channels: Width of the hidden layers.
        num_layers: Number of hidden layers, at least 1.
        power: Exponent of the maps in the mean that gives a position, at least 1.
        init_cfg: mmengine's ``init_cfg``; by default He initialisation, with small weights in the last layer.

    Raises:
        ValueError: A value is not allowed, or the tree has another number of joints.
    """

    label_rule = 'p_fake'
    input_maps = 'pose'

    def __init__(
        self,
        tree: KinematicTree | Mapping[str, Any],
        num_joints: int | None = None,
        channels: int = 256,
        num_layers: int = 3,
        power: float = POWER,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        tree, name = build_tree(tree), type(self).__name__
        if num_joints is not None and tree.num_parts != num_joints:
            raise ValueError(f'{name}: tree has {tree.num_parts} parts for num_joints={num_joints}')
        check_integer(f'{name}.channels', channels, 1)
        check_integer(f'{name}.num_layers', num_layers, 1)
        self.power = check_number(f'{name}.power', power, 1)
        self.num_joints, edges = tree.num_parts, [tuple(edge) for edge in tree.edges]
        self.child, self.parent = ([edge[end] for edge in edges] for end in (0, 1))
        meeting = [(a, b) for a, b in combinations(range(len(edges)), 2) if set(edges[a]) & set(edges[b])]
        self.first, self.second = ([pair[end] for pair in meeting] for end in (0, 1))
        widths = [3 * self.num_joints + 4 * len(edges) + 2 * len(meeting), *[channels] * num_layers]
        layers: list[nn.Module] = []
        for below, above in zip(widths, widths[1:], strict=False):
            layers += [nn.Linear(below, above), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Linear(channels, self.num_joints))
        for layer in self.layers[::2]:
            nn.init.kaiming_normal_(layer.weight, a=0.2)
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.layers[-1].weight, std=0.01)

    def forward(self, maps: Tensor, images: Tensor | None = None) -> Tensor:
        """Score maps.

        Args:
            maps: (N, K, H, W) pose maps; those of unlabelled joints are empty.
            images: Ignored; an argument of all discriminators.

        Returns:
            Tensor: (N, K) logits, above 0 for a joint that is scored as real.

        Raises:
            ValueError: The number of maps is not K.
        """
        if maps.shape[1] != self.num_joints:
            raise ValueError(
                f'{type(self).__name__}: {maps.shape[1]} maps, allowed with num_joints={self.num_joints}: as many'
            )
        return self.layers(self.describe(rounded(soft_argmax(maps, self.power)), present(maps)))

    def describe(self, cells: Tensor, known: Tensor) -> Tensor:
        """Turn positions into the input of the first layer.

        Args:
            cells: (N, K, 2) positions.
            known: (N, K) 1 for joints that have one, else 0; whatever depends on another is 0.

        Returns:
            Tensor: (N, 3K + 4E + 2A).
        """
        weights = known[:, :, None]
        count = weights.sum(1, keepdim=True).clamp(min=1)
        centred = (cells - (cells * weights).sum(1, keepdim=True) / count) * weights
        # a pose of one joint, or of joints in one cell, has no spread
        spread = (centred.square().sum((1, 2), keepdim=True) / count).clamp(min=1).sqrt()
        points = centred / spread
        whole = known[:, self.child] * known[:, self.parent]
        limbs = (points[:, self.child] - points[:, self.parent]) * whole[:, :, None]
        # 1e-12, as the slope of a root at 0 is infinite
        lengths = (limbs.square().sum(2) + 1e-12).sqrt()
        a, b = limbs[:, self.first], limbs[:, self.second]
        dot, cross = (a * b).sum(2), a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
        parts = [known, points.flatten(1), limbs.flatten(1), lengths, whole, dot, cross]
        return torch.cat(parts, dim=1)
