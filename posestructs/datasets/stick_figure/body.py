"""Trunk, neck and head of a synthetic figure, and all of its parts ordered by depth, the farthest first.

The face, and the neckline or seam of the shirt, show front and back, and with them left and right.
"""

from __future__ import annotations

from posestructs.datasets.stick_figure.appearance import shade
from posestructs.datasets.stick_figure.limbs import KINDS, Layer, limb_circles, limb_layers
from posestructs.datasets.stick_figure.pen import Pen, between, grown
from posestructs.datasets.stick_figure.skeleton import SIDES, along, distance
from posestructs.datasets.stick_figure.sketch import OWNER, Circle

CHEST, WAIST, PELVIS, NECK = 0.060, 0.052, 0.060, 0.027  # radii in statures; the trunk's are half its depth
# the trunk's joints: around which point, and how far behind it the trunk and the joint's own flesh reach
THICKNESS = {
    'shoulder': ('thorax', CHEST + KINDS['arm'].radii[0]),
    'hip': ('pelvis', PELVIS + KINDS['leg'].radii[0]),
}
_CLEARLY = 0.2  # cosine from which on a chest counts as facing the camera


def trunk_circles(pen: Pen) -> list[Circle]:
    """The flesh of the trunk: a left and a right circle each of collar, chest, waist and seat."""
    points, body = pen.points, pen.body
    return [
        *pen.pair(points['thorax'], body.chest, 0.072, 0.012, 0.032),
        *pen.pair(points['thorax'], body.chest, 0.060, 0.045, CHEST),
        *pen.pair(points['waist'], body.chest, 0.040, 0.020, WAIST),
        *pen.pair(points['pelvis'], body.pelvis, 0.042, -0.012, PELVIS),
    ]


def torso(pen: Pen) -> None:
    """Shirt, seat of the trousers, and neckline or seam of the back."""
    look, owner = pen.look, OWNER['torso']
    circles = trunk_circles(pen)
    upper, waist, seat = circles[:6], circles[4:6], circles[6:]
    pen.hull(owner, look.shirt, upper, look.shirt_pattern)
    pen.hull(owner, look.trousers, waist + seat, look.trousers_pattern)
    belt = [between(w, s, 0.4) for w, s in zip(waist, seat, strict=True)]
    pen.hull(owner, look.shirt, waist + belt, look.shirt_pattern, outlined=False)
    pen.hull(owner, look.shirt, upper, look.shirt_pattern, outlined=False)
    facing = pen.body.chest[2][2]
    if facing > _CLEARLY:
        _front(pen, owner)
    elif facing < -_CLEARLY:
        _back(pen, owner)


def _front(pen: Pen, owner: int) -> None:
    look, chest, thorax = pen.look, pen.body.chest, pen.points['thorax']
    depth = -CHEST * pen.girth
    corners = [along(thorax, chest, x, 0.0, 0.5 * depth) for x in (0.034, -0.034)]
    tip = along(thorax, chest, 0.0, 0.21 if look.open_front else 0.07, depth)
    outline = [(*pen.view.project(point)[:2], 0.0) for point in (*corners, tip)]
    pen.hull(owner, look.shirt_inner if look.open_front else look.skin, outline, outlined=False)
    top = pen.ball(along(thorax, chest, 0.0, 0.09, depth), 0.005)
    bottom = pen.ball(along(pen.points['waist'], chest, 0.0, 0.07, 0.9 * depth), 0.005)
    pen.capsule(owner, shade(look.shirt, 0.6), top, bottom)


def _back(pen: Pen, owner: int) -> None:
    chest, thorax = pen.body.chest, pen.points['thorax']
    yoke = [pen.ball(along(thorax, chest, x, 0.055, 0.8 * CHEST), 0.004) for x in (0.07, -0.07)]
    pen.capsule(owner, shade(pen.look.shirt, 0.72), *yoke)


def skirt(pen: Pen) -> None:
    """A skirt over the thighs; it counts as trunk."""
    look = pen.look
    seat = pen.pair(pen.points['pelvis'], pen.body.pelvis, 0.042, -0.03, PELVIS)
    legs = [limb_circles(pen, 'leg', side) for side in SIDES]
    hem = [between(hip, (*knee[:2], hip[2]), look.skirt) for hip, knee, *_ in legs]
    hem = [grown(circle, 0.012 * pen.view.pixels) for circle in hem]
    pen.hull(OWNER['torso'], look.trousers, seat + hem, look.trousers_pattern)


def backpack(pen: Pen) -> None:
    """A bag on the back; it counts as trunk."""
    chest, thorax = pen.body.chest, pen.points['thorax']
    bag = [
        pen.ball(along(thorax, chest, x, y, 0.10), radius)
        for x in (0.05, -0.05)
        for y, radius in ((0.05, 0.032), (0.18, 0.048))
    ]
    pen.hull(OWNER['torso'], pen.look.backpack, bag)


def neck(pen: Pen) -> None:
    """The neck, a little darker than the face."""
    colour = shade(pen.look.skin, 0.86)
    base, top = pen.ball('thorax', NECK), pen.ball('upper_neck', NECK)
    pen.capsule(OWNER['neck'], colour, between(base, top, 0.5), top, outlined=True)
    pen.capsule(OWNER['neck'], colour, base, top)


SKULL = 0.058  # radius in statures
MEAN_LENGTH = 0.125  # of the head that the measures below are for, in statures
_SEEN = 0.15  # cosine from which on eyes and mouth are seen
_INK, _WHITE, _LIPS = (24, 20, 22), (225, 228, 230), (60, 50, 120)
_EYE_WHITES_FROM = 1.4  # canvas pixels of radius


class _Spots:
    """Balls of the head by their place in it: x left, y down, z back from its centre."""

    def __init__(self, pen: Pen) -> None:
        top, neck = pen.points['head_top'], pen.points['upper_neck']
        self._pen = pen
        self._scale = distance(top, neck) / MEAN_LENGTH

    def __call__(self, x: float, y: float, z: float, radius: float) -> Circle:
        scale = self._scale
        place = along(self._pen.points['head_centre'], self._pen.body.head, x * scale, y * scale, z * scale)
        x, y, pixels = self._pen.view.project(place)
        return x, y, radius * scale * pixels


def skull_and_chin(pen: Pen) -> tuple[Circle, Circle]:
    """The two circles whose hull is the head, without hair and hat."""
    spot = _Spots(pen)
    return spot(0.0, -0.004, 0.006, SKULL), spot(0.0, 0.030, -0.008, 0.042)


def head(pen: Pen) -> None:
    """Hair, skull, face and hat, in the order that the head's direction asks for."""
    look, owner, spot = pen.look, OWNER['head'], _Spots(pen)
    towards = pen.body.head[2][2]  # 1: the face looks at the camera
    hair = shade(look.skin, 0.95) if look.hair_style == 'bald' else look.hair
    tail = _hair_behind(look.hair_style, spot)
    if towards >= 0.0 and tail:
        pen.capsule(owner, shade(hair, 0.8), *tail, outlined=True)
    skull, chin = skull_and_chin(pen)
    if towards >= 0.0:
        pen.capsule(owner, hair, skull, chin, outlined=True)
        _face(pen, owner, spot, towards)
    else:
        _face(pen, owner, spot, towards)
        pen.capsule(owner, hair, skull, chin)
        if tail:
            pen.capsule(owner, shade(hair, 0.8), *tail, outlined=True)
    if look.hair_style == 'cap':
        pen.capsule(owner, look.shoes, spot(0.0, -0.020, 0.012, 0.054), spot(0.0, -0.022, -0.006, 0.052))
        pen.capsule(owner, shade(look.shoes, 0.7), spot(0.03, -0.022, -0.07, 0.011), spot(-0.03, -0.022, -0.07, 0.011))


def _face(pen: Pen, owner: int, spot: _Spots, towards: float) -> None:
    skin = pen.look.skin
    pen.capsule(owner, skin, spot(0.0, 0.000, -0.026, 0.044), spot(0.0, 0.036, -0.022, 0.036), outlined=towards < 0.0)
    pen.capsule(owner, shade(skin, 0.78), spot(0.0, 0.002, -0.066, 0.006), spot(0.0, 0.016, -0.072, 0.009))
    if towards < _SEEN:
        return
    for x in (0.021, -0.021):
        white, pupil = spot(x, -0.006, -0.056, 0.012), spot(x, -0.006, -0.060, 0.007)
        if white[2] > _EYE_WHITES_FROM:
            pen.capsule(owner, _WHITE, white, white)
        pen.capsule(owner, _INK, pupil, pupil)
    pen.capsule(owner, _LIPS, spot(0.014, 0.040, -0.054, 0.005), spot(-0.014, 0.040, -0.054, 0.005))


def _hair_behind(style: str, spot: _Spots) -> tuple[Circle, Circle] | None:
    if style == 'long':
        return spot(0.0, 0.0, 0.022, 0.056), spot(0.0, 0.085, 0.035, 0.045)
    if style == 'ponytail':
        return spot(0.0, -0.01, 0.060, 0.020), spot(0.0, 0.09, 0.085, 0.014)
    if style == 'bun':
        bun = spot(0.0, -0.045, 0.050, 0.026)
        return bun, bun
    return None


_HEAD_NEARER = 0.03  # the head is thick: its surface lies before its centre
_SKIRT_NEARER = 0.012
_BAG_BEHIND = 0.09


def person_layers(pen: Pen) -> list[Layer]:
    """The parts of a person, each with the depth of its middle in statures, the farthest first."""
    layers: list[Layer] = [
        (pen.trunk_depth, lambda: torso(pen)),
        (pen.depth('thorax', 'upper_neck'), lambda: neck(pen)),
        (pen.depth('head_centre') - _HEAD_NEARER, lambda: head(pen)),
    ]
    for side in SIDES:
        layers += limb_layers(pen, 'arm', side)
        layers += limb_layers(pen, 'leg', side)
    if pen.look.skirt:
        thighs = min(pen.depth(f'{side}_hip', f'{side}_knee') for side in SIDES)
        layers.append((thighs - _SKIRT_NEARER, lambda: skirt(pen)))
    if pen.look.backpack:
        layers.append((pen.trunk_depth + _BAG_BEHIND * pen.body.chest[2][2], lambda: backpack(pen)))
    return sorted(layers, key=lambda layer: -layer[0])


def draw_person(pen: Pen) -> None:
    """Add all parts of a person to the pen's sketch.

    The order of depth decides what hides what, in the image and in the labels.
    """
    for _, paint in person_layers(pen):
        paint()
