"""Encoder-decoder with skips: halve the map ``depth`` times, come back, add at each size what was there.

One "hourglass" of Newell et al. (ECCV 2016), used by the generator and both discriminators of Adversarial PoseNet (Chen
et al., ICCV 2017). With R a residual and l the level, x_0 the input::

    x_{l+1} = R(maxpool(x_l)),  u_depth = R(x_depth),  u_l = R(x_l) + upsample(R(u_{l+1})),  result u_0

Shapes: N batch, C channels, H x W of the input, both a multiple of ``2 ** depth``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from posestructs.layers.residual import Residual


def check_divisible(x: Tensor, multiple: int, owner: str) -> None:
    """Refuse an input whose sides cannot be halved as often as they will be.

    Args:
        x: (..., H, W).
        multiple: What has to divide H and W.
        owner: Who asks and why, for the message.

    Raises:
        ValueError: It does not divide one of them; names the size and what is required.
    """
    height, width = x.shape[-2:]
    if height % multiple or width % multiple:
        raise ValueError(
            f'{owner}: the input is {width} x {height} (width x height), both must be multiples of {multiple}'
        )


class EncoderDecoder(nn.Module):
    """Encoder-decoder with a residual in each skip, on each way down and on each way up.

    Args:
        channels: C, of input, output and everything between; even.
        depth: How often the map is halved; 0 leaves the residuals at the input's size.
        num_residuals: Residuals at each place.
        norm_cfg: See :func:`~posestructs.layers.residual.build_norm`.
    """

    def __init__(
        self, channels: int, depth: int = 4, num_residuals: int = 1, norm_cfg: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        for key, value, least in (('depth', depth, 0), ('num_residuals', num_residuals, 1)):
            if not isinstance(value, int) or value < least:
                raise ValueError(f'{key}={value!r}, allowed: an integer of at least {least}')

        def residuals() -> nn.Module:
            return nn.Sequential(*(Residual(channels, norm_cfg=norm_cfg) for _ in range(num_residuals)))

        self.depth = depth
        self.skips = nn.ModuleList(residuals() for _ in range(depth))
        self.downs = nn.ModuleList(residuals() for _ in range(depth))
        self.bottom = residuals()
        self.ups = nn.ModuleList(residuals() for _ in range(depth))

    @property
    def multiple(self) -> int:
        """What has to divide the height and width of the input."""
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
        kept = []
        for skip, down in zip(self.skips, self.downs, strict=True):
            # x_{l+1} = R(maxpool(x_l))
            kept.append(skip(x))
            x = down(F.max_pool2d(x, 2))
        # u_depth = R(x_depth)
        x = self.bottom(x)
        for up in reversed(self.ups):
            # u_l = R(x_l) + upsample(R(u_{l+1}))
            x = kept.pop() + F.interpolate(up(x), scale_factor=2, mode='nearest')
        return x
