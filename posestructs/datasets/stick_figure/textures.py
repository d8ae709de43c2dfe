"""The bank of textures that backgrounds, clothes and film grain are cut from; made once a process, always the same.

Integer arithmetic only, so the bank does not depend on the machine. Textures are SIDE x SIDE and wrap around.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from posestructs.datasets.stick_figure.exact import rotation
from posestructs.datasets.stick_figure.sketch import PATTERN_BIT

SIDE = 512
_SEED = 20170401  # of the bank; changing it changes every picture
_GRAIN = 12  # strongest film grain, in grey levels


@lru_cache(maxsize=1)
def surfaces() -> tuple[np.ndarray, ...]:
    """Walls, floors, wood, foliage, cloud: grey levels, uint8 (SIDE, SIDE) each."""
    bits = _bits(0)
    fine, cloud = _fractal(bits, 32, 32, 3), _fractal(bits, 4, 4, 5)
    blend = [
        cloud,
        _fractal(bits, 8, 8, 5),
        _fractal(bits, 16, 16, 4),
        _fractal(bits, 2, 64, 3),  # streaks: curtains, bark
        _fractal(bits, 64, 2, 3),  # streaks: water, wood
        _levels(_fractal(bits, 8, 8, 4), 5),  # camouflage
        _levels(_fractal(bits, 24, 24, 2), 3),  # foliage
        _mixed(_bricks(bits, 32, 64, 3), fine, 3),
        _mixed(_bricks(bits, 64, 32, 2), fine, 3),
        _mixed(_bricks(bits, 128, 16, 2), _fractal(bits, 2, 64, 3), 2),  # boards
        _mixed(_bricks(bits, 64, 64, 4), cloud, 3),  # tiles
        _mixed(_waves(0, 64), cloud, 2),
        _mixed(_waves(45, 40), fine, 2),
        _mixed(np.full((SIDE, SIDE), 128, np.uint8), fine, 6),  # plaster
        _mixed(np.full((SIDE, SIDE), 128, np.uint8), cloud, 3),
    ]
    return tuple(_frozen(texture) for texture in blend)


@lru_cache(maxsize=1)
def patterns() -> tuple[np.ndarray, ...]:
    """Patterns of cloth: stripes in eight directions and two widths, checks, dots; 0 or PATTERN_BIT."""
    made = [_stripes(angle, period) for period in (16, 26) for angle in range(0, 180, 22)]
    made.append(_stripes(0, 24) ^ _stripes(90, 24))
    made.append(_stripes(45, 20) ^ _stripes(135, 20))
    made.append(_dots(22, 6))
    made.append(_stripes(0, 20) | _stripes(90, 20))
    return tuple(_frozen(pattern) for pattern in made)


@lru_cache(maxsize=1)
def grain() -> np.ndarray:
    """Film grain to add, uint8 (SIDE, SIDE, 3)."""
    raw = _bytes(_bits(1), SIDE * SIDE * 3).reshape(SIDE, SIDE, 3)
    return _frozen((raw.astype(np.uint16) * (_GRAIN + 1) >> 8).astype(np.uint8))


def _bits(purpose: int) -> np.random.PCG64:
    return np.random.PCG64(np.random.SeedSequence([_SEED, purpose]))


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _bytes(bits: np.random.PCG64, count: int) -> np.ndarray:
    raw = bits.random_raw((count + 7) // 8)
    return raw.astype('<u8').view(np.uint8)[:count]


def _noise(bits: np.random.PCG64, rows: int, columns: int) -> np.ndarray:
    """Smooth noise with rows x columns cells, int64 0..255."""
    values = _bytes(bits, rows * columns).reshape(rows, columns).astype(np.int64)
    for axis, cells in ((0, rows), (1, columns)):
        step = SIDE // cells
        cell, part = np.divmod(np.arange(cells * step), step)
        share = part * 256 // step
        share = share * share * (768 - 2 * share) >> 16  # smooth at both ends of a cell
        low, high = np.take(values, cell, axis), np.take(values, (cell + 1) % cells, axis)
        share = share[:, None] if axis == 0 else share[None, :]
        values = low * (256 - share) + high * share >> 8
        if cells * step < SIDE:
            values = np.take(values, np.arange(SIDE) % (cells * step), axis)
    return values


def _fractal(bits: np.random.PCG64, rows: int, columns: int, octaves: int) -> np.ndarray:
    total = np.zeros((SIDE, SIDE), np.int64)
    for octave in range(octaves):
        side = 1 << octave
        total += _noise(bits, min(rows * side, SIDE), min(columns * side, SIDE)) << octaves - octave
    total -= total.min()
    return (total * 255 // total.max()).astype(np.uint8)


def _levels(texture: np.ndarray, count: int) -> np.ndarray:
    return (texture.astype(np.int64) * count // 256 * 255 // (count - 1)).astype(np.uint8)


def _mixed(texture: np.ndarray, other: np.ndarray, share: int) -> np.ndarray:
    """A texture with 1/share of another mixed in."""
    return ((texture.astype(np.int64) * (share - 1) + other) // share).astype(np.uint8)


def _bricks(bits: np.random.PCG64, height: int, width: int, joint: int) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    row = y // height
    x = (x + row % 2 * (width // 2)) % SIDE
    tones = _bytes(bits, (SIDE // height) * (SIDE // width)).reshape(SIDE // height, -1) // 2 + 110
    wall = tones[row, x // width]
    wall[(y % height < joint) | (x % width < joint)] = 20
    return wall.astype(np.uint8)


def _phase(angle: float, period: int) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    cos, sin = rotation(angle)
    along = x * round(cos * 1024) + y * round(sin * 1024)
    return (along >> 2) % (period * 256)


def _stripes(angle: float, period: int) -> np.ndarray:
    return np.where(_phase(angle, period) < period * 128, PATTERN_BIT, 0).astype(np.uint8)


def _waves(angle: float, period: int) -> np.ndarray:
    phase = _phase(angle, period) // period  # 0..255
    return np.minimum(2 * np.abs(phase - 128), 255).astype(np.uint8)


def _dots(period: int, radius: int) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    y, x = y % period - period // 2, x % period - period // 2
    return np.where(x * x + y * y < radius * radius, PATTERN_BIT, 0).astype(np.uint8)
