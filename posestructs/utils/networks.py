"""The model inside a distributed wrapper, and the number of joints of a head."""

from __future__ import annotations

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside a distributed wrapper, or the model itself."""
    return model.module if is_model_wrapper(model) else model


def head_joints(head: nn.Module) -> int | None:
    """Number of joints that a head predicts.

    Args:
        head: A head of a top-down model.

    Returns:
        int | None: The number; ``None`` where it is not known.
    """
    tree = getattr(head, 'tree', None)
    if tree is not None:
        return len(tree.joint_parts)
    channels = getattr(head, 'out_channels', getattr(head, 'num_joints', None))
    if not isinstance(channels, int):
        return None
    if getattr(getattr(head, 'decoder', None), 'heatmap_type', None) == 'combined':
        return channels // 3  # a heatmap and two offsets each
    return channels
