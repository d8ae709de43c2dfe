"""Arms and legs: of one person, and look-alikes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from posestructs.datasets.stick_figure.appearance import Appearance
from posestructs.datasets.stick_figure.pen import Cloth, Pen, grown
from posestructs.datasets.stick_figure.sketch import OWNER, Circle, Colour

Layer = tuple[float, Callable[[], None]]  # depth in statures, and what draws the part


class LimbKind(NamedTuple):
    """Properties shared by both arms, or by both legs."""

    points: tuple[str, str, str, str]
    parts: tuple[str, str, str]
    radii: tuple[float, float, float, float]  # at the points, in statures
    trunk: str  # the point of the trunk that it hangs on
    nearer: float  # its flesh reaches this far out of the plane of its joints: beside the trunk it is drawn over it


KINDS = {
    'arm': LimbKind(
        ('shoulder', 'elbow', 'wrist', 'hand'), ('upper_arm', 'forearm', 'hand'), (0.036, 0.029, 0.021, 0.018),
        'thorax', 0.013,
    ),
    'leg': LimbKind(
        ('hip', 'knee', 'ankle', 'toe'), ('thigh', 'shin', 'foot'), (0.056, 0.040, 0.025, 0.019), 'pelvis', 0.004
    ),
}  # fmt: skip


class Cover(NamedTuple):
    """Cover of the three segments of a limb."""

    first: list[Cloth]
    second: list[Cloth]
    end: Colour


def limb_layers(pen: Pen, kind: str, side: str) -> list[Layer]:
    """The three segments of one limb, each with its depth."""
    limb = KINDS[kind]
    names = [f'{side}_{name}' for name in limb.points]
    circles = limb_circles(pen, kind, side)
    depths = [0.5 * (pen.depth(a) + pen.depth(b)) for a, b in zip(names, names[1:], strict=False)]
    cover = limb_cover(pen.look, kind, lambda colour: pen.tone(colour, depths[0]))
    trunk = pen.ball(limb.trunk, limb.radii[0])
    return [
        (depth - limb.nearer, partial(draw_part, pen, OWNER[f'{side}_{part}'], number, circles, cover, trunk))
        for number, (part, depth) in enumerate(zip(limb.parts, depths, strict=True))
    ]


def limb_circles(pen: Pen, kind: str, side: str) -> list[Circle]:
    """The flesh at the four points of a limb."""
    limb = KINDS[kind]
    return [pen.ball(f'{side}_{name}', radius) for name, radius in zip(limb.points, limb.radii, strict=True)]


def limb_cover(look: Appearance, kind: str, tone: Callable[[Colour], Colour]) -> Cover:
    """The clothes on a limb.

    Args:
        look: Who wears them.
        kind: 'arm' or 'leg'.
        tone: Applied to each colour.

    Returns:
        Cover: Clothes and skin from its root to its end.
    """
    if kind == 'arm':
        reach, cloth, pattern, end = look.sleeve, look.shirt, look.shirt_pattern, look.skin
    else:
        reach, cloth, pattern, end = look.trouser, look.trousers, look.trousers_pattern, look.shoes
    cloth, pattern, skin = tone(cloth), tone(pattern), tone(look.skin)
    return Cover(_dressed(reach, cloth, pattern, skin), _dressed(reach - 1.0, cloth, pattern, skin), tone(end))


def draw_part(pen: Pen, owner: int, number: int, circles: Sequence[Circle], cover: Cover, trunk: Circle) -> None:
    """Draw one segment of a limb.

    Args:
        pen: Draws.
        owner: Number of the part.
        number: 0 upper arm or thigh, 1 forearm or shin, 2 hand or foot.
        circles: The flesh at its four points.
        cover: The clothes.
        trunk: Point of the trunk from which it starts.
    """
    if number == 0:
        pen.segment(owner, (circles[0], circles[1]), cover.first, trunk, circles[2])
    elif number == 1:
        pen.segment(owner, (circles[1], circles[2]), cover.second, circles[0], circles[2])
    else:
        pen.capsule(owner, cover.end, grown(circles[2], 0.3 * pen.line), circles[3], outlined=True)


def _dressed(upto: float, cloth: Colour, pattern: Colour, skin: Colour) -> list[Cloth]:
    if upto <= 0.0:
        return [Cloth(1.0, skin)]
    if upto >= 1.0:
        return [Cloth(1.0, cloth, pattern)]
    return [Cloth(upto, cloth, pattern), Cloth(1.0, skin)]
