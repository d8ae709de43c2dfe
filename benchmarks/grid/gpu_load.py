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
            # the program appends wherever it is read meanwhile
            self._output = tempfile.TemporaryFile('a+')
            command = [self._program, '--id=0', *QUERY]
            self._process = subprocess.Popen(command, stdout=self._output, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *error: object) -> None:
        """End."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def samples(self) -> list[tuple[int, int]]:
        """What was seen so far.

        Returns:
            list[tuple[int, int]]: Percentage of the last second in which the GPU was busy, and MiB of memory in use; a
            pair a second, none where there is no GPU to ask.
        """
        if self._output is None:
            return []
        self._output.seek(0)
        return parse(self._output.read())


def parse(text: str) -> list[tuple[int, int]]:
    """Read lines of ``nvidia-smi``.

    Args:
        text: ``utilisation, memory`` a line; a line that is cut off is passed over.

    Returns:
        list[tuple[int, int]]: See :meth:`GpuLoad.samples`.
    """
    samples = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(',')]
        if len(parts) == 2 and all(part.isdecimal() for part in parts):
            samples.append((int(parts[0]), int(parts[1])))
    return samples
