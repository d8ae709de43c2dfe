"""Random numbers and angles that are the same on every machine.

An image must depend on (seed, index) and on nothing else, so everything that decides where something is drawn uses only
operations that IEEE 754 defines exactly (``+ - * /`` and square roots) on top of two sources:

- numpy guarantees the raw 64-bit stream of ``PCG64`` and of ``SeedSequence`` for ever, but not what ``Generator`` makes
  of it, so :class:`RandomStream` derives every draw from the raw bits itself;
- sines differ by a last bit between maths libraries and CPUs, so :func:`rotation` reads a table of 4096 steps a turn,
  rounded to 2**-20: no library is inexact enough to change an entry (a test shows the margin).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar('T')

STEPS = 4096  # of a full turn
GRAIN = 2.0**20
_PER_DEGREE = STEPS / 360.0
_SINES = [round(math.sin(2 * math.pi * step / STEPS) * GRAIN) / GRAIN for step in range(STEPS)]
_ROTATIONS = tuple((_SINES[(step + STEPS // 4) % STEPS], _SINES[step]) for step in range(STEPS))
_BLOCK = 128  # draws that a stream starts with; more than nearly every image takes from any of its streams


def rotation(degrees: float) -> tuple[float, float]:
    """Cosine and sine of an angle, rounded to the table's step of 360/4096 degrees."""
    return _ROTATIONS[round(degrees * _PER_DEGREE) % STEPS]


class RandomStream:
    """Deterministic draws for a key, identical on every platform and numpy version.

    Args:
        seed: 0 or more.
        key: Integers in 0 .. 2**32 - 1; different keys give independent streams.
        start: Draws to give out first. Default: none.
    """

    def __init__(self, seed: int, key: tuple[int, ...], start: Iterable[float] = ()) -> None:
        self._seed = seed
        self._key = key
        self._bits: np.random.PCG64 | None = None
        self._draws = iter(start)

    def unit(self) -> float:
        """A number in [0, 1) with 53 random bits."""
        for value in self._draws:
            return value
        if self._bits is None:
            self._bits = _bits(self._seed, self._key)
        self._draws = iter(_units(self._bits, _BLOCK))
        return next(self._draws)

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.unit()

    def integer(self, stop: int) -> int:
        """An integer in 0 .. stop - 1."""
        return int(self.unit() * stop)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.unit() < probability

    def sign(self) -> float:
        """1.0 or -1.0."""
        return 1.0 if self.unit() < 0.5 else -1.0

    def pick(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[int(self.unit() * len(items))]

    def weighted(self, items: Sequence[T], weights: Sequence[float]) -> T:
        """One of the items, likely in proportion to its weight."""
        left = self.unit() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            left -= weight
            if left < 0:
                return item
        return items[-1]


def image_streams(seed: int, index: int, count: int) -> list[RandomStream]:
    """Independent streams for the purposes of one image.

    However much one purpose draws, the draws of the others stay the same.

    Args:
        seed: 0 or more.
        index: Number of the image, 0 .. 2**32 - 1.
        count: Number of streams.

    Returns:
        list[RandomStream]: One for each purpose.
    """
    units = _units(_bits(seed, (index,)), count * _BLOCK)
    return [
        RandomStream(seed, (index, purpose + 1), units[purpose * _BLOCK : (purpose + 1) * _BLOCK])
        for purpose in range(count)
    ]


def _bits(seed: int, key: tuple[int, ...]) -> np.random.PCG64:
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key))


def _units(bits: np.random.PCG64, count: int) -> list[float]:
    return ((bits.random_raw(count) >> np.uint64(11)) * 2.0**-53).tolist()
