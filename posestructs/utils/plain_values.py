"""Convert checkpoints to plain tensors and numbers, and back.

mmengine pickles its log history as ``HistoryBuffer`` objects and its data-set meta information as numpy arrays, and
torch 2.6 and later refuse to load either (``weights_only=True``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_SCALARS = (bool, int, float, str, bytes)
_AS_THEY_ARE = (type(None), torch.Tensor, torch.nn.Parameter, torch.dtype, torch.device, torch.Size, complex)
_TO_BASE = {int: int.__int__, float: float.__float__, str: str.__str__, bytes: bytes.__bytes__}
_BUFFER = 'posestructs.HistoryBuffer'
_ARRAY = 'posestructs.ndarray'


def make_plain(checkpoint: dict) -> list[str]:
    """Replace values that torch would refuse to load.

    Args:
        checkpoint: Checkpoint of mmengine before it is written; changed in place, but for ``state_dict``.

    Returns:
        list[str]: Paths (with types) of the values that no plain form exists for; they are kept as they are.
    """
    odd: list[str] = []
    for key in [k for k in checkpoint if k != 'state_dict']:
        checkpoint[key] = to_plain(checkpoint[key], key, odd, bare=key == 'meta')
    return odd


def restore(checkpoint: Any) -> Any:
    """Undo :func:`make_plain`; anything else passes unchanged.

    Args:
        checkpoint: Loaded content; changed in place where it is a checkpoint of mmengine.

    Returns:
        Any: The same object.
    """
    if isinstance(checkpoint, dict) and 'state_dict' in checkpoint:
        for key in [k for k in checkpoint if k != 'state_dict']:
            checkpoint[key] = from_plain(checkpoint[key], bare=key == 'meta')
    return checkpoint


def to_plain(value: Any, where: str = 'checkpoint', odd: list[str] | None = None, bare: bool = False) -> Any:
    """Replace numpy values and log histories by tensors and numbers.

    Args:
        value: Anything; containers are copied, tensors are not.
        where: Path of the value, for ``odd``.
        odd: Collects the paths (with types) of values that no plain form exists for.
        bare: Store an array as a tensor without a mark, so that mmpose's own tools read ``meta`` as it is.

    Returns:
        Any: The same content, of types that ``torch.load(weights_only=True)`` accepts.
    """
    odd = [] if odd is None else odd
    if type(value) in _SCALARS or type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        return _array_to_plain(value, where, odd, bare)
    if isinstance(value, HistoryBuffer):
        logs, counts = (_array_to_plain(v, where, odd, bare=True) for v in value.data)
        return {_BUFFER: [logs, counts, value.max_length]}
    if isinstance(value, (dict, list, tuple, set)):
        return _map(value, where, lambda v, w: to_plain(v, w, odd, bare))
    for base, convert in _TO_BASE.items():  # an enumeration's member or the like, whose class torch would refuse
        if isinstance(value, base) and not isinstance(value, np.generic):
            return value if type(value) is bool else convert(value)
    odd.append(f'{where} ({type(value).__name__})')
    return value


def from_plain(value: Any, bare: bool = False) -> Any:
    """Undo :func:`to_plain`.

    Args:
        value: Loaded content.
        bare: As it was stored with; tensors become arrays.

    Returns:
        Any: The content with its numpy arrays and log histories.
    """
    if bare and isinstance(value, torch.Tensor):
        return value.cpu().numpy()
    if isinstance(value, dict) and len(value) == 1:
        if _ARRAY in value:
            return _array_from_plain(value[_ARRAY])
        if _BUFFER in value:
            logs, counts, max_length = value[_BUFFER]
            return HistoryBuffer(_array_from_plain(logs), _array_from_plain(counts), max_length)
    if isinstance(value, (dict, list, tuple, set)):
        return _map(value, '', lambda v, _: from_plain(v, bare))
    return value


def _array_to_plain(array: np.ndarray, where: str, odd: list[str], bare: bool) -> Any:
    native = np.array(array, dtype=array.dtype.newbyteorder('='), order='C')
    try:
        tensor = torch.from_numpy(native)
    except TypeError:  # no tensor has this type: words, objects, dates, long floats
        if array.dtype.kind not in 'USO':
            odd.append(f'{where} ({array.dtype} array)')
            return array
        return {_ARRAY: [to_plain(array.tolist(), where, odd), array.dtype.str]}
    return tensor if bare else {_ARRAY: tensor}


def _array_from_plain(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    return value.cpu().numpy() if isinstance(value, torch.Tensor) else np.array(value[0], dtype=value[1])


def _map(container: Any, where: str, change: Callable[[Any, str], Any]) -> Any:
    """Apply ``change(value, path)`` to keys and values of a container; the copy is of a plain container type."""
    if isinstance(container, dict):
        items = [(change(k, f'key of {where}'), change(v, f'{where}.{k}')) for k, v in container.items()]
        if not isinstance(container, OrderedDict):
            return dict(items)
        copy = OrderedDict(items)
        if hasattr(container, '_metadata'):  # of a module's state dict
            copy._metadata = container._metadata
        return copy
    values = [change(v, f'{where}[{i}]') for i, v in enumerate(container)]
    # a named tuple, or another class of list, becomes the plain one: torch could not load its class
    base = next(kind for kind in (list, tuple, set) if isinstance(container, kind))
    return base(values)
