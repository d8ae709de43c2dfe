"""Things in front of a person: poles, boxes, balls, fences and hedges that hide joints."""

from __future__ import annotations

from collections.abc import Callable

from posestructs.datasets.stick_figure.appearance import CLOTHS, jitter, shade
from posestructs.datasets.stick_figure.exact import RandomStream, rotation
from posestructs.datasets.stick_figure.parts import OCCLUDER
from posestructs.datasets.stick_figure.skeleton import JOINTS
from posestructs.datasets.stick_figure.sketch import Sketch

Place = tuple[float, float, float]  # x and y of a joint on the canvas, and canvas pixels per stature there


def draw_occluders(rng: RandomStream, sketch: Sketch, joints: list[Place], size: tuple[int, int]) -> int:
    """Add one or two occluders, each over one of the joints.

    Args:
        rng (RandomStream): Source of the draws.
        sketch (Sketch): Receives the shapes, after the person.
        joints (list): Canvas x, y and pixels per stature of each of ``JOINTS``.
        size (tuple): Width and height of the canvas.

    Returns:
        int: How many were drawn.
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
