"""Losses and maps of a head from one forward pass. Any heatmap head of mmpose will do.

Shapes: N batch, C channels of the maps (K joints, or K pose maps and then K occlusion maps), H x W cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mmpose.structures import PoseDataSample
from torch import Tensor, nn


def losses_and_maps(
    head: nn.Module, feats: Any, samples: Sequence[PoseDataSample], train_cfg: dict
) -> tuple[dict, Tensor]:
    """Run a head once for both its losses and its maps.

    Args:
        head: :class:`~posestructs.models.heads.AdversarialHead`, or any heatmap head of mmpose.
        feats: Output of the neck or the backbone.
        samples: Labelled samples of the batch.
        train_cfg: The model's ``train_cfg``.

    Returns:
        tuple[dict, Tensor]: Losses of the head; (N, C, H, W) final maps.

    Raises:
        TypeError: The head's forward does not return maps.
    """
    if hasattr(head, 'loss_from_maps'):
        maps = head.forward(feats)
        return head.loss_from_maps(maps, samples, train_cfg), _final_maps(head, maps)
    with _recorded_forward(head) as outputs:
        losses = head.loss(feats, samples, train_cfg=train_cfg)
    return losses, _final_maps(head, outputs[-1])


@contextmanager
def _recorded_forward(head: nn.Module) -> Iterator[list]:
    """Record the outputs of ``head.forward``, which mmpose's ``loss`` calls directly, without hooks."""
    forward, outputs = head.forward, []

    def record(*args: Any, **kwargs: Any) -> Any:
        outputs.append(forward(*args, **kwargs))
        return outputs[-1]

    head.forward = record
    try:
        yield outputs
    finally:
        del head.forward  # uncovers the method of the class


def _final_maps(head: nn.Module, maps: Any) -> Tensor:
    """The maps of the last stack or stage."""
    last = maps[-1] if isinstance(maps, (list, tuple)) and len(maps) else maps
    if not isinstance(last, Tensor) or last.ndim != 4:
        found = f'a tensor {tuple(last.shape)}' if isinstance(last, Tensor) else f'a {type(last).__name__}'
        raise TypeError(
            f'discriminators need heatmaps (N, C, H, W), and {type(head).__name__} returns {found}: choose a heatmap '
            'head, or set discriminators=None'
        )
    return last
