"""The head of one person: the face tells front from back, and with it left from right."""

from __future__ import annotations

from posestructs.datasets.stick_figure.appearance import shade
from posestructs.datasets.stick_figure.parts import OWNER
from posestructs.datasets.stick_figure.pen import Pen
from posestructs.datasets.stick_figure.skeleton import along, distance
from posestructs.datasets.stick_figure.sketch import Circle

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
