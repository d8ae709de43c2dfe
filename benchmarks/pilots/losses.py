"""Auxiliary losses computed from joint labels, for training alone: bone maps and the direction a person faces.

Shapes: N batch, K joints, E bones, C channels, H x W cells; positions are (x, y) in cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.structures import build_tree

TORSO = ('left_shoulder', 'right_shoulder', 'left_hip', 'right_hip')


def layers(in_channels: int, hidden: int, out_channels: int) -> nn.Sequential:
    """Two 1x1 convolutions."""
    return nn.Sequential(nn.Conv2d(in_channels, hidden, 1), nn.ReLU(inplace=True), nn.Conv2d(hidden, out_channels, 1))


def cell_grid(maps: Tensor) -> Tensor:
    """(H, W, 2) x and y of the cells of (..., H, W) maps."""
    rows, columns = (torch.arange(n, dtype=maps.dtype, device=maps.device) for n in maps.shape[-2:])
    return torch.stack(torch.meshgrid(columns, rows, indexing='xy'), -1)


@MODELS.register_module()
class BoneMapLoss(nn.Module):
    """Predict the direction of each bone in the cells along it, as part affinity fields do (Cao et al., CVPR 2017).

    Args:
        in_channels: C of the features.
        tree: Config of the tree whose edges are the bones.
        hidden_channels: Channels between the two convolutions.
        width: Largest distance from a bone in cells.
        loss_weight: Factor of the loss.
    """

    def __init__(
        self,
        in_channels: int,
        tree: Mapping[str, Any],
        hidden_channels: int = 32,
        width: float = 1.5,
        loss_weight: float = 0.3,
    ) -> None:
        super().__init__()
        self.edges = build_tree(tree).edges
        self.layers = layers(in_channels, hidden_channels, 2 * len(self.edges))
        self.width, self.loss_weight = width, loss_weight

    def targets(self, cells: Tensor, labelled: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors along the bones.

        Args:
            cells: (N, K, 2) joints.
            labelled: (N, K) bool.
            maps: (..., H, W) maps of the size that the targets should have.

        Returns:
            tuple[Tensor, Tensor]: (N, E, 2, H, W) targets, 0 off the bones; (N, E) bool, bones with both ends labelled.
        """
        start, end = (cells[:, list(ids), None, None] for ids in zip(*self.edges, strict=True))
        bone = end - start
        length = bone.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        unit = bone / length
        offset = cell_grid(maps) - start
        # distance from x to the segment: |x - a - t u|, t = <x - a, u> clipped to [0, |b - a|]
        along = (offset * unit).sum(-1, keepdim=True).clamp(min=0).minimum(length)
        near = (offset - along * unit).norm(dim=-1) <= self.width
        ends = [list(ids) for ids in zip(*self.edges, strict=True)]
        known = labelled[:, ends[0]] & labelled[:, ends[1]]
        return (unit * near[..., None]).permute(0, 1, 4, 2, 3), known

    def forward(self, feats: Tensor, cells: Tensor, labelled: Tensor) -> Tensor:
        """1/(2N) sum over known bones of |b - b'|^2.

        Args:
            feats: (N, C, H, W) features.
            cells: (N, K, 2) joints.
            labelled: (N, K) bool.

        Returns:
            Tensor: Scalar.
        """
        maps = self.layers(feats)
        targets, known = self.targets(cells, labelled, maps)
        squared = (maps.view_as(targets) - targets).square().sum((2, 3, 4))
        return self.loss_weight * (squared * known).sum() / (2 * len(maps))


@MODELS.register_module()
class FacingLoss(nn.Module):
    """Predict at the torso the direction of the spine in the image, and whether the person is seen from the front.

    A person faces the camera if the left shoulder and hip lie clockwise, on the screen, of the direction from hips to
    shoulders. Persons seen from the side have no label of it.

    Args:
        in_channels: C of the features.
        names: Names of the K joints.
        hidden_channels: Channels between the two convolutions.
        side_view: Width of shoulders and hips across the spine, in torsos, below which a person is seen from the side.
        loss_weight: Factor of the loss.
    """

    def __init__(
        self,
        in_channels: int,
        names: list[str],
        hidden_channels: int = 32,
        side_view: float = 0.15,
        loss_weight: float = 10.0,
    ) -> None:
        super().__init__()
        self.torso = [names.index(name) for name in TORSO]
        self.layers = layers(in_channels, hidden_channels, 3)
        self.side_view, self.loss_weight = side_view, loss_weight

    def targets(self, cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Direction, facing and length of the torso.

        Args:
            cells: (N, K, 2) joints.

        Returns:
            tuple[Tensor, Tensor, Tensor]: (N, 2) unit vector from hips to shoulders; (N,) width across it in torsos,
            positive from the front and negative from behind; (N,) length of the torso in cells.
        """
        left_shoulder, right_shoulder, left_hip, right_hip = cells[:, self.torso].unbind(1)
        spine = (left_shoulder + right_shoulder - left_hip - right_hip) / 2
        across = (left_shoulder - right_shoulder + left_hip - right_hip) / 2
        length = spine.norm(dim=-1).clamp(min=1e-6)
        unit = spine / length[:, None]
        return unit, (unit[:, 0] * across[:, 1] - unit[:, 1] * across[:, 0]) / length, length

    def forward(self, feats: Tensor, cells: Tensor, labelled: Tensor) -> Tensor:
        """Mean over persons with a labelled torso; cells are weighted by a Gaussian at its centre.

        Args:
            feats: (N, C, H, W) features.
            cells: (N, K, 2) joints.
            labelled: (N, K) bool.

        Returns:
            Tensor: Scalar.
        """
        maps = self.layers(feats)
        unit, width, length = self.targets(cells)
        centre = cells[:, self.torso].mean(1)
        squared = (cell_grid(maps) - centre[:, None, None]).square().sum(-1)
        gaussian = torch.exp(-squared / (2 * (length / 4).clamp(min=1)[:, None, None] ** 2))
        direction = (maps[:, :2] - unit[:, :, None, None]).square().sum(1)
        front = (width > 0).to(maps)[:, None, None].expand_as(maps[:, 2])
        facing = F.binary_cross_entropy_with_logits(maps[:, 2], front, reduction='none')
        facing = facing * (width.abs() >= self.side_view)[:, None, None]
        per_person = ((direction + facing) * gaussian).sum((1, 2)) / gaussian.sum((1, 2)).clamp(min=1e-6)
        known = labelled[:, self.torso].all(1)
        return self.loss_weight * (per_person * known).sum() / known.sum().clamp(min=1)
