"""How busy the GPU is while a run trains, as ``nvidia-smi`` says once a second."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from typing import Any

QUERY = ('--query-gpu=utilization.gpu,memory.used', '--format=csv,noheader,nounits', '--loop=1')


class GpuLoad:
    """Sample the first GPU within a ``with`` block; without ``nvidia-smi`` nothing is sampled.

    Args:
        program: What is asked.
    """

    def __init__(self, program: str = 'nvidia-smi') -> None:
        self._program = shutil.which(program)
        self._process: subprocess.Popen | None = None
        self._output: Any = None

    def __enter__(self) -> GpuLoad:
        """Begin."""
        if self._program is not None:
            self._output = tempfile.TemporaryFile('w+')
            command = [self._program, '--id=0', *QUERY]
            self._process = subprocess.Popen(command, stdout=self._output, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *error: object) -> None:
        """End."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def summary(self) -> dict[str, float]:
        """What was seen.

        Returns:
            dict[str, float]: ``gpu_utilisation``, mean percentage of the time, and ``gpu_memory_mib``, the most; empty
            where nothing was.
        """
        if self._output is None:
            return {}
        self._output.seek(0)
        return summarise(self._output.read())


def summarise(text: str) -> dict[str, float]:
    """Sum up lines of ``nvidia-smi``.

    Args:
        text: ``utilisation, memory`` a line; a line that is cut off is passed over.

    Returns:
        dict[str, float]: See :meth:`GpuLoad.summary`.
    """
    samples = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(',')]
        if len(parts) == 2 and all(part.isdecimal() for part in parts):
            samples.append([int(part) for part in parts])
    if not samples:
        return {}
    busy, memory = zip(*samples, strict=True)
    return dict(gpu_utilisation=round(sum(busy) / len(busy), 1), gpu_memory_mib=max(memory))
