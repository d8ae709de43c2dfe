"""Textured walls and floors behind a person, and things that stand before them."""

from __future__ import annotations

import cv2
import numpy as np

from posestructs.datasets.stick_figure import textures
from posestructs.datasets.stick_figure.appearance import CLOTHS, SKINS, jitter
from posestructs.datasets.stick_figure.exact import RandomStream
from posestructs.datasets.stick_figure.parts import CLUTTER
from posestructs.datasets.stick_figure.pen import Pen
from posestructs.datasets.stick_figure.skeleton import SIDES
from posestructs.datasets.stick_figure.sketch import Colour, Sketch

_NATURE: tuple[Colour, ...] = (
    (60, 110, 70), (50, 80, 50), (120, 150, 110), (200, 170, 130), (235, 215, 190), (90, 110, 130), (70, 90, 120),
    (150, 160, 170), (50, 50, 60), (190, 190, 190), (110, 140, 170), (170, 200, 215),
)  # fmt: skip
_STEPS = np.arange(128, dtype=np.int64)[:, None]


def cut(rng: RandomStream, texture: np.ndarray, size: tuple[int, int], texels: int, smooth: bool = True) -> np.ndarray:
    """A random piece of a texture, brought to a size.

    Args:
        rng (RandomStream): Source of the draws.
        texture (np.ndarray): One of the bank, (SIDE, SIDE[, 3]).
        size (tuple): Width and height wanted.
        texels (int): How many texture pixels span the longer side, SIDE at most.
        smooth (bool): Interpolate where the piece must be enlarged.

    Returns:
        np.ndarray: The piece, (H, W[, 3]).
    """
    longer = max(size)
    width, height = (max(1, side * min(texels, textures.SIDE) // longer) for side in size)
    x, y = rng.integer(textures.SIDE - width + 1), rng.integer(textures.SIDE - height + 1)
    piece = texture[y : y + height, x : x + width]
    if (width, height) == tuple(size):
        return piece
    if smooth:
        return cv2.resize(piece, size, interpolation=cv2.INTER_LINEAR_EXACT)  # the same bit by bit on every machine
    # OpenCV's nearest neighbours differ between versions where a factor is no integer
    rows, columns = (np.arange(new) * old // new for new, old in ((size[1], height), (size[0], width)))
    return np.ascontiguousarray(piece[rows[:, None], columns])


def paint_background(rng: RandomStream, size: tuple[int, int]) -> np.ndarray:
    """A wall, often with a floor.

    Args:
        rng (RandomStream): Source of the draws.
        size (tuple): Width and height in pixels.

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
    texture, share = rng.pick(textures.surfaces()), 0.5 if rng.chance(0.4) else 1.0
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
        rng (RandomStream): Source of the draws.
        sketch (Sketch): Receives the shapes, before the person.
        size (tuple): Width and height of the canvas.
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
