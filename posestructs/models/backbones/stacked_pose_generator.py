"""Generator of Adversarial PoseNet (Chen et al., ICCV 2017): stacked encoder-decoders with a branch per task.

::

    X = stem(image),  T_n = E_n(X + A_n Y_{n-1} + B_n Z_{n-1})  (T_1 = E_1(X)),  Y_n = R_n(T_n),  Z_n = R'_n(T_n)

that is (Y_n, Z_n, X) = G_n(Y_{n-1}, Z_{n-1}, X). Y_n are the features of the pose maps, Z_n those of the occlusion
maps; :class:`~posestructs.models.heads.AdversarialHead` makes the maps of them.

The paper leaves open how the three are joined and where the branches part. Here A_n and B_n are 1x1 convolutions, as in
Newell et al. (ECCV 2016), which is a 1x1 convolution of all three concatenated with the weight of X fixed to one; each
branch has a residual of its own after the encoder-decoder.

Shapes: N images, C channels, h x w of the image, H x W = h/4 x w/4 of all maps; B branches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmpose.models.backbones.base_backbone import BaseBackbone
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.layers.checkpointing import checkpointed
from posestructs.layers.hourglass import BATCH_NORM, EncoderDecoder, Residual, build_norm, check_divisible

STRIDE = 4


class Stem(nn.Sequential):
    """Image to X: a 7x7 convolution of stride 2, a residual, a max-pool of 2, two residuals.

    Args:
        in_channels: Of the image.
        widths: Channels after the convolution, the first residual and the second.
        out_channels: C, after the third.
        norm_cfg: See :func:`~posestructs.layers.hourglass.build_norm`.
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
    """One G_n.

    Args:
        channels: C.
        depth: Of the encoder-decoder.
        num_branches: B, 2 for pose and occlusion, 1 for pose alone.
        takes_branches: Whether it gets the branches of a stack before it; the first one does not.
        norm_cfg: See :func:`~posestructs.layers.hourglass.build_norm`.
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
        """X and the branches of the stack before, each (N, C, H, W), to this stack's branches."""
        # T_n = E_n(X + A_n Y_{n-1} + B_n Z_{n-1})
        for merge, branch in zip(self.merges, before, strict=True):
            x = x + merge(branch)
        x = self.encoder_decoder(x)
        # Y_n = R_n(T_n), Z_n = R'_n(T_n)
        return tuple(branch(x) for branch in self.branches)


@MODELS.register_module()
class StackedPoseGenerator(BaseBackbone):
    """Stacked encoder-decoders that give features of pose maps and of occlusion maps at a quarter of the image's size.

    Height and width of the image must be multiples of ``4 * 2 ** depth`` (64 by default), such as 256 x 256 or
    192 x 256. With one branch the result is that of mmpose's ``HourglassNet``, so that any head of mmpose fits behind.

    Args:
        num_stacks: N encoder-decoders.
        channels: C, of every residual beyond the stem; even. v2 of the paper has 512.
        depth: How often an encoder-decoder halves the map.
        num_branches: 2 for pose and occlusion, 1 for the single-task baseline.
        stem_channels: Channels after the stem's 7x7 convolution and its first two residuals. By default C/4, C/2 and
            C/2, Newell et al.'s proportions. v2 says that all residuals have 512 maps; three times 512 here would make
            the residual at half the image's size alone cost more than a whole stack's encoder-decoder.
        in_channels: Of the image.
        norm_cfg: Normalisation, by default ``dict(type='BN')``; ``dict(type='SyncBN')`` or
            ``dict(type='GN', num_groups=32)``, for example, or ``None`` for none.
        with_cp: Keep only each stack's inputs and recompute the rest for the gradients. Values, gradients and running
            statistics are the same as without.
        init_cfg: By default He initialisation of all convolutions.

    Raises:
        ValueError: A number is not possible; names the key.
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
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f'StackedPoseGenerator: {key}={value!r}, allowed: an integer of at least 1')
        if num_branches not in (1, 2):
            raise ValueError(f'StackedPoseGenerator: num_branches={num_branches!r}, allowed: 1 (pose) or 2')
        if stem_channels is None:
            if channels % 8:
                raise ValueError(
                    f'StackedPoseGenerator: channels={channels} is not a multiple of 8, so that stem_channels has no '
                    'default; give three even numbers'
                )
            stem_channels = (channels // 4, channels // 2, channels // 2)
        if len(stem_channels) != 3:
            raise ValueError(f'StackedPoseGenerator: stem_channels={stem_channels!r}, allowed: three numbers')
        self.num_stacks, self.num_branches, self.with_cp = num_stacks, num_branches, with_cp
        self.stem = Stem(in_channels, stem_channels, channels, norm_cfg)
        self.stacks = nn.ModuleList(
            GeneratorStack(channels, depth, num_branches, number > 0, norm_cfg) for number in range(num_stacks)
        )
        self.multiple = STRIDE * 2**depth

    def train(self, mode: bool = True) -> StackedPoseGenerator:
        """Set the mode; unlike mmpose's base class this returns the module, as torch's own do."""
        super().train(mode)
        return self

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]] | list[Tensor]:
        """Features of all stacks, the first to the last.

        Args:
            x: (N, in_channels, h, w) images.

        Returns:
            list: N stacks. With two branches each is (Y_n, Z_n), both (N, C, h/4, w/4); with one it is Y_n.

        Raises:
            ValueError: h or w is not a multiple of ``4 * 2 ** depth``.
        """
        check_divisible(x, self.multiple, f'StackedPoseGenerator(depth={self.stacks[0].encoder_decoder.depth})')
        x, branches, out = self.stem(x), (), []
        for stack in self.stacks:
            branches = checkpointed(stack, x, *branches) if self.with_cp else stack(x, *branches)
            out.append(branches if self.num_branches > 1 else branches[0])
        return out
