"""Encoder-decoder over heatmaps with one logit per joint, the base of both discriminators of Adversarial PoseNet.

Chen et al., ICCV 2017, sections 3.2 and 3.3: encoder-decoders with skip connections, made of the generator's residuals.
Version 2 of the paper does not say how their maps become a vector. Here a 1x1 convolution gives one map of logits m_k
per joint, which is pooled to the joint's logit::

    x = R(conv3x3(in)),  x = E_n(...E_1(x)),  m = conv1x1(relu(norm(x)))
    'global'  logit_k = mean(m_k)                                        maps of any size
    'joint'   logit_k = (sum(w_k m_k) + mean(m_k)) / (sum(w_k) + 1)      w_k = max(y_k, 0), y_k the joint's pose map
    'fc'      logit = W m + b                                            maps of one size

'joint' reads the logit where the joint's own map is high. An empty map gives the mean; the Gaussian of a target has a
sum of 2 pi sigma^2 = 6.3 for a sigma of 1, and so 86 % of the weight. Gradients reach the maps through w_k as well.

**Scale of the maps.** A Gaussian of height 1 on H x W cells has a root mean square (RMS) of sigma sqrt(pi / (H W)):
0.11 on 16 x 16 cells and 0.028 on 64 x 64 with a sigma of 1. A channel of a normalised image has about 1, so that the
image outweighs the maps in P's first layer. ``map_scale='unit_rms'`` multiplies the maps by sqrt(H W / pi) / sigma,
which gives the map of a target an RMS of 1.

**Appearance of the maps.** With ``redraw=True`` each pose map, true or predicted, is replaced by a Gaussian at its
position (:mod:`posestructs.layers.soft_argmax`), so that the pose alone can tell predictions from targets.

Normalisation is by groups, not by batches: D sees real and predicted maps in its own step but predicted ones only in
the generator's, so that batch statistics would reveal the step, and would differ between ranks.

Shapes: N batch, K joints, C channels of the maps (K, or 2K with occlusion), H x W cells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as add_spectral_norm

from posestructs.layers.hourglass import EncoderDecoder, Residual, build_norm
from posestructs.layers.soft_argmax import redraw as redraw_maps
from posestructs.utils.checks import check_bool, check_choice, check_integer, check_number

# preset: width; version 2 of the paper says that all residuals have 512 maps
WIDTHS = {None: 256, 'paper': 512}
POOLINGS = ('global', 'joint', 'fc')
UNIT_RMS = 'unit_rms'
# immutable, as it is a default argument
GROUP_NORM: Mapping[str, Any] = MappingProxyType(dict(type='GN', num_groups=32))


def pool_at_joints(logits: Tensor, maps: Tensor) -> Tensor:
    """Mean of each joint's map of logits, weighted by the joint's pose map.

    Args:
        logits: (N, K, H, W) m.
        maps: (N, K, H, W) pose maps.

    Returns:
        Tensor: (N, K).
    """
    weights = maps.clamp(min=0).to(logits)
    # logit_k = (sum(w_k m_k) + mean(m_k)) / (sum(w_k) + 1)
    return ((weights * logits).sum((2, 3)) + logits.mean((2, 3))) / (weights.sum((2, 3)) + 1)


class MapDiscriminator(BaseModule):
    """Score heatmaps joint by joint.

    Args:
        num_joints: K.
        with_occlusion: Read K pose maps and K occlusion maps; False for K pose maps.
        extra_channels: Number of input channels other than the maps.
        channels: Width, an even number; by default that of the preset.
        depth: Number of times that an encoder-decoder halves the maps. H and W must be multiples of ``2 ** depth``.
        num_stacks: Number of consecutive encoder-decoders, at least 1.
        pooling: 'global', 'joint' or 'fc'; see the module's description.
        map_size: (W, H) in cells, for 'fc' only.
        map_scale: Factor of the maps at the first layer, or 'unit_rms' for the one that gives targets an RMS of 1; see
            the module's description.
        map_sigma: Standard deviation of the targets' Gaussians in cells, for 'unit_rms' and ``redraw`` only;
            :class:`~posestructs.models.pose_estimators.AdversarialPoseEstimator` sets that of the head's codec.
        redraw: Replace each pose map by a Gaussian at its position; see the module's description. Occlusion maps have
            no such position, so that it needs ``with_occlusion=False``.
        norm_cfg: Normalisation layer; ``None`` for none.
        spectral_norm: Divide each weight by its spectral norm (Miyato et al., ICLR 2018). Its estimate is refined in
            each forward pass of training, so that accumulated batches are not exactly equal to one large batch.
        preset: 'paper' for a width of 512; ``None`` for 256.
        init_cfg: mmengine's ``init_cfg``; by default He initialisation, with small weights in the last layer, so that
            the first scores are near 0.5.

    Raises:
        ValueError: A value is not allowed; names the key.
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
        map_scale: float | str = 1.0,
        map_sigma: float | None = None,
        redraw: bool = False,
        norm_cfg: Mapping[str, Any] | None = GROUP_NORM,
        spectral_norm: bool = False,
        preset: str | None = None,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        name = type(self).__name__
        check_choice(f'{name}.preset', preset, WIDTHS)
        channels = WIDTHS[preset] if channels is None else channels
        for key, value in (('num_joints', num_joints), ('channels', channels), ('num_stacks', num_stacks)):
            check_integer(f'{name}.{key}', value, 1)
        self.pooling = check_choice(f'{name}.pooling', pooling, POOLINGS)
        if (pooling == 'fc') != (map_size is not None):
            raise ValueError(f"{name}: map_size={map_size!r} with pooling={pooling!r}, and only 'fc' needs one (W, H)")
        self.redraw = check_bool(f'{name}.redraw', redraw)
        if redraw and with_occlusion:
            raise ValueError(f"{name}: redraw=True needs with_occlusion=False (discriminators.NAME.input_maps='pose')")
        self.map_scale, self.map_sigma = _check_scale(name, map_scale, map_sigma, redraw)
        self.num_joints, self.with_occlusion = num_joints, with_occlusion
        self.map_channels = (1 + with_occlusion) * num_joints
        self.stem = nn.Sequential(
            nn.Conv2d(self.map_channels + extra_channels, channels, 3, padding=1),
            Residual(channels, norm_cfg=norm_cfg),
        )
        self.stacks = nn.Sequential(*(EncoderDecoder(channels, depth, norm_cfg=norm_cfg) for _ in range(num_stacks)))
        # 'judge' is the name of the classifier in checkpoints
        self.judge = nn.Sequential(
            build_norm(norm_cfg, channels), nn.ReLU(inplace=True), nn.Conv2d(channels, num_joints, 1)
        )
        self.map_size = None if map_size is None else tuple(map_size)
        self.fc = None if map_size is None else nn.Linear(num_joints * map_size[0] * map_size[1], num_joints)
        self.spectral_norm = spectral_norm
        self._finish(self)

    @property
    def multiple(self) -> int:
        """Number that must divide the height and width of the maps."""
        return self.stacks[0].multiple

    @property
    def classifier(self) -> nn.Sequential:
        """Layers from features to one map of logits per joint."""
        return self.judge

    def forward(self, maps: Tensor, images: Tensor | None = None) -> Tensor:
        """Score maps.

        Args:
            maps: (N, C, H, W), pose maps first.
            images: Ignored; an argument of all discriminators.

        Returns:
            Tensor: (N, K) logits, above 0 for a joint that is scored as real.

        Raises:
            ValueError: The number or the size of the maps is not that of this discriminator.
        """
        self._check(maps)
        return self._logits(maps)

    def logits_and_features(self, maps: Tensor, images: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """Score maps, and keep features of all sizes, for feature matching.

        Args:
            maps: As for :meth:`forward`.
            images: As for :meth:`forward`.

        Returns:
            tuple[Tensor, list[Tensor]]: (N, K) logits; (N, F, h, w) features behind the first layers, each level of
            the encoders, and each encoder-decoder.
        """
        features: list[Tensor] = []
        read = [self.stem, *(m for stack in self.stacks for m in (*stack.downs, stack))]
        handles = [module.register_forward_hook(lambda _, __, out: features.append(out)) for module in read]
        try:
            return self(maps, images), features
        finally:
            for handle in handles:
                handle.remove()

    def _logits(self, maps: Tensor, extra: Tensor | None = None) -> Tensor:
        """(N, C, H, W) maps and (N, E, H, W) extra channels, which come first, to (N, K) logits."""
        maps = redraw_maps(maps, self.map_sigma) if self.redraw else maps
        x = self._network(maps, extra)
        if self.fc is not None:
            return self.fc(x.flatten(1))
        return pool_at_joints(x, maps[:, : self.num_joints]) if self.pooling == 'joint' else x.mean((2, 3))

    def _network(self, maps: Tensor, extra: Tensor | None = None) -> Tensor:
        """All layers but the pooling."""
        x = self._scaled(maps)
        x = x if extra is None else torch.cat([extra, x], dim=1)
        return self.classifier(self.stacks(self.stem(x)))

    def _scaled(self, maps: Tensor) -> Tensor:
        scale = self.map_scale
        if scale == UNIT_RMS:
            height, width = maps.shape[2:]
            scale = math.sqrt(height * width / math.pi) / self.map_sigma
        return maps if scale == 1 else maps * scale

    def _check(self, maps: Tensor) -> None:
        if maps.shape[1] != self.map_channels:
            raise ValueError(
                f'{type(self).__name__}: {maps.shape[1]} maps, allowed with num_joints={self.num_joints} and '
                f'with_occlusion={self.with_occlusion}: {self.map_channels}'
            )
        if self.map_size is not None and tuple(maps.shape[:1:-1]) != self.map_size:
            raise ValueError(
                f"{type(self).__name__}: maps of the size {tuple(maps.shape[:1:-1])}, allowed with pooling='fc': "
                f'map_size={self.map_size} (width, height)'
            )

    def _finish(self, part: nn.Module) -> None:
        """Initialise layers, then wrap them for spectral norm, which hides the weights from ``init_cfg``."""
        layers = [module for module in part.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        if part is self:
            # the classifier, so that the first scores are near 0.5
            nn.init.normal_((self.classifier[-1] if self.fc is None else self.fc).weight, std=0.01)
        if self.spectral_norm:
            for layer in layers:
                add_spectral_norm(layer)


def _check_scale(name: str, scale: float | str, sigma: float | None, redraw: bool) -> tuple[float | str, float | None]:
    if isinstance(scale, str):
        check_choice(f'{name}.map_scale', scale, (UNIT_RMS,))
    else:
        check_number(f'{name}.map_scale', scale, above=0)
    if scale != UNIT_RMS and not redraw:
        return scale, sigma
    if sigma is None:
        option = f'map_scale={UNIT_RMS!r}' if scale == UNIT_RMS else 'redraw=True'
        raise ValueError(f'{name}.map_sigma=None with {option}, needed: the sigma of the codec in cells')
    return scale, check_number(f'{name}.map_sigma', sigma, above=0)
