"""Trunk and neck of one person, with what tells the front of the chest from the back."""

from __future__ import annotations

from posestructs.datasets.stick_figure.appearance import shade
from posestructs.datasets.stick_figure.limbs import KINDS, limb_circles
from posestructs.datasets.stick_figure.parts import OWNER
from posestructs.datasets.stick_figure.pen import Pen, between, grown
from posestructs.datasets.stick_figure.skeleton import SIDES, along
from posestructs.datasets.stick_figure.sketch import Circle

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
