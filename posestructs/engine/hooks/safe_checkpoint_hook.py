"""Checkpoints that hold plain tensors and numbers only.

mmengine pickles its log history as ``HistoryBuffer`` objects and its data-set meta information as numpy arrays. torch
2.6 and later refuse to load either (``weights_only=True``), so a run could not be resumed. This hook stores the same
content as tensors and restores it on loading.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner
from mmpose.registry import HOOKS

_PLAIN = (str, int, float, bool, bytes, type(None), torch.Tensor, torch.dtype, torch.device, torch.Size)
_BUFFER = 'posestructs.HistoryBuffer'
_ARRAY = 'posestructs.ndarray'


@HOOKS.register_module()
class SafeCheckpointHook(Hook):
    """Write checkpoints that resume under ``weights_only=True``, and read them back unchanged.

    It runs last of all hooks, after those that add to a checkpoint. What it cannot turn into plain values is left as
    it is, with one warning that names it: such a file still resumes where the user opts in
    (``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1``).
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Replace what torch would refuse to load.

        Args:
            runner: The runner that saves.
            checkpoint: What will be written; changed in place.
        """
        odd: list[str] = []
        for key in [k for k in checkpoint if k != 'state_dict']:
            checkpoint[key] = to_plain(checkpoint[key], key, odd, bare=key == 'meta')
        new = [where for where in odd if where not in self._warned]
        self._warned.update(new)
        if new:
            runner.logger.warning(
                f'the checkpoint holds objects that torch loads only with TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1: '
                f'{", ".join(new)}'
            )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore what :meth:`before_save_checkpoint` replaced.

        Args:
            runner: The runner that loads.
            checkpoint: What was read; changed in place.
        """
        for key in [k for k in checkpoint if k != 'state_dict']:
            checkpoint[key] = from_plain(checkpoint[key], bare=key == 'meta')


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
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        plain = _array_to_plain(value)
        return plain if bare and isinstance(plain, torch.Tensor) else {_ARRAY: plain}
    if isinstance(value, HistoryBuffer):
        logs, counts = value.data
        return {_BUFFER: [_array_to_plain(logs), _array_to_plain(counts), value.max_length]}
    if isinstance(value, (dict, list, tuple, set)):
        return _map(value, where, lambda v, w: to_plain(v, w, odd, bare))
    if not isinstance(value, _PLAIN):
        odd.append(f'{where} ({type(value).__name__})')
    return value


def from_plain(value: Any, bare: bool = False) -> Any:
    """Undo :func:`to_plain`.

    Args:
        value: What was loaded.
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


def _array_to_plain(array: np.ndarray) -> Any:
    # tensors have no strings or objects
    return torch.from_numpy(array.copy()) if array.dtype.kind in 'biuf' else [array.tolist(), array.dtype.str]


def _array_from_plain(value: Any) -> np.ndarray:
    return value.cpu().numpy() if isinstance(value, torch.Tensor) else np.array(value[0], dtype=value[1])


def _map(container: Any, where: str, change: Callable[[Any, str], Any]) -> Any:
    """Apply ``change(value, path)`` to the values of a container; the copy is of a plain container type."""
    if isinstance(container, dict):
        items = ((k, change(v, f'{where}.{k}')) for k, v in container.items())
        return OrderedDict(items) if isinstance(container, OrderedDict) else dict(items)
    values = [change(v, f'{where}[{i}]') for i, v in enumerate(container)]
    if hasattr(container, '_fields'):  # a named tuple loses its names, as torch could not load its class
        return tuple(values)
    return type(container)(values) if type(container) in (list, tuple, set) else list(values)
