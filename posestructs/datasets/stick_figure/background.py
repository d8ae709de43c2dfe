"""Backgrounds of synthetic figures: a bank of textures, walls and floors cut from it, and clutter in front of them.

The bank is made once per process and is always the same: integer arithmetic only, so that it does not depend on the
machine. Textures are SIDE x SIDE and wrap around; clothes and film grain are cut from them too.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from posestructs.datasets.stick_figure.appearance import CLOTHS, SKINS, jitter
from posestructs.datasets.stick_figure.exact import RandomStream, rotation
from posestructs.datasets.stick_figure.pen import Pen
from posestructs.datasets.stick_figure.skeleton import SIDES
from posestructs.datasets.stick_figure.sketch import CLUTTER, PATTERN_BIT, Colour, Sketch

SIDE = 512
_SEED = 20170401  # of the bank; changing it changes every image
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


_NATURE: tuple[Colour, ...] = (
    (60, 110, 70), (50, 80, 50), (120, 150, 110), (200, 170, 130), (235, 215, 190), (90, 110, 130), (70, 90, 120),
    (150, 160, 170), (50, 50, 60), (190, 190, 190), (110, 140, 170), (170, 200, 215),
)  # fmt: skip
_STEPS = np.arange(128, dtype=np.int64)[:, None]


def cut(rng: RandomStream, texture: np.ndarray, size: tuple[int, int], texels: int, smooth: bool = True) -> np.ndarray:
    """A random piece of a texture, brought to a size.

    Args:
        rng: Source of the draws.
        texture: One of the bank, (SIDE, SIDE[, 3]).
        size: Width and height wanted.
        texels: Number of texture pixels along the longer side, SIDE at most.
        smooth: Interpolate where the piece must be enlarged.

    Returns:
        np.ndarray: The piece, (H, W[, 3]).
    """
    longer = max(size)
    width, height = (max(1, side * min(texels, SIDE) // longer) for side in size)
    x, y = rng.integer(SIDE - width + 1), rng.integer(SIDE - height + 1)
    piece = texture[y : y + height, x : x + width]
    if (width, height) == tuple(size):
        return piece
    if smooth:
        return cv2.resize(piece, size, interpolation=cv2.INTER_LINEAR_EXACT)  # the same bit by bit on every machine
    # OpenCV's nearest neighbours differ between versions where a factor is not an integer
    rows, columns = (np.arange(new) * old // new for new, old in ((size[1], height), (size[0], width)))
    return np.ascontiguousarray(piece[rows[:, None], columns])


def paint_background(rng: RandomStream, size: tuple[int, int]) -> np.ndarray:
    """A wall, often with a floor.

    Args:
        rng: Source of the draws.
        size: Width and height in pixels.

    Returns:
        np.ndarray: Blue, green, red, uint8 (H, W, 3).
    """
    width, height = size
    if rng.chance(0.35):
        return _surface(rng, size)
    horizon = int(height * rng.uniform(0.35, 0.85))
    wall = _surface(rng, (width, horizon))
    return np.concatenate([wall, _surface(rng, (width, height - horizon))])


def _surface(rng: RandomStream, size: tuple[int, int]) -> np.ndarray:
    texture, share = rng.pick(surfaces()), 0.5 if rng.chance(0.4) else 1.0
    grey = cut(rng, texture, size, int(max(size) * share))
    colours = _palette(rng)
    dark, middle, light = (np.array(jitter(rng, rng.pick(colours), 20)) for _ in range(3))
    if rng.chance(0.6):  # one colour in three tones; otherwise three colours
        dark, light = middle * 3 // 5, (middle * 3 + 2 * 235) // 5
    ramp = np.concatenate([dark * (127 - _STEPS) + middle * _STEPS, middle * (127 - _STEPS) + light * _STEPS]) // 127
    return cv2.applyColorMap(np.ascontiguousarray(grey), ramp.astype(np.uint8)[:, None])


def _palette(rng: RandomStream) -> tuple[Colour, ...]:
    choice = rng.unit()
    return _NATURE if choice < 0.55 else CLOTHS if choice < 0.85 else SKINS


def sketch_clutter(rng: RandomStream, sketch: Sketch, size: tuple[int, int]) -> None:
    """Add up to five poles, boxes and balls behind the person.

    Args:
        rng: Source of the draws.
        sketch: Receives the shapes, before the person.
        size: Width and height of the canvas.
    """
    unit = min(size)
    for _ in range(rng.integer(6)):
        colour = jitter(rng, rng.pick(_palette(rng)), 20)
        index = sketch.colour(CLUTTER, colour, jitter(rng, colour, 40) if rng.chance(0.4) else None)
        x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        kind = rng.integer(3)
        if kind == 0:  # a pole
            dx, dy, radius = rng.uniform(-0.15, 0.15), rng.uniform(0.2, 1.2), rng.uniform(0.01, 0.04) * unit
            if rng.chance(0.3):
                dx, dy = dy, dx
            dx, dy = dx * unit, dy * unit
            sketch.capsule(index, (x - dx, y - dy, radius), (x + dx, y + dy, radius))
        elif kind == 1:
            sketch.box(index, x, y, rng.uniform(0.04, 0.25) * unit, rng.uniform(0.04, 0.3) * unit)
        else:
            ball = (x, y, rng.uniform(0.03, 0.12) * unit)
            sketch.capsule(index, ball, ball)


def sketch_seat(rng: RandomStream, pen: Pen) -> None:
    """Add something to sit on, behind a person: a box from the hips down to the feet."""
    colour = jitter(rng, rng.pick(_palette(rng)), 20)
    hips = [pen.seen[f'{side}_hip'] for side in SIDES]
    feet = max(pen.seen[f'{side}_ankle'][1] for side in SIDES)
    x, y, scale = (0.5 * (a + b) for a, b in zip(*hips, strict=True))
    top, bottom = y + 0.03 * scale, max(feet, y + 0.1 * scale)
    half_width = rng.uniform(0.1, 0.2) * scale
    index = pen.sketch.colour(CLUTTER, colour)
    pen.sketch.box(index, x, 0.5 * (top + bottom), half_width, 0.5 * (bottom - top))
