"""Distractors of an image: occluders in front of the figure, and look-alike limbs in the background."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from posestructs.datasets.stick_figure.appearance import CLOTHS, jitter, shade
from posestructs.datasets.stick_figure.exact import RandomStream, rotation
from posestructs.datasets.stick_figure.limbs import KINDS, draw_part, limb_circles, limb_cover
from posestructs.datasets.stick_figure.pen import Pen
from posestructs.datasets.stick_figure.skeleton import JOINTS, SIDES, distance
from posestructs.datasets.stick_figure.sketch import LOOKALIKE, OCCLUDER, Circle, Sketch

Place = tuple[float, float, float]  # x and y of a joint on the canvas, and canvas pixels per stature there


def draw_occluders(rng: RandomStream, sketch: Sketch, joints: list[Place], size: tuple[int, int]) -> int:
    """Add one or two occluders, each over one of the joints.

    Args:
        rng: Source of the draws.
        sketch: Receives the shapes, after the person.
        joints: Canvas x, y and pixels per stature of each of ``JOINTS``.
        size: Width and height of the canvas.

    Returns:
        int: Number of occluders.
    """
    count = 1 + (1 if rng.chance(0.35) else 0)
    for number in range(count):
        x, y, scale = joints[rng.integer(len(JOINTS))]
        colour = jitter(rng, rng.pick(CLOTHS), 25)
        pattern = jitter(rng, rng.pick(CLOTHS), 25) if rng.chance(0.4) else None
        owner = OCCLUDER + number
        edge = sketch.colour(owner, shade(colour, 0.6))
        fill = sketch.colour(owner, colour, pattern)
        draw = rng.weighted(_SHAPES, _WEIGHTS)
        x, y = x + rng.uniform(-0.03, 0.03) * scale, y + rng.uniform(-0.03, 0.03) * scale
        draw(rng, sketch, edge, fill, (x, y, scale), size)
    return count


def _ball(rng: RandomStream, sketch: Sketch, edge: int, fill: int, at: Place, size: tuple[int, int]) -> None:
    x, y, scale = at
    radius = rng.uniform(0.06, 0.12) * scale
    sketch.capsule(edge, (x, y, radius), (x, y, radius))
    sketch.capsule(fill, (x, y, 0.92 * radius), (x, y, 0.92 * radius))


def _pole(rng: RandomStream, sketch: Sketch, edge: int, fill: int, at: Place, size: tuple[int, int]) -> None:
    x, y, scale = at
    angle = 90.0 + rng.uniform(-25.0, 25.0) if rng.chance(0.7) else rng.uniform(-25.0, 25.0)
    radius, reach = rng.uniform(0.022, 0.055) * scale, float(sum(size))
    dx, dy = (reach * component for component in rotation(angle))
    sketch.capsule(edge, (x - dx, y - dy, radius), (x + dx, y + dy, radius))
    sketch.capsule(fill, (x - dx, y - dy, 0.8 * radius), (x + dx, y + dy, 0.8 * radius))


def _box(rng: RandomStream, sketch: Sketch, edge: int, fill: int, at: Place, size: tuple[int, int]) -> None:
    x, y, scale = at
    half_width, half_height = rng.uniform(0.05, 0.16) * scale, rng.uniform(0.05, 0.16) * scale
    angle = rng.uniform(-20.0, 20.0)
    for index, share in ((edge, 1.0), (fill, 0.9)):
        sketch.box(index, x, y, half_width * share, half_height * share, angle)


def _fence(rng: RandomStream, sketch: Sketch, edge: int, fill: int, at: Place, size: tuple[int, int]) -> None:
    x, y, scale = at
    gap, radius = rng.uniform(0.13, 0.2) * scale, rng.uniform(0.012, 0.022) * scale
    top = y - rng.uniform(0.1, 0.3) * scale
    first = x - gap * int(x / gap)
    for number in range(min(int(size[0] / gap) + 1, 24)):
        bar = first + number * gap
        sketch.capsule(edge if number % 2 else fill, (bar, top, radius), (bar, float(size[1]), radius))
    sketch.capsule(fill, (0.0, top, radius), (float(size[0]), top, radius))


def _hedge(rng: RandomStream, sketch: Sketch, edge: int, fill: int, at: Place, size: tuple[int, int]) -> None:
    x, y, scale = at
    radius = rng.uniform(0.06, 0.11) * scale
    for number in range(3):
        ball = (x + (number - 1) * 1.1 * radius, y + rng.uniform(-0.3, 0.3) * radius, radius)
        sketch.capsule(edge, ball, (ball[0], float(size[1]), radius))
        sketch.capsule(fill, (ball[0], ball[1] + 0.15 * radius, 0.8 * radius), (ball[0], float(size[1]), 0.8 * radius))


_SHAPES: tuple[Callable[..., None], ...] = (_ball, _pole, _box, _fence, _hedge)
_WEIGHTS = (3, 4, 4, 1, 1)


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
        rng: Source of the draws.
        pen: Draws the person afterwards.
        size: Width and height of the canvas.

    Returns:
        list[Lookalike]: The look-alikes.
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
