"""Hourglass network of Newell et al.: pre-activation residuals in an encoder-decoder with skip connections.

It is the building block of the generator and both discriminators of Adversarial PoseNet (Chen et al., ICCV 2017,
section 3.1). A residual has three convolutions and a skip (Newell et al., Stacked Hourglass Networks, ECCV 2016;
pre-activation: He et al., Identity Mappings in Deep Residual Networks, ECCV 2016)::

    R(x) = S(x) + W3 f(W2 f(W1 f(x))),  f = ReLU(norm(.)),  W1: 1x1 C -> C'/2, W2: 3x3, W3: 1x1 C'/2 -> C'

The encoder-decoder halves the map ``depth`` times, doubles it as often, and adds the skip at each size. With x_0 the
input and l the level::

    x_{l+1} = R(maxpool(x_l)),  u_depth = R(x_depth),  u_l = R(x_l) + upsample(R(u_{l+1})),  result u_0

Shapes: N batch, C input channels, C' output channels, H x W cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mmcv.cnn import build_norm_layer
from torch import Tensor, nn
from torch.nn import functional as F

from posestructs.utils.checks import check_integer, invalid_value

BATCH_NORM: Mapping[str, Any] = MappingProxyType(dict(type='BN'))
"""Immutable default of ``norm_cfg``."""


def build_norm(norm_cfg: Mapping[str, Any] | None, channels: int) -> nn.Module:
    """Build a normalisation layer.

    Args:
        norm_cfg: Config as in mmpose, such as ``dict(type='BN')`` or ``dict(type='GN', num_groups=32)``; None for none.
        channels: Number of channels of the map.

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
        in_channels: Number of input channels, C.
        out_channels: Number of output channels, C', even; by default C. Where it differs from C, the skip is a 1x1
            convolution.
        norm_cfg: Config for :func:`build_norm`.

    Raises:
        ValueError: ``out_channels`` is odd.
    """

    def __init__(
        self, in_channels: int, out_channels: int | None = None, norm_cfg: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        out_channels = in_channels if out_channels is None else out_channels
        if out_channels < 2 or out_channels % 2:
            raise invalid_value('out_channels', out_channels, 'an even number of at least 2, for a bottleneck of half')
        middle, plain = out_channels // 2, norm_cfg is None
        self.body = nn.Sequential(
            build_norm(norm_cfg, in_channels),
            # without a norm before it, an in-place ReLU would overwrite the input of the skip
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
        # R(x) = S(x) + W3 f(W2 f(W1 f(x)))
        return self.skip(x) + self.body(x)


def check_divisible(x: Tensor, multiple: int, owner: str) -> None:
    """Refuse an input whose sides cannot be halved often enough.

    Args:
        x: (..., H, W).
        multiple: Required divisor of H and W.
        owner: Name of the module, for the error.

    Raises:
        ValueError: H or W is not a multiple.
    """
    height, width = x.shape[-2:]
    if height % multiple or width % multiple:
        raise ValueError(f'{owner}: input of {width} x {height} (width x height), allowed: multiples of {multiple}')


class EncoderDecoder(nn.Module):
    """Encoder-decoder with residuals in each skip, encoder stage and decoder stage.

    Args:
        channels: Number of channels of the input, the output and everything between, even.
        depth: Number of times that the map is halved; 0 leaves the residuals at the input's size.
        num_residuals: Number of residuals at each place.
        norm_cfg: Config for :func:`build_norm`.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self, channels: int, depth: int = 4, num_residuals: int = 1, norm_cfg: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.depth = check_integer('depth', depth, 0)
        check_integer('num_residuals', num_residuals, 1)

        def residuals() -> nn.Module:
            return nn.Sequential(*(Residual(channels, norm_cfg=norm_cfg) for _ in range(num_residuals)))

        self.skips = nn.ModuleList(residuals() for _ in range(depth))
        self.downs = nn.ModuleList(residuals() for _ in range(depth))
        self.bottom = residuals()
        self.ups = nn.ModuleList(residuals() for _ in range(depth))

    @property
    def multiple(self) -> int:
        """Required divisor of the height and width of the input."""
        return 2**self.depth

    def forward(self, x: Tensor) -> Tensor:
        """Pass a map through.

        Args:
            x: (N, C, H, W).

        Returns:
            Tensor: (N, C, H, W).

        Raises:
            ValueError: H or W is not a multiple of ``2 ** depth``.
        """
        check_divisible(x, self.multiple, f'EncoderDecoder(depth={self.depth})')
        skips = []
        for skip, down in zip(self.skips, self.downs, strict=True):
            # x_{l+1} = R(maxpool(x_l))
            skips.append(skip(x))
            x = down(F.max_pool2d(x, 2))
        # u_depth = R(x_depth)
        x = self.bottom(x)
        for up in reversed(self.ups):
            # u_l = R(x_l) + upsample(R(u_{l+1}))
            x = skips.pop() + F.interpolate(up(x), scale_factor=2, mode='nearest')
        return x
