"""Stand-ins for the objects that mmengine and numpy pickle into checkpoints.

torch's weights-only unpickler knows none of them. Allowing the originals would hand untrusted state to code that was
not written for it, and ``HistoryBuffer`` needs ``builtins.getattr``. Each stand-in takes the place of one of these
names, accepts only well-formed plain data, and builds the original object from it afterwards.
"""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer

_KINDS = 'biufcSU'


class StandIn:
    """Base of the stand-ins that have to be replaced after loading."""

    def original(self) -> Any:
        """Build the object that was pickled.

        Returns:
            Any: The object.

        Raises:
            pickle.UnpicklingError: It is incomplete.
        """
        raise NotImplementedError


class DType:
    """Stand-in for ``numpy.dtype``: numbers, text and objects; no records and no dates."""

    def __init__(self, code: str = '', *flags: Any) -> None:
        try:
            self.value = np.dtype(code)
        except (TypeError, ValueError) as error:
            raise _malformed(f'dtype {code!r}') from error
        if self.value.kind not in _KINDS + 'O' or self.value.fields or self.value.subdtype:
            raise _malformed(f'dtype {code!r}')

    def __setstate__(self, state: tuple) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ('<', '>'):
            self.value = self.value.newbyteorder(state[1])


class Array(StandIn):
    """Stand-in for ``numpy.ndarray``."""

    value: np.ndarray | None = None
    items: list | None = None

    def __setstate__(self, state: tuple) -> None:
        try:
            _, shape, dtype, fortran, data = state
        except (TypeError, ValueError) as error:
            raise _malformed('array state') from error
        if not isinstance(dtype, DType) or not isinstance(shape, tuple):
            raise _malformed('array state')
        if any(type(size) is not int or size < 0 for size in shape):
            raise _malformed(f'array shape {shape}')
        order = 'F' if fortran else 'C'
        if dtype.value.kind == 'O':
            if not isinstance(data, list) or len(data) != math.prod(shape):
                raise _malformed('array of objects')
            self.items = data
            self.value = np.empty(shape, dtype=object, order=order)
        else:
            if not isinstance(data, bytes) or len(data) != math.prod(shape) * dtype.value.itemsize:
                raise _malformed(f'array of shape {shape}')
            self.value = np.frombuffer(data, dtype.value).reshape(shape, order=order).copy(order='K')

    def original(self) -> np.ndarray:
        """Build the array."""
        if self.value is None:
            raise _malformed('array without data')
        if self.items is not None:
            for cell, item in zip(np.ndindex(self.value.shape), self.items, strict=True):
                self.value[cell] = originals(item)
        return self.value


class History(StandIn):
    """Stand-in for mmengine's ``HistoryBuffer``."""

    state: dict | None = None

    def __setstate__(self, state: dict) -> None:
        self.state = state

    def original(self) -> HistoryBuffer:
        """Build the buffer."""
        state = self.state if isinstance(self.state, dict) else {}
        logs, counts, length = (state.get(key) for key in ('_log_history', '_count_history', 'max_length'))
        if not isinstance(logs, Array) or not isinstance(counts, Array) or not isinstance(length, int):
            raise _malformed('HistoryBuffer')
        return HistoryBuffer(logs.original(), counts.original(), length)


def reconstruct(kind: type, *_: Any) -> Array:
    """Stand in for numpy's function that starts an array."""
    if kind is not Array:
        raise _malformed('array class')
    return Array()


def scalar(dtype: DType, data: bytes) -> bool | int | float | complex | str | bytes:
    """Stand in for numpy's function that makes a scalar; returns the Python value."""
    if not isinstance(dtype, DType) or dtype.value.kind not in _KINDS or not isinstance(data, bytes):
        raise _malformed('numpy scalar')
    if len(data) != dtype.value.itemsize:
        raise _malformed('numpy scalar')
    return np.frombuffer(data, dtype.value)[0].item()


def no_bytes() -> bytes:
    """Stand in for ``bytes()``, as protocol 2 writes an empty string of bytes."""
    return b''


def nothing(*_: Any) -> None:
    """Stand in for ``getattr``, by which a ``HistoryBuffer`` names its own methods."""


def allowed_globals() -> list[tuple[Any, str]]:
    """List the stand-ins and the names they stand for.

    Returns:
        list[tuple[Any, str]]: What ``torch.serialization.safe_globals`` takes.
    """
    numpy_modules = ('numpy.core.multiarray', 'numpy._core.multiarray')  # numpy 1 and 2
    return [
        *((reconstruct, f'{module}._reconstruct') for module in numpy_modules),
        *((scalar, f'{module}.scalar') for module in numpy_modules),
        (Array, 'numpy.ndarray'),
        (DType, 'numpy.dtype'),
        (History, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (nothing, 'builtins.getattr'),
        (no_bytes, 'builtins.bytes'),
    ]


def originals(value: Any) -> Any:
    """Replace stand-ins by what they stand for.

    Args:
        value: Loaded content; its dicts and lists are changed in place.

    Returns:
        Any: The content.

    Raises:
        pickle.UnpicklingError: A stand-in is incomplete.
    """
    if isinstance(value, StandIn):
        return value.original()
    if isinstance(value, DType):
        return value.value
    if isinstance(value, (dict, OrderedDict)):
        for key, inner in value.items():
            value[key] = originals(inner)
    elif isinstance(value, list):
        value[:] = [originals(inner) for inner in value]
    elif type(value) is tuple:
        return tuple(originals(inner) for inner in value)
    return value


def _malformed(what: str) -> pickle.UnpicklingError:
    return pickle.UnpicklingError(f'malformed {what}')
