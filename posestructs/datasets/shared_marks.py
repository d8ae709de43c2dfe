"""Counters per sample in memory shared by the data-loading workers of a process."""

from __future__ import annotations

import torch


class SharedMarks:
    """One number from 0 to 255 per sample, in memory shared by forked and spawned workers.

    A copy (``copy.deepcopy``, ``pickle`` to a file) has numbers of its own; a data loader's worker has the same ones.

    Args:
        length: Number of samples.
    """

    def __init__(self, length: int) -> None:
        self._marks = torch.zeros(length, dtype=torch.uint8).share_memory_()

    def put(self, index: int, value: int = 1) -> bool:
        """Mark a sample.

        Args:
            index: The sample.
            value: The mark, 1 to 255.

        Returns:
            bool: True if it was not marked before.
        """
        first = int(self._marks[index]) == 0
        self._marks[index] = value
        return first

    def total(self) -> int:
        """Sum of all marks."""
        return int(self._marks.sum(dtype=torch.int64))

    def __deepcopy__(self, memo: dict) -> SharedMarks:
        other = SharedMarks(len(self._marks))
        other._marks.copy_(self._marks)
        return other

    def __setstate__(self, state: dict) -> None:
        # After a plain pickle the numbers are private memory; for a spawned worker's pickle this changes nothing.
        self._marks = state['_marks'].share_memory_()
