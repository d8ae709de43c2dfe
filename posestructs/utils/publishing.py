"""Make a checkpoint to publish: weights only, small, safe to load, with its origin."""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from posestructs.utils.discriminator_weights import PREFIX, strip_discriminators
from posestructs.utils.plain_values import to_plain

# also inside of words: behind a blank, a quote, a bracket or what separates paths. An address (https://...) is none.
_LOCAL_PATH = re.compile(r"""(?<![^\s"'`=(\[{<,;:|])(?:file://)?/[^\s"'`)\]}>,;:|/][^\s"'`)\]}>,;:|]*""")
NOT_FOR_MMAP = 'not_for_mmap'
KEPT_META = ('epoch', 'iter', 'seed', 'mmengine_version', 'dataset_meta')


def network_weights(checkpoint: Mapping[str, Any], keep: str | None = None) -> OrderedDict[str, Tensor]:
    """Weights without those of discriminators.

    Args:
        checkpoint: Checkpoint of a run; not changed.
        keep: Name of a discriminator to keep.

    Returns:
        OrderedDict[str, Tensor]: The weights, with torch's own notes on versions.

    Raises:
        ValueError: It holds no weights.
    """
    state = checkpoint.get('state_dict') if isinstance(checkpoint, Mapping) else None
    if not isinstance(state, Mapping) or not state:
        raise ValueError('it has no state_dict: not a checkpoint of mmengine')
    if keep is not None or any(name.startswith(PREFIX) for name in state):
        return strip_discriminators(checkpoint, keep)['state_dict']
    kept = OrderedDict(state)
    if hasattr(state, '_metadata'):
        kept._metadata = state._metadata
    return kept


def halved(state: Mapping[str, Tensor]) -> OrderedDict[str, Tensor]:
    """Store kernels in half the space; ``load_state_dict`` makes them float32 again.

    Vectors (biases, normalisation) stay: they are few, and a running variance can be too small for half precision.

    Args:
        state: Weights; not changed.

    Returns:
        OrderedDict[str, Tensor]: Floating-point weights of two and more dimensions in float16.

    Raises:
        ValueError: A weight is too large for float16.
    """
    out = OrderedDict()
    for name, value in state.items():
        smaller = value.half() if value.is_floating_point() and value.ndim > 1 else value
        if not torch.equal(smaller.isfinite(), value.isfinite()):
            raise ValueError(f'weight {name} reaches {value.abs().max().item():g}, float16 ends at 65504')
        out[name] = smaller
    if hasattr(state, '_metadata'):
        out._metadata = state._metadata
    return out


def local_paths(text: str) -> list[str]:
    """Find the absolute paths in a text.

    Args:
        text: Such as a command.

    Returns:
        list[str]: In their order. A lone ``/`` is none.
    """
    return _LOCAL_PATH.findall(text)


def without_local_paths(value: Any, root: Path) -> Any:
    """Make absolute paths relative, so that a published file does not reveal folders of its author.

    Args:
        value: Strings, also inside of containers; paths may stand between other words.
        root: Folder that they become relative to. A path that is neither in it nor beside it is cut to its name.

    Returns:
        Any: The same; containers are copied.
    """
    if isinstance(value, str):
        return _LOCAL_PATH.sub(lambda found: _shortened(found[0].removeprefix('file://'), root), value)
    if isinstance(value, Mapping):
        return {key: without_local_paths(inner, root) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(without_local_paths(inner, root) for inner in value)
    return value


def _shortened(path: str, root: Path) -> str:
    relative = os.path.relpath(path, root)
    if Path(relative).parts[:2] == (os.pardir, os.pardir):
        relative = Path(path).name
    return relative + ('/' if path.endswith('/') else '')


def release_checkpoint(
    state: Mapping[str, Tensor], meta: Mapping[str, Any], config_text: str, release: Mapping[str, Any]
) -> bytes:
    """The file's content.

    Args:
        state: Weights to ship.
        meta: ``meta`` of the run, of which :data:`KEPT_META` is kept.
        config_text: The whole config, from which mmengine builds the model where only the checkpoint is at hand.
        release: Description of the model; see ``tools/misc/publish_model.py``.

    Returns:
        bytes: A checkpoint that ``torch.load(weights_only=True)`` loads.

    Raises:
        ValueError: Something in ``meta`` or ``release`` has no plain form.
    """
    odd: list[str] = []
    kept = {key: meta[key] for key in KEPT_META if key in meta}
    kept = to_plain(kept | dict(cfg=config_text, release=dict(release)), 'meta', odd, bare=True)
    if odd:
        raise ValueError(f'no plain form exists for {", ".join(odd)}')
    return deflated(dict(meta=kept, state_dict=state))


def deflated(checkpoint: Mapping[str, Any]) -> bytes:
    """Save a checkpoint compressed without loss; ``torch.save`` stores weights uncompressed.

    Weights in half precision shrink by about 8 %. ``torch.load`` reads the file as any other, but with ``mmap=True`` it
    would take compressed bytes for weights without an error. Therefore :data:`NOT_FOR_MMAP` is saved beside the
    weights, zeros that need more bytes than the file has: mapping them fails.

    Args:
        checkpoint: The checkpoint.

    Returns:
        bytes: The file's content; the same checkpoint gives the same bytes.
    """
    buffer, out = io.BytesIO(), io.BytesIO()
    size = sum(value.nbytes for value in checkpoint['state_dict'].values())
    torch.save({**checkpoint, NOT_FOR_MMAP: torch.zeros(2 * size + 2**16, dtype=torch.uint8)}, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(out, 'w') as target:
        for member in source.infolist():
            target.writestr(zipfile.ZipInfo(member.filename), source.read(member), zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def hashed_name(path: Path, data: bytes) -> Path:
    """Append a file's hash to its name, as mmpose does, so that a damaged or replaced file can be detected.

    Args:
        path: Such as ``NAME.pth``.
        data: The file's content.

    Returns:
        Path: ``NAME-<first 8 digits of the SHA-256>.pth``.
    """
    return path.with_name(f'{path.stem}-{hashlib.sha256(data).hexdigest()[:8]}{path.suffix}')


def others_of_name(path: Path) -> list[Path]:
    """Files that :func:`hashed_name` made of the same name.

    Args:
        path: Without a hash.

    Returns:
        list[Path]: Sorted.
    """
    return sorted(path.parent.glob(f'{path.stem}-{"[0-9a-f]" * 8}{path.suffix}'))
