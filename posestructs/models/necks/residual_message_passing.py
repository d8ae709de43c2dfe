"""Message passing along a tree as a residual of a feature map (hybrid of Chu et al., CVPR 2016, with any generator).

    Y' = Y + W [A'_1, B'_1, ..., A'_V, B'_V]

A' and B' are part features after message aggregation, computed from Y by
:class:`~posestructs.models.necks.TreeMessagePassing`. W is a 1x1 convolution that is initialised to zero, so that
training starts from the model without messages. Y' replaces Y in the output of the backbone; other stacks, which have
losses of their own, and other branches are passed on unchanged.

Shapes: N batch, C channels, h x w cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.models.necks.tree_message_passing import TreeMessagePassing
from posestructs.structures import KinematicTree
from posestructs.utils.checks import check_integer


@MODELS.register_module()
class ResidualMessagePassing(TreeMessagePassing):
    """Add the updated features of a tree's parts to the feature map from which they were computed.

    The shape of the feature map is unchanged, so that any head can follow. Behind ``StackedPoseGenerator``,
    ``in_index=(-1, 0)`` is the pose branch of the last stack (-1 with ``num_branches=1``).

    Args:
        in_channels: C, channels of the feature map.
        tree: A tree or its config, see :func:`posestructs.structures.build_tree`.
        out_joints: W reads the features of real joints only; virtual parts then only pass on messages.
        stride: Factor by which the feature map is reduced before messages are passed (mean over stride x stride
            cells); the update is enlarged bilinearly. The kernels then reach that many times further, at 1 / stride^2
            of the cost.
        **kwargs: Other arguments of :class:`~posestructs.models.necks.TreeMessagePassing`, without ``keep_input``.

    Raises:
        TypeError: ``keep_input`` is given, or as in ``TreeMessagePassing``.
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
        check_integer('neck.stride', stride, 1)
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
        """Update one feature map of the backbone.

        Args:
            feats: Output of a backbone; the map at ``in_index`` is (N, C, h, w).

        Returns:
            Any: The same structure of tensors, lists and tuples, with Y' (N, C, h, w) at ``in_index``.

        Raises:
            TypeError: There is no feature map at ``in_index``.
            ValueError: The map has another number of channels, or is smaller than a kernel.
        """
        (parts,) = super().forward(self.reduced_map(feats))
        return self.add_parts(feats, parts)

    # -- the two ends of a forward pass, also for drawings of messages ---------------------------------------------

    def reduced_map(self, feats: Tensor | Sequence) -> Tensor:
        """The feature map from which the parts are computed.

        Args:
            feats: Output of a backbone, as for :meth:`forward`.

        Returns:
            Tensor: (N, C, h // stride, w // stride).
        """
        x = self._feature_map(feats)
        return F.avg_pool2d(x, self.stride) if self.stride > 1 else x

    def add_parts(self, feats: Tensor | Sequence, parts: Tensor) -> Any:
        """Add the update that part features make to the feature map.

        Args:
            feats: Output of a backbone, as for :meth:`forward`.
            parts: (N, V * 2C', h // stride, w // stride) updated features of the parts, or those of the real joints
                with ``out_joints``.

        Returns:
            Any: As for :meth:`forward`.
        """
        x, update = self._feature_map(feats), self.fuse(parts)
        if self.stride > 1:
            update = enlarge(update, x.shape[-2:])
        # Y' = Y + up(W [A'_1, B'_1, ..., A'_V, B'_V])
        return _replaced(feats, self.in_index, x + update)


def enlarge(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear interpolation, as ``F.interpolate`` without ``align_corners``.

    For maps in torch's default layout it is two matrix products, which take a quarter of the time of
    ``F.interpolate`` on a CPU.

    Args:
        x: (N, C, h, w) maps.
        size: (H, W) of the result.

    Returns:
        Tensor: (N, C, H, W) maps.
    """
    if not x.is_contiguous():
        return F.interpolate(x, size=tuple(size), mode='bilinear', align_corners=False)
    # (h, H) and (w, W): each column holds the weights of one row or column of the result
    rows, columns = (
        F.interpolate(torch.eye(n, dtype=x.dtype, device=x.device)[None], size=m, mode='linear', align_corners=False)[0]
        for n, m in zip(x.shape[-2:], size, strict=True)
    )
    return rows.T @ (x @ columns)


def _replaced(feats: Tensor | Sequence, index: Sequence[int], value: Tensor) -> Tensor | Sequence:
    """A copy of nested lists and tuples with another value at an index."""
    if isinstance(feats, Tensor):
        return value
    maps = list(feats)
    maps[index[0]] = _replaced(maps[index[0]], index[1:], value)
    return tuple(maps) if isinstance(feats, tuple) else maps
