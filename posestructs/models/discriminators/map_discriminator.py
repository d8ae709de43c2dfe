"""What both discriminators of Adversarial PoseNet share: an encoder-decoder over heatmaps, one logit per joint.

Chen et al., ICCV 2017, section 3.2 and 3.3: encoder-decoders with skips, of the generator's residuals. v2 leaves open
how their maps become a vector; here a 1x1 convolution makes one map of logits per joint, and either its mean is the
joint's logit ('global', any size of map), or a fully connected layer reads all of them ('fc', one size of map)::

    x = R(conv3x3(in)),  x = E_n(...E_1(x)),  m = conv1x1(relu(norm(x))),  logit_k = mean(m_k)  or  W m + b

Normalisation is by groups, not by batches: D sees true and predicted maps in its own step but only predicted ones in
the generator's, so that batch statistics would tell it which step it is in, and would differ between ranks.

Shapes: B images, K joints, C channels of the maps (K, or 2K with occlusion), H x W cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as add_spectral_norm

from posestructs.layers.hourglass import EncoderDecoder, Residual, build_norm

# preset: width. v2 says that all residuals have 512 maps
WIDTHS = {None: 256, 'paper': 512}
POOLINGS = ('global', 'fc')
# nothing can change it
GROUP_NORM: Mapping[str, Any] = MappingProxyType(dict(type='GN', num_groups=32))


class MapDiscriminator(BaseModule):
    """Judge heatmaps joint by joint.

    Args:
        num_joints: K.
        with_occlusion: Whether the maps are K pose maps and K occlusion maps, or K pose maps alone.
        extra_channels: Channels that it gets beside the maps.
        channels: Width, even; by default the preset's.
        depth: How often an encoder-decoder halves the maps; H and W must be multiples of ``2 ** depth``.
        num_stacks: Encoder-decoders in a row, at least 1.
        pooling: 'global' or 'fc'.
        map_size: (W, H) in cells, for 'fc' only.
        norm_cfg: Normalisation, by default ``dict(type='GN', num_groups=32)``; ``None`` for none.
        spectral_norm: Divide each weight by its spectral norm (Miyato et al., ICLR 2018). Its estimate gets better with
            each forward pass in training, so that accumulated batches are no longer exactly one large one.
        preset: ``None``, 256 wide; 'paper', 512 wide.
        init_cfg: mmengine's; by default He initialisation, and small weights of the last layer, so that first verdicts
            are near a half.

    Raises:
        ValueError: A value is not possible; names the key.
    """

    def __init__(
        self,
        num_joints: int,
        with_occlusion: bool = True,
        extra_channels: int = 0,
        channels: int | None = None,
        depth: int = 4,
        num_stacks: int = 1,
        pooling: str = 'global',
        map_size: Sequence[int] | None = None,
        norm_cfg: Mapping[str, Any] | None = GROUP_NORM,
        spectral_norm: bool = False,
        preset: str | None = None,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        name = type(self).__name__
        if preset not in WIDTHS:
            raise ValueError(f'{name}: preset={preset!r}, allowed: {tuple(WIDTHS)}')
        channels = WIDTHS[preset] if channels is None else channels
        for key, value in (('num_joints', num_joints), ('channels', channels), ('num_stacks', num_stacks)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f'{name}: {key}={value!r}, allowed: an integer of at least 1')
        if pooling not in POOLINGS:
            raise ValueError(f'{name}: pooling={pooling!r}, allowed: {POOLINGS}')
        if (pooling == 'fc') != (map_size is not None):
            raise ValueError(f"{name}: map_size={map_size!r} with pooling={pooling!r}, and 'fc' alone needs one (W, H)")
        self.num_joints, self.with_occlusion = num_joints, with_occlusion
        self.map_channels = (1 + with_occlusion) * num_joints
        self.stem = nn.Sequential(
            nn.Conv2d(self.map_channels + extra_channels, channels, 3, padding=1),
            Residual(channels, norm_cfg=norm_cfg),
        )
        self.stacks = nn.Sequential(*(EncoderDecoder(channels, depth, norm_cfg=norm_cfg) for _ in range(num_stacks)))
        self.judge = nn.Sequential(
            build_norm(norm_cfg, channels), nn.ReLU(inplace=True), nn.Conv2d(channels, num_joints, 1)
        )
        self.map_size = None if map_size is None else tuple(map_size)
        self.fc = None if map_size is None else nn.Linear(num_joints * map_size[0] * map_size[1], num_joints)
        # here, not by init_cfg: spectral norm hides the weights from it
        self._initialise()
        if spectral_norm:
            for module in self.modules():
                if isinstance(module, (nn.Conv2d, nn.Linear)):
                    add_spectral_norm(module)

    @property
    def multiple(self) -> int:
        """What has to divide the height and width of the maps."""
        return self.stacks[0].multiple

    def forward(self, maps: Tensor, images: Tensor | None = None) -> Tensor:
        """Judge maps.

        Args:
            maps: (B, C, H, W), pose maps first.
            images: Not read; for a common interface.

        Returns:
            Tensor: (B, K) logits, above 0 for a joint that is taken for true.

        Raises:
            ValueError: The maps are not as many, or not as large, as this discriminator was built for.
        """
        self._check(maps)
        return self._judge(maps)

    def _judge(self, x: Tensor) -> Tensor:
        """(B, C + extra, H, W) to logits (B, K)."""
        x = self.judge(self.stacks(self.stem(x)))
        # logit_k = mean(m_k), or W m + b
        return x.mean((2, 3)) if self.fc is None else self.fc(x.flatten(1))

    def _check(self, maps: Tensor) -> None:
        if maps.shape[1] != self.map_channels:
            raise ValueError(
                f'{type(self).__name__}: got {maps.shape[1]} maps, num_joints={self.num_joints} and '
                f'with_occlusion={self.with_occlusion} mean {self.map_channels}'
            )
        if self.map_size is not None and tuple(maps.shape[:1:-1]) != self.map_size:
            raise ValueError(
                f"{type(self).__name__}: pooling='fc' with map_size={self.map_size}, got maps of {maps.shape[3]} x "
                f'{maps.shape[2]} (width x height)'
            )

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        last = self.judge[-1] if self.fc is None else self.fc
        nn.init.normal_(last.weight, std=0.01)
