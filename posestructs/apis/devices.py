"""Check of the device that a model is to run on."""

from __future__ import annotations

import torch

from posestructs.utils.usage import UsageError

_GPUS = ('cuda', 'mps', 'npu', 'mlu', 'musa', 'xpu')


def check_device(device: str | torch.device | None) -> str | None:
    """Refuse a device that does not exist.

    Args:
        device: 'cpu', 'cuda', 'cuda:1', ...; ``None`` for mmengine's choice.

    Returns:
        The device.

    Raises:
        UsageError: It is not a device, or this machine does not have it; the message lists those that it has.
    """
    if device is None:
        return None
    allowed = ', '.join(['cpu', *(f'{kind}:{i}' for kind in _GPUS for i in range(_device_count(kind)))])
    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise UsageError(f'device {device!r} is not a torch device, allowed here: {allowed}') from error
    if wanted.type not in ('cpu', *_GPUS):
        raise UsageError(f'device {device!r} cannot run a model, allowed here: {allowed}')
    if wanted.type != 'cpu' and (wanted.index or 0) >= _device_count(wanted.type):
        raise UsageError(f'device {device!r}: torch finds no such GPU, allowed here: {allowed}')
    return str(wanted)


def _device_count(kind: str) -> int:
    if kind == 'mps':
        return int(torch.backends.mps.is_available())
    module = getattr(torch, kind, None)  # npu, mlu and musa exist once their package is imported
    return module.device_count() if module is not None and module.is_available() else 0
