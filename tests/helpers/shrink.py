"""Configs small enough for a test: the same parts, narrower, on smaller images and tiny data.

Only widths, stacks, image sizes, batches and data paths change, and numbers that follow from them, such as the channels
that one part hands to the next. Whatever is registered, depths, strides, losses, schedules and metrics stay.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import Tensor

from posestructs.utils.nested import walk_dicts
from tests.helpers.tiny_data import place_data

SHORT_SIDE = 112
"""Pixels of the input's shorter side, before it is rounded up to what the networks can halve."""

_STACKS = 2
# what each type calls its widths; deconv_out_channels and in_channels are seen to apart
_WIDTHS: dict[str, dict[str, Any]] = dict(
    FCNVGG=dict(base_channels=4, fc6_channels=16),
    ResNet=dict(stem_channels=8, base_channels=8),
    StackedPoseGenerator=dict(channels=16),
    HourglassNet=dict(feat_channel=16),
    FPN=dict(out_channels=16),
    AdversarialHead=dict(hidden_channels=8),
    PartScoreHead=dict(background_channels=8),
)
_PART_CHANNELS = 4


def shrink(config: Config, folder: Path) -> Config:
    """Make a small copy of a config.

    Args:
        config: Any config of a top-down model with one codec.
        folder: For tiny data sets and, in place of pretrained weights, random ones of the small backbone.

    Returns:
        Config: The copy.

    Raises:
        ValueError: There are several codecs, as of mmpose's MSPN and RSN, whose widths are tied in ways of their own.
    """
    if not isinstance(config.codec, Mapping):
        raise ValueError(
            f'{config.filename}: codec is a {type(config.codec).__name__} of {len(config.codec)}; a small copy can be '
            'made of a model with one codec'
        )
    config = Config(copy.deepcopy(config._cfg_dict), filename=config.filename)
    _shrink_images(config)
    _shrink_model(config.model, config.codec.input_size, folder)
    for part in ('train', 'val', 'test'):
        loader = config.get(f'{part}_dataloader')
        if loader is None:
            continue
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        place_data(loader.dataset, folder)
        evaluators = config.get(f'{part}_evaluator') or []
        for metric in evaluators if isinstance(evaluators, Sequence) else [evaluators]:
            if 'ann_file' in metric:
                metric['ann_file'] = loader.dataset.data_root + loader.dataset.ann_file
    return config


def types_of(value: Any) -> set[str]:
    """Every registered name in a config.

    Args:
        value: A config, or a part of one.

    Returns:
        set[str]: Values of its keys ``type``, at any depth, and of ``constructor``.
    """
    return {str(part[key]) for part in walk_dicts(value) for key in ('type', 'constructor') if key in part}


# -- images ------------------------------------------------------------------------------------------------------------


def small_size(size: Sequence[int]) -> tuple[int, int]:
    """Width and height of a smaller input of about the same shape.

    Args:
        size: Width and height in pixels.

    Returns:
        tuple[int, int]: Multiples of the same power of two, 64 at most, as the old ones.
    """
    factor = min(1.0, SHORT_SIDE / min(size))
    steps = [min(64, side & -side) for side in size]
    return tuple(min(side, math.ceil(side * factor / step) * step) for side, step in zip(size, steps, strict=True))


def _shrink_images(config: Config) -> None:
    """Inputs, and maps at the same stride, wherever their sizes are given."""
    for part in walk_dicts(config):
        if 'input_size' not in part:
            continue
        old = part['input_size']
        part['input_size'] = small_size(old)
        if 'heatmap_size' in part:
            sizes = zip(part['heatmap_size'], part['input_size'], old, strict=True)
            part['heatmap_size'] = tuple(cells * new // before for cells, new, before in sizes)


# -- models ------------------------------------------------------------------------------------------------------------


def _shrink_model(model: MutableMapping[str, Any], input_size: Sequence[int], folder: Path) -> None:
    necks = _necks(model)
    for part in (model['backbone'], *necks, model['head'], *(model.get('discriminators') or {}).values()):
        if part is not None:
            _narrow(part)
    for part in (model['backbone'], model['head']):
        if 'num_stacks' in part:
            part['num_stacks'] = min(part['num_stacks'], _STACKS)
    _replace_pretrained(model['backbone'], folder)
    _follow_channels(model, necks, input_size)


def _necks(model: Mapping[str, Any]) -> list[MutableMapping[str, Any]]:
    neck = model.get('neck')
    return list((neck or {}).get('necks', [neck] if neck else []))


def _narrow(part: MutableMapping[str, Any]) -> None:
    """Widths that a part chooses by itself."""
    # a discriminator's may follow from its name; both have the same widths
    kind = part.get('type', 'PoseDiscriminator')
    part.update(_WIDTHS.get(kind, {}))
    if kind == 'HRNet':
        for stage in part['extra'].values():
            stage['num_channels'] = tuple(channels // 8 for channels in stage['num_channels'])
    elif kind == 'HourglassNet':
        first, *others = part.get('stage_channels', _default(kind, 'stage_channels'))
        # mmpose fixes the first
        part['stage_channels'] = (first, *(16 for _ in others))
    elif 'MessagePassing' in kind:
        before = part.get('part_channels', _default(kind, 'part_channels') or 128)
        part['part_channels'] = _PART_CHANNELS
        for layer in part.get('transform') or ():
            if 'channels' in layer:
                layer['channels'] = max(1, layer['channels'] * _PART_CHANNELS // before)
    elif kind.endswith('Discriminator'):
        _narrow_discriminator(part)
    elif deconvolutions := part.get('deconv_out_channels', _default(kind, 'deconv_out_channels')):
        part['deconv_out_channels'] = (8,) * len(deconvolutions)


def _narrow_discriminator(part: MutableMapping[str, Any]) -> None:
    """As narrow as its groups allow: the 32 of the default need 32 channels inside of residuals of 64."""
    part['channels'] = 8 if 'norm_cfg' in part else 64
    if 'num_groups' in (part.get('norm_cfg') or {}):
        part['norm_cfg'] = dict(part['norm_cfg'], num_groups=2)


def _default(kind: str, key: str) -> Any:
    """Default of a registered class for a key; None if it has none."""
    parameter = inspect.signature(MODELS.get(kind)).parameters.get(key)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def _replace_pretrained(backbone: MutableMapping[str, Any], folder: Path) -> None:
    """Random weights in a file of their own: the published ones are of another width, and on the net."""
    init = backbone.get('init_cfg')
    if not isinstance(init, Mapping) or init['type'] != 'Pretrained':
        return
    file = folder / f'{backbone["type"]}-{backbone.get("depth", "")}.pth'
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(MODELS.build(dict(backbone, init_cfg=None)).state_dict(), file)
    init['checkpoint'] = str(file)


def _follow_channels(
    model: Mapping[str, Any], necks: Sequence[MutableMapping[str, Any]], input_size: Sequence[int]
) -> None:
    """Let each part read as many channels as the one before it gives, which a run without numbers tells."""
    width, height = input_size
    head = model['head']
    with torch.no_grad(), torch.device('meta'):
        feats = _run(dict(model['backbone'], init_cfg=None), torch.zeros(1, 3, height, width))
        for neck in necks:
            if isinstance(neck.get('in_channels'), int):
                neck['in_channels'] = _read(feats, neck.get('in_index', -1)).shape[1]
            elif 'in_channels' in neck:
                neck['in_channels'] = [maps.shape[1] for maps in feats]
            feats = _run(neck, feats)
    if head.get('shared_channels'):
        head['shared_channels'] = feats[-1].shape[1]
        feats = feats[0]
    head['in_channels'] = _read(feats, -1).shape[1]


def _run(config: Mapping[str, Any], x: Any) -> Any:
    part = MODELS.build(config)
    part.eval()  # of some backbones of mmpose it gives nothing back
    return part(x)


def _read(feats: Any, way: int | Sequence[int]) -> Tensor:
    """The map that a part reads, in lists in lists; branches of a stack have the same channels."""
    for i in (way,) if isinstance(way, int) else way:
        feats = feats if isinstance(feats, Tensor) else feats[i]
    return feats if isinstance(feats, Tensor) else _read(feats, -1)
