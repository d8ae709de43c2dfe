"""Load checkpoints without running code that they hold."""

from __future__ import annotations

import os
import pickle
import re
import threading
from pathlib import Path
from typing import IO, Any

import torch

from posestructs.utils.pickled_objects import allowed_globals, originals
from posestructs.utils.usage import UsageError

OPT_IN = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'

# of torch's weights-only unpickler, where a name or an operation is not allowed
_REFUSALS = (
    'Unsupported global',
    'Unsupported class',
    'is blocked',
    'Trying to call reduce',
    'Can only create new object',
    'Can only build',
    'Only persistent_load',
    'malformed ',
)
_lock = threading.Lock()  # torch keeps the allowed names in one global list


class UnsafeCheckpointError(UsageError, pickle.UnpicklingError):
    """A checkpoint that would run code, and was not loaded."""


def load_safely(
    file: str | Path | IO[bytes], map_location: Any = 'cpu', mmap: bool = False, opt_in: bool = True
) -> Any:
    """Load tensors and plain values; numpy arrays and mmengine's log histories are rebuilt from their data.

    Args:
        file: A checkpoint file, or its open content.
        map_location: As in ``torch.load``.
        mmap: Leave tensors on disk until they are used.
        opt_in: Whether the environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 may switch the protection off.

    Returns:
        Any: The content.

    Raises:
        UnsafeCheckpointError: It would run code. Other errors are those of ``torch.load`` for unreadable files.
    """
    if opt_in and opted_in():
        return torch.load(file, map_location=map_location, weights_only=False, mmap=mmap)
    try:
        with _lock, torch.serialization.safe_globals(allowed_globals()):
            content = torch.load(file, map_location=map_location, weights_only=True, mmap=mmap)
        return originals(content)
    except pickle.UnpicklingError as error:
        if not _refused(error) and not _is_pickle(file):
            raise
        raise UnsafeCheckpointError(_refusal(error, opt_in)) from error


def opted_in() -> bool:
    """Check whether the user allows checkpoints to run code.

    Returns:
        bool: Whether TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is set, as torch reads it.
    """
    return os.environ.get(OPT_IN, '0').lower() in ('1', 'y', 'yes', 'true')


def _refused(error: pickle.UnpicklingError) -> bool:
    return any(phrase in str(error) for phrase in _REFUSALS)


def _is_pickle(file: str | Path | IO[bytes]) -> bool:
    """Distinguish a pickle of a protocol that torch does not read from a file that is not a checkpoint."""
    if not isinstance(file, (str, Path)):
        return False
    with open(file, 'rb') as opened:
        head = opened.read(2)
    return len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def _refusal(error: pickle.UnpicklingError, opt_in: bool) -> str:
    found = re.search(r'(?:GLOBAL|global|class) ([\w.]+\.[\w.]+|__?\w+__?\.\w+)', str(error))
    name = f' ({found[1]})' if found else ''
    advice = (
        f'if you trust its source, {OPT_IN}=1 loads it and runs that code'
        if opt_in
        else f'if you trust its source, download it and load the file with {OPT_IN}=1, which runs that code'
    )
    return f'it holds Python objects that can run code{name} and was not loaded; {advice}'
