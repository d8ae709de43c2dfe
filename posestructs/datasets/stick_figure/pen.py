"""Pen that draws the parts of one figure: circles of flesh, tones, and limb segments with outline and light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from posestructs.datasets.stick_figure.appearance import Appearance, shade
from posestructs.datasets.stick_figure.skeleton import Body, Frame, Point, View, along
from posestructs.datasets.stick_figure.sketch import Circle, Colour, Sketch

_EDGE_TONE = 0.5  # of a colour, at its outline
_FAR_TONE = 0.84  # of a colour, on limbs behind the trunk
_FAR = 0.03  # statures behind the middle of the trunk
_LIT_TONE = 1.22
_LIT_FROM = 2.5  # canvas pixels of radius from which on a limb has a lit strip
_OPEN = 0.16  # share of the neighbouring segment over which the outline stays open
_SMALLEST = 1.2  # canvas pixels: a joint's own flesh covers at least its pixel, however small the image


class Cloth(NamedTuple):
    """The colour of a limb segment up to a share of its length."""

    upto: float
    colour: Colour
    pattern: Colour | None = None


class Pen:
    """Draws parts of one body into a sketch.

    Args:
        sketch: Receives the shapes.
        body: The posed body.
        view: The camera; ``seen`` holds all points of the body as it sees them.
        look: Colours and clothes.
        girth: Factor on every thickness but the head's.
        light: Unit vector in the image plane, towards the light.
    """

    def __init__(
        self, sketch: Sketch, body: Body, view: View, look: Appearance, girth: float, light: tuple[float, float]
    ) -> None:
        self.sketch = sketch
        self.body = body
        self.points = body.points
        self.view = view
        self.look = look
        self.girth = girth
        self.light = light
        self.seen = {name: view.project(point) for name, point in body.points.items()}
        self.line = max(0.75, 0.008 * view.pixels)  # width of the outline
        self.trunk_depth = 0.5 * (body.points['pelvis'][2] + body.points['thorax'][2])

    def ball(self, point: str | Point, radius: float) -> Circle:
        """A ball of flesh, by the name of its point or at a point, as a circle of the canvas."""
        x, y, scale = self.seen[point] if isinstance(point, str) else self.view.project(point)
        return x, y, max(radius * scale * self.girth, _SMALLEST)

    def pair(self, centre: Point, frame: Frame, half: float, down: float, radius: float) -> list[Circle]:
        """Two balls beside a point, ``half`` to the left and to the right, ``down`` below it."""
        return [self.ball(along(centre, frame, x, down, 0.0), radius) for x in (half, -half)]

    def depth(self, *names: str) -> float:
        """Mean distance of points behind the pelvis, in statures."""
        return sum(self.points[name][2] for name in names) / len(names)

    def tone(self, colour: Colour, depth: float) -> Colour:
        """A colour as it looks on a limb at a depth: darker behind the trunk."""
        return shade(colour, _FAR_TONE) if depth > self.trunk_depth + _FAR else colour

    def capsule(self, owner: int, colour: Colour, start: Circle, end: Circle, outlined: bool = False) -> None:
        """The hull of two circles in one colour."""
        if outlined:
            edge = self.sketch.colour(owner, shade(colour, _EDGE_TONE))
            self.sketch.capsule(edge, grown(start, self.line), grown(end, self.line))
        self.sketch.capsule(self.sketch.colour(owner, colour), start, end)

    def hull(
        self,
        owner: int,
        colour: Colour,
        circles: Sequence[Circle],
        pattern: Colour | None = None,
        outlined: bool = True,
    ) -> None:
        """The hull of any number of circles, in a colour and perhaps the colour of its pattern."""
        if outlined:
            edge = self.sketch.colour(owner, shade(colour, _EDGE_TONE))
            self.sketch.hull(edge, [grown(circle, self.line) for circle in circles])
        self.sketch.hull(self.sketch.colour(owner, colour, pattern), circles)

    def segment(
        self, owner: int, ends: tuple[Circle, Circle], cloths: Sequence[Cloth], before: Circle, after: Circle
    ) -> None:
        """A limb segment.

        Args:
            owner: Number of the part.
            ends: The flesh at its two ends.
            cloths: Cover from the first end on; the last reaches the second end.
            before, after: Far ends of the two segments that it joins. Towards them the outline stays open, so
                that a limb looks like one piece.
        """
        sketch, (start, end) = self.sketch, ends
        edge = sketch.colour(owner, shade(cloths[0].colour, _EDGE_TONE))
        sketch.capsule(edge, grown(start, self.line), grown(end, self.line))
        sketch.capsule(sketch.colour(owner, *cloths[0][1:]), start, between(start, before, _OPEN))
        sketch.capsule(sketch.colour(owner, *cloths[-1][1:]), end, between(end, after, _OPEN))
        for cloth in reversed(cloths):
            sketch.capsule(sketch.colour(owner, *cloth[1:]), start, between(start, end, cloth.upto))
        if min(start[2], end[2]) > _LIT_FROM:
            low = 0.0
            for cloth in cloths:
                lit = sketch.colour(owner, shade(cloth.colour, _LIT_TONE))
                sketch.capsule(lit, self._lit(between(start, end, low)), self._lit(between(start, end, cloth.upto)))
                low = cloth.upto

    def _lit(self, circle: Circle) -> Circle:
        x, y, radius = circle
        return x + self.light[0] * 0.42 * radius, y + self.light[1] * 0.42 * radius, 0.30 * radius


def between(start: Circle, end: Circle, share: float) -> Circle:
    """The circle at a share of the way from one to another."""
    (ax, ay, ar), (bx, by, br) = start, end
    return ax + share * (bx - ax), ay + share * (by - ay), ar + share * (br - ar)


def grown(circle: Circle, by: float) -> Circle:
    """A circle with a larger radius."""
    return circle[0], circle[1], circle[2] + by
