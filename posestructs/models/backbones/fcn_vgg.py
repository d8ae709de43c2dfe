"""VGG-16 as a fully convolutional network at stride 8, the backbone of Structured Feature Learning.

Simonyan and Zisserman, ICLR 2015, as used by Chu et al., CVPR 2016: without pool4 and pool5, without dilation in their
place, and with fc6 as a 7x7 convolution. torchvision's ImageNet checkpoint ``vgg16-397923af.pth`` loads without
conversion: convolutions have torchvision's names, and fc6 is read from ``classifier.0``. Its ``classifier.3`` (fc7) and
``classifier.6`` have no counterpart here, as fc7 is computed per part by the neck.

Shapes: N batch, C ``base_channels``, F ``fc6_channels``; images (N, 3, H, W) with H and W multiples of 8.

    stage   0        1         2         3         4         5 (fc6)
    out     C, H/2   2C, H/4   4C, H/8   8C, H/8   8C, H/8   F, H/8
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmengine.logging import print_log
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.models.backbones.staged_backbone import StagedBackbone, check_stages, refuse_foreign_weights
from posestructs.utils.checks import check_integer, check_number

_BLOCKS = (2, 2, 3, 3, 3)  # convolutions of each stage
_POOLED = 3  # stages that keep their pooling: stride 8
_FC6 = len(_BLOCKS)
_FC6_SIDE = 7  # cells on a side of the map that the fully connected fc6 reads
_ALLOWED = "torchvision's vgg16 ('torchvision://vgg16', or its file vgg16-397923af.pth)"

_INIT = (
    dict(type='Kaiming', layer=['Conv2d']),
    dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
)


@MODELS.register_module()
class FCNVGG(StagedBackbone):
    """VGG-16 at stride 8 with a convolutional fc6.

    Stages are counted from 0, as in mmpose's ``VGG``; fc6 is stage 5. The parameters of stages 0 to 4 have
    torchvision's names (``features.0.weight`` ...). fc6 consists of a convolution, a norm layer if configured, ReLU,
    and dropout of whole channels, which equals VGG's dropout if fc6 sees a single 7x7 map.

    Args:
        base_channels: Channels of the first stage, 64 in VGG-16; the others have 2, 4, 8 and 8 times as many.
        fc6_channels: Channels of fc6: 4096 in VGG-16 and the preset ``paper``, 1024 in ``release``.
        fc6_norm_cfg: Norm layer of fc6, such as ``dict(type='BN')`` in ``release``; ``None`` for none.
        fc6_dropout: Share of fc6's channels to drop in training, at least 0 and below 1.
        out_indices: Stages to return, ascending.
        frozen_stages: Number of stages to freeze, 6 including fc6; 0 or -1 for none.
        norm_eval: Keep the running statistics of fc6's norm layer fixed in training.
        in_channels: Channels of the image.
        init_cfg: mmengine's ``init_cfg``; by default Kaiming initialisation. ``dict(type='Pretrained',
            checkpoint=...)`` loads weights from ImageNet: ``'torchvision://vgg16'``, which needs torchvision, or the
            path of the plain file ``vgg16-397923af.pth``. fc6 is loaded if it has the checkpoint's 4096 channels;
            otherwise it keeps its Kaiming initialisation, with a warning.

    Raises:
        ValueError: An argument is not allowed; on loading, the checkpoint is of another network.
    """

    def __init__(
        self,
        base_channels: int = 64,
        fc6_channels: int = 4096,
        fc6_norm_cfg: dict | None = None,
        fc6_dropout: float = 0.5,
        out_indices: Sequence[int] = (_FC6,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        in_channels: int = 3,
        init_cfg: dict | Sequence[dict] | None = None,
    ) -> None:
        _check(base_channels, fc6_channels, fc6_dropout, out_indices, frozen_stages, in_channels)
        super().__init__(out_indices, frozen_stages, norm_eval, _with_defaults(init_cfg))
        widths = tuple(base_channels * min(2**stage, 8) for stage in range(len(_BLOCKS)))
        #: channels of the returned maps
        self.out_channels = tuple((*widths, fc6_channels)[stage] for stage in self.out_indices)
        self.features = nn.Sequential(OrderedDict(_layers(in_channels, widths)))
        self._stage_ends = _stage_ends()
        self.fc6 = ConvModule(widths[-1], fc6_channels, _FC6_SIDE, padding=_FC6_SIDE // 2, norm_cfg=fc6_norm_cfg)
        self.fc6_dropout = nn.Dropout2d(fc6_dropout)
        self._freeze_stages()
        self.register_load_state_dict_pre_hook(_convert_torchvision)
        self.register_load_state_dict_pre_hook(refuse_foreign_weights)

    def _stage(self, stage: int) -> list[nn.Module]:
        if stage == _FC6:
            return [self.fc6, self.fc6_dropout]
        start, end = self._stage_ends[stage : stage + 2]
        return list(self.features)[start:end]


def _layers(in_channels: int, widths: Sequence[int]) -> Iterator[tuple[str, nn.Module]]:
    """Layers of stages 0 to 4 by torchvision's indices, without 23 (pool4) and 30 (pool5)."""
    number = 0
    for stage, (count, width) in enumerate(zip(_BLOCKS, widths, strict=True)):
        for _ in range(count):
            yield str(number), nn.Conv2d(in_channels, width, 3, padding=1)
            yield str(number + 1), nn.ReLU(inplace=True)
            in_channels, number = width, number + 2
        if stage < _POOLED:
            yield str(number), nn.MaxPool2d(2)
        number += 1


def _stage_ends() -> list[int]:
    """Indices in the list of layers at which stages begin and the last one ends."""
    ends = [0]
    for stage, count in enumerate(_BLOCKS):
        ends.append(ends[-1] + 2 * count + (stage < _POOLED))
    return ends


def _check(
    base_channels: int,
    fc6_channels: int,
    fc6_dropout: float,
    out_indices: Sequence[int],
    frozen_stages: int,
    in_channels: int,
) -> None:
    counts = dict(base_channels=base_channels, fc6_channels=fc6_channels, in_channels=in_channels)
    for key, value in counts.items():
        check_integer(f'FCNVGG.{key}', value, 1)
    check_number('FCNVGG.fc6_dropout', fc6_dropout, 0, below=1)
    check_stages(out_indices, frozen_stages, _FC6, _FC6 + 1)


def _with_defaults(init_cfg: dict | Sequence[dict] | None) -> list[dict]:
    """Kaiming initialisation before ``Pretrained``, as the checkpoint may not fit fc6."""
    given = [init_cfg] if isinstance(init_cfg, dict) else list(init_cfg or _INIT)
    if all(cfg['type'] == 'Pretrained' for cfg in given):
        given = [*_INIT, *given]
    return [dict(cfg) for cfg in given]


def _convert_torchvision(module: FCNVGG, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Convert a checkpoint of torchvision's ``vgg16``, and refuse one of another network.

    mmengine loads pretrained weights with ``strict=False``. Without this check a network of another depth or width
    would keep its random values, reported by a line in the log only.
    """
    start = f'{prefix}features.'
    ours = {f'{start}{name}': value for name, value in module.features.state_dict().items()}
    theirs = {name: value for name, value in state_dict.items() if name.startswith(start)}
    classifier = {name: state_dict[name] for name in list(state_dict) if name.startswith(f'{prefix}classifier.')}
    if not theirs and not classifier:
        return
    _check_features(theirs, ours, start)
    if classifier:
        for name in classifier:
            del state_dict[name]
        fc6 = _fc6_from_classifier(module, classifier, prefix)
        state_dict.update({f'{prefix}fc6.{name}': value for name, value in fc6.items()})


def _check_features(theirs: dict[str, Tensor], ours: dict[str, Tensor], start: str) -> None:
    if any(name.endswith('.running_mean') for name in theirs):
        raise ValueError(
            "the checkpoint is a VGG with batch normalisation (such as torchvision's vgg16_bn), and FCNVGG has none in "
            f'its stages; allowed: {_ALLOWED}'
        )
    if set(theirs) != set(ours):
        strange, missing = (sorted(a - b) for a, b in ((set(theirs), set(ours)), (set(ours), set(theirs))))
        raise ValueError(
            f"the checkpoint is not a VGG-16 with torchvision's names (unexpected: {strange[:3]}, missing: "
            f'{missing[:3]}); allowed: {_ALLOWED}'
        )
    for name, value in ours.items():
        if theirs[name].shape != value.shape:
            raise ValueError(
                f'{name} is {tuple(theirs[name].shape)} in the checkpoint and {tuple(value.shape)} in the model: '
                "set base_channels and in_channels to those of the checkpoint (64 and 3 in torchvision's vgg16)"
            )


def _fc6_from_classifier(module: FCNVGG, classifier: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """State of fc6 from the fully connected layer if that fits, otherwise its own."""
    state = module.fc6.state_dict()
    weight = classifier.get(f'{prefix}classifier.0.weight')
    kernel = state['conv.weight']
    if weight is None or tuple(weight.shape) != (kernel.shape[0], kernel[0].numel()):
        found = 'no classifier.0.weight' if weight is None else f'one of {tuple(weight.shape)}'
        print_log(
            f'FCNVGG: fc6 is not loaded and keeps its initialisation: its kernel is {tuple(kernel.shape)}, the '
            f'checkpoint has {found}',
            logger='current',
            level=logging.WARNING,
        )
        return state
    # the fully connected layer reads a map in the order channels, rows, columns
    state['conv.weight'] = weight.reshape(kernel.shape)
    if 'conv.bias' in state:  # there is none with a norm layer, which would cancel it
        state['conv.bias'] = classifier[f'{prefix}classifier.0.bias']
    return state
