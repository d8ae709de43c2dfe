"""VGG-16 as a fully convolutional network at stride 8, the backbone of Structured Feature Learning.

Simonyan and Zisserman, ICLR 2015, as Chu et al., CVPR 2016, use it: pool4 and pool5 are left out, nothing is dilated in
their place, and fc6 is a 7x7 convolution. An ImageNet checkpoint of torchvision's ``vgg16`` loads as it is.

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

from posestructs.models.backbones.staged_backbone import StagedBackbone, check_stages

_BLOCKS = (2, 2, 3, 3, 3)  # convolutions of each stage
_POOLED = 3  # stages that keep their pooling: stride 8
_FC6 = len(_BLOCKS)
_FC6_SIDE = 7  # cells on a side of the map that the fully connected fc6 sees

_INIT = (
    dict(type='Kaiming', layer=['Conv2d']),
    dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
)


@MODELS.register_module()
class FCNVGG(StagedBackbone):
    """VGG-16 at stride 8 with a convolutional fc6.

    Stages are counted from 0, as in mmpose's ``VGG``; fc6 is stage 5. The parameters of stages 0 to 4 have
    torchvision's names (``features.0.weight`` ...). fc6 is convolution, norm layer if any, ReLU, dropout of whole
    channels: what VGG's own dropout is where fc6 sees one 7x7 map.

    Args:
        base_channels (int): Channels of the first stage, 64 in VGG-16; the others have 2, 4, 8 and 8 times as many.
        fc6_channels (int): 4096 (VGG-16's, ``paper``) or any other number (1024 in ``release``).
        fc6_norm_cfg (dict, optional): Norm layer of fc6, e.g. ``dict(type='BN')`` in ``release``. Default: none.
        fc6_dropout (float): Share of fc6's channels dropped in training, 0 to below 1.
        out_indices (Sequence[int]): Stages to return.
        frozen_stages (int): The first so many stages are fixed, 6 with fc6; -1: none, as 0.
        norm_eval (bool): Keep the running statistics of fc6's norm layer fixed in training.
        in_channels (int): Channels of an image.
        init_cfg (dict | list[dict], optional): By default Kaiming's. ``dict(type='Pretrained',
            checkpoint='torchvision://vgg16')`` starts from ImageNet: fc6 included where it has the checkpoint's
            4096 channels, otherwise initialised by Kaiming's, as it is logged.

    Raises:
        ValueError: An argument is out of range; on loading, the checkpoint is one of another network.
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

    def _stage(self, stage: int) -> list[nn.Module]:
        if stage == _FC6:
            return [self.fc6, self.fc6_dropout]
        start, end = self._stage_ends[stage : stage + 2]
        return list(self.features)[start:end]


def _layers(in_channels: int, widths: Sequence[int]) -> Iterator[tuple[str, nn.Module]]:
    """The layers of stages 0 to 4 by torchvision's numbers, of which 23 (pool4) and 30 (pool5) are not there."""
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
    """Where in the list of layers each stage begins, and the last ends."""
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
        if not isinstance(value, int) or value < 1:
            raise ValueError(f'{key} must be a whole number from 1, got {value!r}')
    if not 0 <= fc6_dropout < 1:
        raise ValueError(f'fc6_dropout must be at least 0 and below 1, got {fc6_dropout!r}')
    check_stages(out_indices, frozen_stages, _FC6, _FC6 + 1)


def _with_defaults(init_cfg: dict | Sequence[dict] | None) -> list[dict]:
    """Kaiming's ahead of ``Pretrained``, which may have no fc6 for us."""
    given = [init_cfg] if isinstance(init_cfg, dict) else list(init_cfg or _INIT)
    if all(cfg['type'] == 'Pretrained' for cfg in given):
        given = [*_INIT, *given]
    return [dict(cfg) for cfg in given]


def _convert_torchvision(module: FCNVGG, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Bring a checkpoint of torchvision's ``vgg16`` into our form, and refuse one of another network.

    mmengine loads pretrained weights with ``strict=False``: without this check a network of another depth or width
    would be left at its random values, with no more than a line in the log.
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
            "the checkpoint is a VGG with batch normalisation (as torchvision's vgg16_bn), which FCNVGG has none of "
            "in its stages; allowed: VGG-16 without, 'torchvision://vgg16'"
        )
    if set(theirs) != set(ours):
        strange, missing = (sorted(a - b) for a, b in ((set(theirs), set(ours)), (set(ours), set(theirs))))
        raise ValueError(
            f'the checkpoint is not a VGG-16 with the names of torchvision (its own: {strange[:3]}, missing: '
            f"{missing[:3]}); allowed: 'torchvision://vgg16'"
        )
    for name, value in ours.items():
        if theirs[name].shape != value.shape:
            raise ValueError(
                f'{name} is {tuple(theirs[name].shape)} in the checkpoint and {tuple(value.shape)} in the model: '
                "base_channels or in_channels does not fit (torchvision's vgg16 has 64 and 3)"
            )


def _fc6_from_classifier(module: FCNVGG, classifier: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """State of fc6 from the fully connected one where that fits, else its own."""
    state = module.fc6.state_dict()
    weight = classifier.get(f'{prefix}classifier.0.weight')
    kernel = state['conv.weight']
    if weight is None or tuple(weight.shape) != (kernel.shape[0], kernel[0].numel()):
        found = 'no classifier.0.weight' if weight is None else f'one of {tuple(weight.shape)}'
        print_log(
            f'FCNVGG: fc6 is initialised afresh: its kernel is {tuple(kernel.shape)}, the checkpoint has {found}',
            logger='current',
            level=logging.WARNING,
        )
        return state
    # the fully connected layer reads a map as channels, then rows, then columns
    state['conv.weight'] = weight.reshape(kernel.shape)
    if 'conv.bias' in state:  # with a norm layer there is none: it would take it out again
        state['conv.bias'] = classifier[f'{prefix}classifier.0.bias']
    return state
