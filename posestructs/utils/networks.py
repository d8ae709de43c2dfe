"""Networks inside distributed wrappers, and iterations of their optimizer wrappers."""

from __future__ import annotations

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside a distributed wrapper, or the model itself."""
    return model.module if is_model_wrapper(model) else model


def finish_step(optim: OptimWrapper) -> None:
    """Step and clear gradients if enough batches are accumulated: ``update_params`` after a ``backward`` of its own.

    Args:
        optim: Wrapper of one network, whose ``backward`` was called.
    """
    if optim.should_update():
        optim.step()
        optim.zero_grad()


def skip_step(optim: OptimWrapper) -> None:
    """Count an iteration without a step; gradients left from an accumulated batch are dropped.

    Args:
        optim: Wrapper of one network.
    """
    optim._inner_count += 1  # mmengine counts calls of ``backward``
    if optim.should_update():
        optim.zero_grad()


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
