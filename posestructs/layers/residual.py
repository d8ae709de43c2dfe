"""Pre-activation bottleneck residual, the one building block of the generator and of both discriminators.

Three convolutions and a skip (Newell et al., Stacked Hourglass Networks, ECCV 2016; Chen et al., Adversarial PoseNet,
ICCV 2017, section 3.1; pre-activation: He et al., Identity Mappings in Deep Residual Networks, ECCV 2016)::

    y = S(x) + W3 f(W2 f(W1 f(x))),  f = ReLU(norm(.)),  W1: 1x1 C -> C'/2, W2: 3x3, W3: 1x1 C'/2 -> C'

Shapes: N batch, C input channels, C' output channels, H x W any size.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

# a default of modules that nothing can change
BATCH_NORM: Mapping[str, Any] = MappingProxyType(dict(type='BN'))


def build_norm(norm_cfg: Mapping[str, Any] | None, channels: int) -> nn.Module:
    """Build a normalisation layer.

    Args:
        norm_cfg: As in mmpose, such as ``dict(type='BN')`` or ``dict(type='GN', num_groups=32)``; ``None``: none.
        channels: Of the map that it normalises.

    Returns:
        nn.Module: The layer, or an identity.

    Raises:
        ValueError: ``num_groups`` does not divide the channels.
    """
    if norm_cfg is None:
        return nn.Identity()
    groups = norm_cfg.get('num_groups')
    if groups is not None and channels % groups:
        raise ValueError(f'norm_cfg: num_groups={groups} does not divide the {channels} channels of a layer')
    return build_norm_layer(dict(norm_cfg), channels)[1]


class Residual(nn.Module):
    """Three pre-activated convolutions and a skip.

    A convolution has a bias only where no normalisation follows it directly.

    Args:
        in_channels: C.
        out_channels: C', even; by default C. Where it differs from C the skip is a 1x1 convolution, else the input.
        norm_cfg: See :func:`build_norm`.
    """

    def __init__(
        self, in_channels: int, out_channels: int | None = None, norm_cfg: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        out_channels = in_channels if out_channels is None else out_channels
        if out_channels < 2 or out_channels % 2:
            raise ValueError(f'out_channels={out_channels}, allowed: even and at least 2, for a bottleneck of half')
        middle, plain = out_channels // 2, norm_cfg is None
        self.body = nn.Sequential(
            build_norm(norm_cfg, in_channels),
            # with no norm before it an in-place ReLU would overwrite what the skip reads
            nn.ReLU(inplace=not plain),
            nn.Conv2d(in_channels, middle, 1, bias=plain),
            build_norm(norm_cfg, middle),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle, middle, 3, padding=1, bias=plain),
            build_norm(norm_cfg, middle),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle, out_channels, 1),
        )
        self.skip = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H, W)."""
        # y = S(x) + W3 f(W2 f(W1 f(x)))
        return self.skip(x) + self.body(x)
