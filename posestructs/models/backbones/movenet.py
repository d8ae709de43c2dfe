"""MoveNet's feature extractor: MobileNetV2 and a feature pyramid, pretrained on human pose.

MoveNet (Google, 2021) is a CenterNet-like single-person model whose weights are published under Apache-2.0. This is the
network before its output layers, and the hidden layer of its keypoint heatmaps, which are a linear function of that
layer. The published weights have batch norm folded into the convolutions, so that there are no norm layers here.
``tools/model_converters/movenet_to_mmpose.py`` turns the published files into a checkpoint.

MobileNetV2: Sandler et al., CVPR 2018. Feature pyramid: Lin et al., CVPR 2017, with bilinear upsampling.

Shapes: N batch; images (N, 3, H, W), RGB, value / 127.5 - 1; H and W multiples of 32.

    level   0                 1                2                3
    map     32, H/16, W/16    24, H/8, W/8     24, H/4, W/4     96, H/4, W/4 (heatmap features)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch.nn.functional as F
from mmcv.cnn import build_conv_layer
from mmpose.models.backbones.base_backbone import BaseBackbone
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.models.backbones.staged_backbone import check_stages
from posestructs.utils.checks import check_choice

# TensorFlow's padding: even maps are padded at their far sides only where the stride is 2
_CONV = dict(type='Conv2dAdaptivePadding')


class Arch(NamedTuple):
    """Channels of MobileNetV2's stem and stages, and the published input size in pixels."""

    stem: int
    stages: tuple[int, ...]
    input_size: int


ARCHS = dict(
    lightning=Arch(32, (16, 24, 32, 64, 96, 160, 320), 192),
    thunder=Arch(56, (32, 40, 56, 112, 168, 280, 560), 256),
)
# blocks, expansion and stride of each stage; the stages whose end is an input of the pyramid
_BLOCKS = ((1, 1, 1), (2, 6, 2), (3, 6, 2), (4, 6, 2), (3, 6, 1), (3, 6, 2), (1, 6, 1))
_LATERAL_STAGES = (1, 2, 3)
_LAST_CHANNELS = 1280
# channels of the pyramid, top down: of the sums, then of what follows them
_PYRAMID = (64, 32, 24, 24)
_HEATMAP_CHANNELS = 96


@MODELS.register_module()
class MoveNetBackbone(BaseBackbone):
    """MoveNet up to its 1/4 feature map, or up to the hidden layer of its keypoint heatmaps.

    Args:
        arch: 'lightning' (width 1, published for 192 x 192 pixels) or 'thunder' (width 1.75, 256 x 256).
        out_indices: Levels to return, ascending, from 0 to 3; see the module.
        frozen_stages: Number of MobileNetV2's seven stages to freeze together with the stem; 0 for the stem only, -1
            for none.
        init_cfg: mmengine's ``init_cfg``; by default Kaiming initialisation. ``dict(type='Pretrained',
            checkpoint='movenet-lightning.pth')`` loads a checkpoint of ``movenet_to_mmpose.py``.

    Raises:
        ValueError: An argument is out of range; on loading, weights are missing or have another shape.
    """

    def __init__(
        self,
        arch: str = 'lightning',
        out_indices: Sequence[int] = (2,),
        frozen_stages: int = -1,
        init_cfg: dict | Sequence[dict] | None = None,
    ) -> None:
        check_choice('MoveNetBackbone.arch', arch, ARCHS)
        check_stages(out_indices, frozen_stages, 3, len(_BLOCKS))
        super().__init__(init_cfg=init_cfg or [dict(type='Kaiming', layer=['Conv2d'])])
        self.arch, self.out_indices, self.frozen_stages = arch, tuple(out_indices), frozen_stages
        widths = ARCHS[arch]
        self.stem = _conv(3, widths.stem, 3, stride=2, act=nn.ReLU6)
        self.stages = nn.ModuleList()
        channels = widths.stem
        for out, (count, expansion, stride) in zip(widths.stages, _BLOCKS, strict=True):
            stage = nn.Sequential()
            for number in range(count):
                stage.append(InvertedResidual(channels, out, expansion, 1 if number else stride))
                channels = out
            self.stages.append(stage)
        self.last_conv = _conv(channels, _LAST_CHANNELS, 1, act=nn.ReLU6)
        self.top = _conv(_LAST_CHANNELS, _PYRAMID[0], 1)
        laterals = [widths.stages[stage] for stage in reversed(_LATERAL_STAGES)]
        self.laterals = nn.ModuleList(_conv(given, out, 1) for given, out in zip(laterals, _PYRAMID, strict=False))
        self.pyramid = nn.ModuleList(_separable(given, out) for given, out in zip(_PYRAMID, _PYRAMID[1:], strict=False))
        self.heatmap_features = _separable(_PYRAMID[-1], _HEATMAP_CHANNELS) if 3 in self.out_indices else None
        #: channels of the returned maps
        self.out_channels = tuple((*_PYRAMID[1:], _HEATMAP_CHANNELS)[level] for level in self.out_indices)
        self._freeze_stages()
        self.register_load_state_dict_pre_hook(_check_complete)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps of the chosen levels.

        Args:
            x: (N, 3, H, W) images.

        Returns:
            A map for each of ``out_indices``.

        Raises:
            ValueError: H or W is not a multiple of 32.
        """
        if x.shape[-2] % 32 or x.shape[-1] % 32:
            raise ValueError(
                f'MoveNetBackbone: images of {x.shape[-1]} x {x.shape[-2]} pixels (width x height), allowed: multiples '
                'of 32'
            )
        x, laterals = self.stem(x), []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in _LATERAL_STAGES:
                laterals.append(x)
        x, maps = self.top(self.last_conv(x)), []
        for lateral, feature, conv in zip(reversed(laterals), self.laterals, self.pyramid, strict=True):
            # P_l = conv(up(P_{l+1}) + lateral(C_l))
            x = F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=False)
            x = conv(x + feature(lateral))
            maps.append(x)
        if self.heatmap_features is not None:
            maps.append(self.heatmap_features(x))
        return tuple(maps[level] for level in self.out_indices)

    def train(self, mode: bool = True) -> MoveNetBackbone:
        """Set the mode; frozen stages stay in evaluation mode.

        Args:
            mode: Training or evaluation.

        Returns:
            Itself.
        """
        super().train(mode)
        self._freeze_stages()
        return self

    def _freeze_stages(self) -> None:
        frozen = [] if self.frozen_stages < 0 else [self.stem, *self.stages[: self.frozen_stages]]
        for layer in frozen:
            layer.eval()
            layer.requires_grad_(False)


class InvertedResidual(nn.Module):
    """MobileNetV2's block with its norm layers folded into the convolutions.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output; equal ones and a stride of 1 add the input to it.
        expansion: Factor of the hidden channels; 1 leaves out the first convolution.
        stride: Stride of the depthwise convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expand = _conv(in_channels, hidden, 1, act=nn.ReLU6) if expansion > 1 else nn.Identity()
        self.depthwise = _conv(hidden, hidden, 3, stride=stride, groups=hidden, act=nn.ReLU6)
        self.project = _conv(hidden, out_channels, 1)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


def _conv(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1, act: Any = None
) -> nn.Sequential:
    cfg = _CONV if stride > 1 else None
    conv = build_conv_layer(
        cfg, in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=True
    )
    return nn.Sequential(conv, *([] if act is None else [act(inplace=True)]))


def _separable(in_channels: int, out_channels: int) -> nn.Sequential:
    """3x3 depthwise convolution without bias, 1x1 convolution, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1),
        nn.ReLU(inplace=True),
    )


def _check_complete(module: MoveNetBackbone, state_dict: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Refuse a checkpoint that lacks weights, which mmengine would leave at their random values."""
    # without a prefix the file is for this network alone; with one, it may be of a model with another backbone
    if prefix and not any(name.startswith(prefix) for name in state_dict):
        return
    own = {prefix + name: value for name, value in module.state_dict().items()}
    wrong = [name for name, value in own.items() if name not in state_dict or state_dict[name].shape != value.shape]
    if wrong:
        raise ValueError(
            f'the checkpoint does not fit MoveNetBackbone(arch={module.arch!r}): {len(wrong)} of {len(own)} weights '
            f'are missing or have another shape, first {", ".join(wrong[:3])}'
        )
    # the file holds the hidden layer of the heatmaps, whether or not it is built, and MoveNet's output layers
    known = (f'{prefix}heatmap_features.', f'{prefix}movenet_head.')
    spare = [name for name in state_dict if name.startswith(known) and name not in own]
    for name in spare:
        del state_dict[name]
