"""What a measurement has to know of the device that trains."""

from __future__ import annotations

import resource

import torch

from posestructs.utils.usage import UsageError


def check_device(name: str) -> None:
    """Refuse a device that this machine has not.

    Args:
        name: As the command line gives it.

    Raises:
        UsageError: It is neither the CPU nor a GPU that torch finds.
    """
    allowed = ['cpu']
    if torch.cuda.is_available():
        allowed += ['cuda', *(f'cuda:{i}' for i in range(torch.cuda.device_count()))]
    if name not in allowed:
        raise UsageError(f'--device {name}: this machine has {", ".join(allowed)}')


def is_gpu(name: str) -> bool:
    """Tell whether a device is a GPU.

    Args:
        name: 'cpu', 'cuda' or 'cuda:N'.

    Returns:
        bool: Whether it is one.
    """
    return torch.device(name).type == 'cuda'


def wait_for(name: str) -> None:
    """Wait until a device is done; a CPU always is.

    Args:
        name: 'cpu', 'cuda' or 'cuda:N'.
    """
    if is_gpu(name):
        torch.cuda.synchronize(name)


def peak_mib(name: str) -> int:
    """Tell how much memory this process needed at most.

    Args:
        name: 'cpu', 'cuda' or 'cuda:N'.

    Returns:
        int: MiB, of that GPU or of the process.
    """
    if is_gpu(name):
        return round(torch.cuda.max_memory_allocated(name) / 2**20)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)  # Linux counts in KiB
