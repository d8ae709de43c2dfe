"""Limbs in the background that look like the person's own: what a pose estimator must learn not to be taken in by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from posestructs.datasets.stick_figure.appearance import jitter
from posestructs.datasets.stick_figure.exact import RandomStream, rotation
from posestructs.datasets.stick_figure.limbs import KINDS, draw_part, limb_circles, limb_cover
from posestructs.datasets.stick_figure.parts import LOOKALIKE
from posestructs.datasets.stick_figure.pen import Pen
from posestructs.datasets.stick_figure.skeleton import SIDES, distance
from posestructs.datasets.stick_figure.sketch import Circle

_COLOUR_NOISE = 9.0  # grey levels by which its colours differ from the person's
_TRIES = 5
_SHORTEST_TORSO = 0.12  # statures: in the image the torso of a person seen end-on would vanish
_NEAREST, _FARTHEST = 0.45, 0.92  # torso lengths between the middles of the two limbs
_BEND = {'arm': 95.0, 'leg': 75.0}  # degrees at most between its two segments
# what a look-alike keeps away from
_LANDMARKS = ('waist', *(f'{side}_{name}' for side in SIDES for name in ('elbow', 'hand', 'knee', 'ankle')))

Spot = tuple[float, float]


class Lookalike(NamedTuple):
    """A limb in the background. Coordinates are canvas pixels."""

    owner: int  # its number in Scene.owners
    kind: str  # 'arm' or 'leg'
    twin: str  # side of the person's limb that it resembles
    circles: tuple[Circle, ...]  # the flesh at shoulder, elbow, wrist and hand, or hip, knee, ankle and toe

    @property
    def middle(self) -> Spot:
        """Mean of its three joints."""
        return middle_of(self.circles)


def middle_of(limb: Sequence[Circle]) -> Spot:
    """Mean of the three joints of a limb, given the circles of its flesh."""
    (ax, ay, _), (bx, by, _), (cx, cy, _) = limb[:3]
    return (ax + bx + cx) / 3.0, (ay + by + cy) / 3.0


def torso_length(pen: Pen) -> float:
    """Distance from left shoulder to right hip in the image, at least 0.12 statures: the reference of TorsoPCK."""
    (ax, ay, _), (bx, by, _) = (pen.seen[name] for name in ('left_shoulder', 'right_hip'))
    seen = math.sqrt((ax - bx) * (ax - bx) + (ay - by) * (ay - by))
    return max(seen, _SHORTEST_TORSO * pen.view.pixels)


def draw_lookalikes(rng: RandomStream, pen: Pen, size: tuple[int, int]) -> list[Lookalike]:
    """Add one to three limbs behind the person.

    Each is as long and as thick as one of the person's limbs and wears the same clothes, but has a pose of its own; its
    middle lies less than one torso length from its twin's.

    Args:
        rng (RandomStream): Source of the draws.
        pen (Pen): Draws the person afterwards.
        size (tuple): Width and height of the canvas.

    Returns:
        list[Lookalike]: What was drawn.
    """
    limbs = [(kind, side) for kind in KINDS for side in SIDES]
    drawn = []
    for number in range(1 + (1 if rng.chance(0.5) else 0) + (1 if rng.chance(0.25) else 0)):
        kind, side = limbs.pop(rng.integer(len(limbs)))
        circles = _place(rng, pen, kind, side, size)
        cover = limb_cover(pen.look, kind, lambda colour: jitter(rng, colour, _COLOUR_NOISE))
        for part in range(3):
            draw_part(pen, LOOKALIKE + number, part, circles, cover, circles[0])
        drawn.append(Lookalike(LOOKALIKE + number, kind, side, tuple(circles)))
    return drawn


def _place(rng: RandomStream, pen: Pen, kind: str, side: str, size: tuple[int, int]) -> list[Circle]:
    """Circles of a limb near a limb of the person, the best of a few places: in the image, off the person."""
    twin = limb_circles(pen, kind, side)
    limb = _limb_like(rng, pen, kind, twin)
    x, y = middle_of(twin)
    reach = torso_length(pen)
    middles = []
    for _ in range(_TRIES):
        (c, s), far = rotation(rng.uniform(0.0, 360.0)), rng.uniform(_NEAREST, _FARTHEST) * reach
        middles.append((x + far * c, y + far * s))
    places = np.array(middles)
    points = places[:, None, None] + np.array([circle[:2] for circle in limb[:3]])[:, None]  # (tries, 3, 1, 2)
    apart = points - np.array([pen.seen[name][:2] for name in _LANDMARKS])
    room = (apart[..., 0] * apart[..., 0] + apart[..., 1] * apart[..., 1]).min(axis=(1, 2))
    inside = ((places >= 0) & (places < np.array(size))).all(axis=1)
    x, y = middles[int(np.argmax(np.where(inside, room + 1.0, 0.0)))]
    return [(cx + x, cy + y, radius) for cx, cy, radius in limb]


def _limb_like(rng: RandomStream, pen: Pen, kind: str, twin: list[Circle]) -> list[Circle]:
    """A limb as long and thick as its twin in another pose, its middle at the origin."""
    names = KINDS[kind].points
    lengths = []
    for a, b in zip(names, names[1:], strict=False):
        length = distance(pen.points[f'left_{a}'], pen.points[f'left_{b}'])
        lengths.append(length * pen.view.pixels * rng.uniform(0.75, 1.0))
    angle = rng.uniform(0.0, 360.0)
    turn = rng.sign()
    bends = (0.0, turn * rng.uniform(0.0, _BEND[kind]), 0.0 if kind == 'arm' else turn * -rng.uniform(40.0, 90.0))
    x = y = 0.0
    circles = [(x, y, twin[0][2])]
    for length, bend, (_, _, radius) in zip(lengths, bends, twin[1:], strict=True):
        angle += bend
        c, s = rotation(angle)
        x, y = x + length * c, y + length * s
        circles.append((x, y, radius))
    cx, cy = middle_of(circles)
    return [(px - cx, py - cy, radius) for px, py, radius in circles]
