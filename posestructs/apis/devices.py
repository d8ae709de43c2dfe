"""Devices that a model can run on here."""

from __future__ import annotations

import torch

from posestructs.utils.usage import UsageError

_GPUS = ('cuda', 'mps', 'npu', 'mlu', 'musa', 'xpu')


def check_device(device: str | torch.device | None) -> str | None:
    """Refuse a device that is not there.

    Args:
        device: 'cpu', 'cuda', 'cuda:1', ...; ``None`` leaves the choice to mmengine.

    Returns:
        str | None: The same.

    Raises:
        UsageError: It is no device, or this machine has not got it; names those that it has.
    """
    if device is None:
        return None
    allowed = ', '.join(['cpu', *(f'{kind}:{i}' for kind in _GPUS for i in range(_device_count(kind)))])
    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise UsageError(f'device {device!r} is no device of torch, allowed here: {allowed}') from error
    if wanted.type not in ('cpu', *_GPUS):
        raise UsageError(f'device {device!r} is none that a model can run on, allowed here: {allowed}')
    if wanted.type != 'cpu' and (wanted.index or 0) >= _device_count(wanted.type):
        raise UsageError(f'device {device!r}: torch finds no such GPU, allowed here: {allowed}')
    return str(wanted)


def _device_count(kind: str) -> int:
    if kind == 'mps':
        return int(torch.backends.mps.is_available())
    module = getattr(torch, kind, None)  # of npu, mlu and musa there once their package is imported
    return module.device_count() if module is not None and module.is_available() else 0
