"""Messages along a tree beside a feature map, not in its place (hybrid of Chu et al., CVPR 2016, with any generator).

    Y' = Y + W [A'_1, B'_1, ..., A'_V, B'_V]

A', B' are what the parts know once they have heard their neighbours, made from Y by
:class:`~posestructs.models.necks.TreeMessagePassing`; W is a 1x1 convolution that starts at zero, so that training
starts from the model without messages. Y' takes the place of Y among all that the backbone gave: other stacks, which
have losses of their own, and other branches pass unchanged.

Shapes: N batch, C channels, h x w cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.models.necks.tree_message_passing import TreeMessagePassing
from posestructs.structures import KinematicTree


@MODELS.register_module()
class ResidualMessagePassing(TreeMessagePassing):
    """Add what the parts of a tree have heard from each other to the feature map that they were made of.

    Any head that fits without it fits with it. Behind ``StackedPoseGenerator`` ``in_index=(-1, 0)`` is the last stack's
    branch of pose maps (-1 with ``num_branches=1``).

    Args:
        in_channels (int): C, of the feature map.
        tree (KinematicTree | dict): See :func:`posestructs.structures.build_tree`.
        out_joints (bool): W reads the features of real joints only; virtual parts then hand on messages and nothing
            else.
        stride (int): Messages are passed in a map that is so many times smaller than the feature map (mean over
            stride x stride cells), and what they change is enlarged bilinearly. The same kernels then reach so many
            times further, at 1 / stride^2 of the cost.
        **kwargs (Any): Of :class:`~posestructs.models.necks.TreeMessagePassing`, without ``keep_input``.

    Raises:
        TypeError: As in ``TreeMessagePassing``, or ``keep_input`` is given.
        ValueError: As in ``TreeMessagePassing``.
    """

    def __init__(
        self,
        in_channels: int,
        tree: KinematicTree | Mapping[str, Any],
        out_joints: bool = True,
        stride: int = 1,
        **kwargs: Any,
    ) -> None:
        if isinstance(stride, bool) or not isinstance(stride, int) or stride < 1:
            raise ValueError(f'neck: stride={stride!r}, allowed: a whole number from 1')
        if 'keep_input' in kwargs:
            raise TypeError(
                f'neck: keep_input={kwargs["keep_input"]!r} is not for ResidualMessagePassing, whose output contains '
                'its input'
            )
        super().__init__(in_channels, tree, out_joints=out_joints, **kwargs)
        self.fuse = nn.Conv2d(self.out_channels, in_channels, 1)
        nn.init.zeros_(self.fuse.weight)
        nn.init.zeros_(self.fuse.bias)
        self.out_channels, self.stride = in_channels, stride

    def forward(self, feats: Tensor | Sequence) -> Any:
        """What the backbone gave, one map of it improved.

        Args:
            feats (Sequence): What a backbone gives; the map of ``in_index`` is (N, C, h, w).

        Returns:
            Any: The same tensor, lists and tuples in lists and tuples, with Y' (N, C, h, w) at ``in_index``.

        Raises:
            TypeError: ``in_index`` leads to no feature map.
            ValueError: The map has other channels, or is smaller than a kernel.
        """
        x = self._feature_map(feats)
        small = F.avg_pool2d(x, self.stride) if self.stride > 1 else x
        (updated,) = super().forward(small)
        update = self.fuse(updated)
        if self.stride > 1:
            update = F.interpolate(update, size=x.shape[-2:], mode='bilinear', align_corners=False)
        # Y' = Y + up(W [A'_1, B'_1, ..., A'_V, B'_V])
        return _replaced(feats, self.in_index, x + update)


def _replaced(feats: Tensor | Sequence, way: Sequence[int], value: Tensor) -> Tensor | Sequence:
    """Copies of the lists and tuples along the way, with another value at its end."""
    if isinstance(feats, Tensor):
        return value
    maps = list(feats)
    maps[way[0]] = _replaced(maps[way[0]], way[1:], value)
    return tuple(maps) if isinstance(feats, tuple) else maps
