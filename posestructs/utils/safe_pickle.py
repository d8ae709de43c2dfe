"""Read pickle files of plain data without running code of theirs.

``pickle.load`` calls whatever function a file names. :func:`load_pickle` builds containers, numbers, strings, numpy
arrays, torch tensors and the data elements of mmengine and mmpose, and refuses everything else.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement, InstanceData, LabelData, PixelData
from mmpose.structures import MultilevelPixelData, PoseDataSample
from torch.storage import TypedStorage, UntypedStorage

_CLASSES = (
    OrderedDict,
    np.ndarray,
    np.dtype,
    torch.Size,
    torch.device,
    BaseDataElement,
    InstanceData,
    LabelData,
    PixelData,
    MultilevelPixelData,
    PoseDataSample,
)


def _storage(data: bytes) -> TypedStorage | UntypedStorage:
    """Storage of a tensor; torch's own function unpickles without limits."""
    return torch.load(io.BytesIO(data), map_location='cpu', weights_only=True)


def _allowed() -> dict[tuple[str, str], Any]:
    from torch import _utils

    names: dict[tuple[str, str], Any] = {(kind.__module__, kind.__name__): kind for kind in _CLASSES}
    for core in ('numpy.core', 'numpy._core'):  # numpy 1 and 2
        names[f'{core}.multiarray', '_reconstruct'] = np.ndarray.__reduce__(np.empty(0))[0]
        names[f'{core}.multiarray', 'scalar'] = np.float64(0).__reduce__()[0]
        names[f'{core}.numeric', '_frombuffer'] = np.ndarray.__reduce_ex__(np.empty(1), 5)[0]
    for kind in (set, frozenset, bytearray, complex):
        names |= {(module, kind.__name__): kind for module in ('builtins', '__builtin__')}
    names |= {('torch._utils', name): getattr(_utils, name) for name in ('_rebuild_tensor_v2', '_rebuild_tensor')}
    names['torch.storage', '_load_from_bytes'] = _storage
    names['_codecs', 'encode'] = _encode  # bytes of protocol 2
    return names


def _encode(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'it holds text of the encoding {encoding!r}')
    return text.encode('latin1')


class _Unpickler(pickle.Unpickler):
    allowed = _allowed()

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.allowed[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f'it holds {module}.{name}, which is not plain data') from None


def loads_pickle(data: bytes) -> Any:
    """Read plain data.

    Args:
        data: Content of a pickle file.

    Returns:
        Any: The data.

    Raises:
        ValueError: It is not a pickle, is truncated, or holds anything but plain data.
    """
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except Exception as error:  # a damaged pickle raises nearly anything
        raise ValueError(str(error) or type(error).__name__) from error


def load_pickle(path: str | Path) -> Any:
    """Read a pickle file of plain data.

    Args:
        path: The file.

    Returns:
        Any: The data.

    Raises:
        ValueError: As :func:`loads_pickle`; names the file.
    """
    try:
        return loads_pickle(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f'{path} was not loaded: {error}') from error
