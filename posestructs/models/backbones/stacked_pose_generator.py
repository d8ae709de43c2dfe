"""Generator of Adversarial PoseNet (Chen et al., ICCV 2017): stacked encoder-decoders with a branch per task.

::

    X = stem(image),  T_n = E_n(X + A_n Y_{n-1} + B_n Z_{n-1})  (T_1 = E_1(X)),  Y_n = R_n(T_n),  Z_n = R'_n(T_n)

that is (Y_n, Z_n, X) = G_n(Y_{n-1}, Z_{n-1}, X). Y_n are the features of the pose maps, Z_n those of the occlusion
maps; :class:`~posestructs.models.heads.AdversarialHead` computes the maps from them.

The paper does not state how the three are joined or where the branches separate. Here A_n and B_n are 1x1 convolutions,
as in Newell et al. (ECCV 2016); this equals a 1x1 convolution of the concatenation in which the weight of X is fixed to
one. Each branch has a residual of its own after the encoder-decoder.

Shapes: N batch, C channels, h x w pixels of the image, H x W = h/4 x w/4 cells of all maps. n counts stacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmpose.models.backbones.base_backbone import BaseBackbone
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.layers.checkpointing import checkpointed
from posestructs.layers.hourglass import BATCH_NORM, EncoderDecoder, Residual, build_norm, check_divisible
from posestructs.utils.checks import check_choice, check_integer, check_sequence

STRIDE = 4


class Stem(nn.Sequential):
    """Image to X: a 7x7 convolution of stride 2, a residual, a max-pooling by 2, two residuals.

    Args:
        in_channels: Channels of the image.
        widths: Channels after the convolution, the first residual and the second.
        out_channels: C, channels after the third residual.
        norm_cfg: Config of the norm layers, see :func:`~posestructs.layers.hourglass.build_norm`.
    """

    def __init__(
        self, in_channels: int, widths: Sequence[int], out_channels: int, norm_cfg: Mapping[str, Any] | None
    ) -> None:
        first, second, third = widths
        super().__init__(
            nn.Conv2d(in_channels, first, 7, stride=2, padding=3, bias=norm_cfg is None),
            build_norm(norm_cfg, first),
            nn.ReLU(inplace=True),
            Residual(first, second, norm_cfg),
            nn.MaxPool2d(2),
            Residual(second, third, norm_cfg),
            Residual(third, out_channels, norm_cfg),
        )


class GeneratorStack(nn.Module):
    """One stack G_n.

    Args:
        channels: C.
        depth: Depth of the encoder-decoder.
        num_branches: Number of branches: 2 for pose and occlusion, 1 for pose only.
        takes_branches: Read the branches of the previous stack; False for the first stack.
        norm_cfg: Config of the norm layers, see :func:`~posestructs.layers.hourglass.build_norm`.
    """

    def __init__(
        self, channels: int, depth: int, num_branches: int, takes_branches: bool, norm_cfg: Mapping[str, Any] | None
    ) -> None:
        super().__init__()
        merged = num_branches if takes_branches else 0
        self.merges = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(merged))
        self.encoder_decoder = EncoderDecoder(channels, depth, norm_cfg=norm_cfg)
        self.branches = nn.ModuleList(Residual(channels, norm_cfg=norm_cfg) for _ in range(num_branches))

    def forward(self, x: Tensor, *before: Tensor) -> tuple[Tensor, ...]:
        """X and the branches of the previous stack, each (N, C, H, W), to the branches of this stack."""
        # T_n = E_n(X + A_n Y_{n-1} + B_n Z_{n-1})
        for merge, branch in zip(self.merges, before, strict=True):
            x = x + merge(branch)
        x = self.encoder_decoder(x)
        # Y_n = R_n(T_n), Z_n = R'_n(T_n)
        return tuple(branch(x) for branch in self.branches)


@MODELS.register_module()
class StackedPoseGenerator(BaseBackbone):
    """Stacked encoder-decoders for features of pose maps and of occlusion maps at a quarter of the image's size.

    Height and width of the image must be multiples of ``4 * 2 ** depth`` (64 by default), such as 256 x 256 or
    192 x 256. With one branch the output has the form of mmpose's ``HourglassNet``, so that any head of mmpose can
    follow.

    Args:
        num_stacks: Number of encoder-decoders.
        channels: C, channels of every residual after the stem, an even number; 512 in version 2 of the paper.
        depth: Number of times that an encoder-decoder halves the map.
        num_branches: 2 for pose and occlusion, 1 for the single-task baseline.
        stem_channels: Channels after the stem's 7x7 convolution and its first two residuals; by default C/4, C/2 and
            C/2, the proportions of Newell et al. According to version 2 of the paper all residuals have 512 maps; with
            512 in the stem, the residual at half the image's size would cost more than a whole encoder-decoder.
        in_channels: Channels of the image.
        norm_cfg: Normalisation layer, such as ``dict(type='SyncBN')`` or ``dict(type='GN', num_groups=32)``; ``None``
            for none.
        with_cp: Keep only the inputs of each stack, and recompute the rest for the gradients. Values, gradients and
            running statistics do not change.
        init_cfg: mmengine's ``init_cfg``; by default He initialisation of all convolutions.

    Raises:
        ValueError: A value is not allowed; names the key.
    """

    default_init_cfg = (
        dict(type='Kaiming', layer='Conv2d'),
        dict(type='Constant', layer=['_BatchNorm', 'GroupNorm'], val=1),
    )

    def __init__(
        self,
        num_stacks: int = 4,
        channels: int = 512,
        depth: int = 4,
        num_branches: int = 2,
        stem_channels: Sequence[int] | None = None,
        in_channels: int = 3,
        norm_cfg: Mapping[str, Any] | None = BATCH_NORM,
        with_cp: bool = False,
        init_cfg: Any = None,
    ) -> None:
        super().__init__([dict(cfg) for cfg in self.default_init_cfg] if init_cfg is None else init_cfg)
        for key, value in (('num_stacks', num_stacks), ('channels', channels), ('in_channels', in_channels)):
            check_integer(f'StackedPoseGenerator.{key}', value, 1)
        check_choice('StackedPoseGenerator.num_branches', num_branches, (1, 2))
        if stem_channels is None:
            if channels % 8:
                raise ValueError(
                    f'StackedPoseGenerator: channels={channels} is not a multiple of 8, so that stem_channels has no '
                    'default; set it to three even numbers'
                )
            stem_channels = (channels // 4, channels // 2, channels // 2)
        stem_channels = check_sequence('StackedPoseGenerator.stem_channels', stem_channels, length=3)
        self.num_stacks, self.num_branches, self.with_cp = num_stacks, num_branches, with_cp
        self.stem = Stem(in_channels, stem_channels, channels, norm_cfg)
        self.stacks = nn.ModuleList(
            GeneratorStack(channels, depth, num_branches, number > 0, norm_cfg) for number in range(num_stacks)
        )
        self.multiple = STRIDE * 2**depth

    def train(self, mode: bool = True) -> StackedPoseGenerator:
        """Set the mode and return the module, as in torch; mmpose's base class returns nothing."""
        super().train(mode)
        return self

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]] | list[Tensor]:
        """Compute the features of all stacks.

        Args:
            x: (N, in_channels, h, w) images.

        Returns:
            list: One item per stack: (Y_n, Z_n), both (N, C, h/4, w/4), with two branches; Y_n with one.

        Raises:
            ValueError: h or w is not a multiple of ``4 * 2 ** depth``.
        """
        check_divisible(x, self.multiple, f'StackedPoseGenerator(depth={self.stacks[0].encoder_decoder.depth})')
        x, branches, out = self.stem(x), (), []
        for stack in self.stacks:
            branches = checkpointed(stack, x, *branches) if self.with_cp else stack(x, *branches)
            out.append(branches if self.num_branches > 1 else branches[0])
        return out
