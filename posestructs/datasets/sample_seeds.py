"""Random numbers of a sample, defined by seed, epoch and index.

Augmentation in mmpose draws from the global random states of the worker that happens to load a sample, so that a
resumed run, or one with another number of workers, augments differently. While :class:`SampleSeeds` is on, each sample
starts from states of its own, and the global states are as before afterwards.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

_OFF = -1


class SampleSeeds:
    """Seed and epoch in memory shared with data-loading workers; off until :meth:`set` is called."""

    def __init__(self) -> None:
        self._state = torch.tensor([0, _OFF]).share_memory_()  # seed, epoch

    @property
    def on(self) -> bool:
        """True once a seed has been set."""
        return int(self._state[1]) != _OFF

    def set(self, seed: int, epoch: int) -> None:
        """Define the random numbers of all samples of an epoch.

        Args:
            seed: Seed of the run, at least 0.
            epoch: Number of the epoch, from 0.
        """
        self._state[0], self._state[1] = seed, epoch

    def words(self, index: int) -> np.ndarray:
        """Mix seed, epoch and index.

        Args:
            index: Index of the sample.

        Returns:
            Four uint32, unrelated to those of any other seed, epoch or index.
        """
        seed, epoch = self._state.tolist()
        return np.random.SeedSequence([seed, epoch, index]).generate_state(4)

    @contextmanager
    def applied(self, index: int) -> Iterator[None]:
        """Seed Python, NumPy and torch (CPU) for one sample, and restore their states afterwards.

        Args:
            index: Index of the sample.
        """
        if not self.on:
            yield
            return
        states = random.getstate(), np.random.get_state(), torch.get_rng_state()
        words = self.words(index)
        np.random.seed(words)
        random.seed(int(words[0]))
        torch.default_generator.manual_seed(int(words[1]))
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])

    def __deepcopy__(self, memo: dict) -> SampleSeeds:
        other = SampleSeeds()
        other._state.copy_(self._state)
        return other

    def __setstate__(self, state: dict) -> None:
        # After a plain pickle the state is private memory; for a spawned worker's pickle this changes nothing.
        self._state = state['_state'].share_memory_()


class SeededSamples:
    """Mixin before a data set: samples follow :class:`SampleSeeds` once ``SampleSeedHook`` turns them on.

    Attributes:
        sample_seeds: Seed and epoch.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sample_seeds = SampleSeeds()
        super().__init__(*args, **kwargs)

    def __getitem__(self, idx: int) -> Any:
        """One sample after the pipeline, with random numbers of its own.

        Args:
            idx: Index of the sample.
        """
        with self.sample_seeds.applied(idx):
            return super().__getitem__(idx)
