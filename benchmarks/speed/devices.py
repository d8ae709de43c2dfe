"""Availability, synchronization and memory of a device."""

from __future__ import annotations

import resource

import torch

from posestructs.utils.usage import UsageError


def check_device(name: str) -> None:
    """Raise a :exc:`UsageError` if the device does not exist."""
    allowed = ['cpu']
    if torch.cuda.is_available():
        allowed += ['cuda', *(f'cuda:{i}' for i in range(torch.cuda.device_count()))]
    if name not in allowed:
        raise UsageError(f'--device {name}, allowed: {", ".join(allowed)}')


def is_gpu(name: str) -> bool:
    """Whether a device, such as ``cuda:1``, is a GPU."""
    return torch.device(name).type == 'cuda'


def wait_for(name: str) -> None:
    """Wait until a device is done."""
    if is_gpu(name):
        torch.cuda.synchronize(name)


def peak_mib(name: str) -> int:
    """Peak memory in MiB of a GPU, or of this process."""
    if is_gpu(name):
        return round(torch.cuda.max_memory_allocated(name) / 2**20)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)  # Linux counts in KiB
