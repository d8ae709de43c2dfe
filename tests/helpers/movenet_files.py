"""Files of a MoveNet with given or random weights, as the published ones are stored."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from mmpose.registry import MODELS
from torch import nn

from tools.model_converters import movenet_to_mmpose as converter

_CENTER_WEIGHTS = 'ConstantFolding/StatefulPartitionedCall/truediv_2_recip'
_OUTPUTS = dict(kpt_heatmap_0=17, kpt_regress_0=34, center_0=1, kpt_offset_0=34)


def write_model(model: Path, network: nn.Module, stored: str = 'float16', drop: Collection[str] = ()) -> Path:
    """Write a network as TensorFlow.js does: a description, and beside it the weights one after the other.

    MoveNet's own output layers, which a backbone does not have, are random.

    Args:
        model: The description, ``*.json``.
        network: MoveNetBackbone with all levels.
        stored: Type of the values in the file.
        drop: Our names of weights that are left out.
    """
    state = {name: value.numpy() for name, value in (network.state_dict() | _output_layers()).items()}
    specs, blob = [], b''
    for ours, theirs in converter._names():
        if ours in drop:
            continue
        value = state[ours]
        if value.ndim == 4:  # depthwise: (kh, kw, C, 1)
            depthwise = value.shape[1] == 1 and value.shape[2] == 3
            value = value.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
        spec = dict(name=theirs, shape=list(value.shape), dtype='float32')
        if stored != 'float32':
            spec['quantization'] = dict(dtype=stored, original_dtype='float32')
        if stored == 'uint8':
            low, step = float(value.min()), float(np.ptp(value)) / 255 or 1.0
            spec['quantization'] |= dict(scale=step, min=low)
            value = np.round((value - low) / step)
        specs.append(spec)
        blob += np.ascontiguousarray(value).astype(np.dtype(stored).newbyteorder('<')).tobytes()
    side = dict(lightning=192, thunder=256)[network.arch] // 4
    specs.append(dict(name=_CENTER_WEIGHTS, shape=[side, side, 1], dtype='float32'))
    blob += np.ones((side, side), '<f4').tobytes()
    model.parent.mkdir(parents=True, exist_ok=True)
    model.with_suffix('.bin').write_bytes(blob)
    groups = [dict(paths=[model.with_suffix('.bin').name], weights=specs)]
    model.write_text(json.dumps(dict(format='graph-model', modelTopology={}, weightsManifest=groups)))
    return model


def _output_layers() -> dict[str, torch.Tensor]:
    found = {}
    for name, channels in _OUTPUTS.items():
        layers = {'1': nn.Conv2d(96, channels, 1)}
        if name != 'kpt_heatmap_0':
            layers |= {'0.0': nn.Conv2d(24, 24, 3, groups=24, bias=False), '0.1': nn.Conv2d(24, 96, 1)}
        for place, layer in layers.items():
            found |= {f'movenet_head.{name}.{place}.{key}': value for key, value in layer.state_dict().items()}
    return found


def write_movenets(folder: Path) -> Path:
    """Write Lightning and Thunder with random weights to a folder, under their published names."""
    torch.manual_seed(0)
    for arch in ('lightning', 'thunder'):
        network = MODELS.build(dict(type='MoveNetBackbone', arch=arch, out_indices=(0, 1, 2, 3)))
        write_model(folder / f'movenet-{arch}.json', network)
    return folder
