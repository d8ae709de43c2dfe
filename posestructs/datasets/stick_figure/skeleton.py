"""The anatomy: joints, proportions, limits of movement, and forward kinematics in three dimensions.

Axes of every frame are x to the person's left, y down, z to the back; with no rotation the person faces the camera,
and the same axes are the image's right, the image's down and away from the camera. Lengths are in statures (a standing
person is 1 high). Joints are named, and ordered, as in MPII; left and right are the person's own.

Proportions follow Drillis and Contini, Body Segment Parameters (1966). Limits lie within the ranges of motion that
clinical goniometry gives for healthy adults: elbow 0 to 150 degrees, shoulder -60 to 180, knee 0 to 142, hip -30 to 125
and so on.

:class:`View` is the camera: a weak perspective projection of a body, fitted into the canvas.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from posestructs.datasets.stick_figure.exact import RandomStream, rotation

Point = tuple[float, float, float]
Frame = tuple[Point, Point, Point]  # the images of the x, y and z axis

JOINTS = (
    'right_ankle',
    'right_knee',
    'right_hip',
    'left_hip',
    'left_knee',
    'left_ankle',
    'pelvis',
    'thorax',
    'upper_neck',
    'head_top',
    'right_wrist',
    'right_elbow',
    'right_shoulder',
    'left_shoulder',
    'left_elbow',
    'left_wrist',
)  # fmt: skip
SIDES = ('left', 'right')

# degrees of freedom, in degrees; those of a limb exist once a side
LIMITS: dict[str, tuple[float, float]] = {
    'spine_flex': (-30.0, 80.0),
    'spine_side': (-35.0, 35.0),
    'spine_twist': (-45.0, 45.0),
    'neck_flex': (-50.0, 50.0),
    'neck_side': (-40.0, 40.0),
    'neck_twist': (-75.0, 75.0),
    'shoulder_flex': (-55.0, 178.0),
    'shoulder_out': (-35.0, 175.0),
    'shoulder_twist': (-85.0, 80.0),
    'elbow': (0.0, 150.0),
    'hip_flex': (-25.0, 122.0),
    'hip_out': (-20.0, 48.0),
    'hip_twist': (-45.0, 40.0),
    'knee': (0.0, 142.0),
    'ankle': (-20.0, 50.0),
}
TRUNK_DOFS = tuple(name for name in LIMITS if name.startswith(('spine', 'neck')))
LIMB_DOFS = tuple(name for name in LIMITS if name not in TRUNK_DOFS)
# an arm moves across the chest only in front of it
_ACROSS_NEEDS_FLEX = 25.0
_ACROSS_BESIDE_BODY = 2.0


class Proportions(NamedTuple):
    """Lengths of the segments, and half-widths, in statures."""

    spine: float = 0.288  # pelvis to thorax
    neck: float = 0.058  # thorax to upper neck
    head: float = 0.125  # upper neck to head top
    shoulder: float = 0.112  # thorax to shoulder joint
    hip: float = 0.055  # pelvis to hip joint
    upper_arm: float = 0.180
    forearm: float = 0.146
    hand: float = 0.075
    thigh: float = 0.245
    shin: float = 0.236
    foot: float = 0.125
    girth: float = 1.0  # factor on every thickness


class Body(NamedTuple):
    """A posed body: points by name and the frames that orient trunk and head."""

    points: dict[str, Point]  # JOINTS, waist, head_centre, and hand and toe of each side
    pelvis: Frame
    chest: Frame
    head: Frame


def sample_proportions(rng: RandomStream) -> Proportions:
    """Draw the proportions of one person, each within 8 % of the mean, the girth within 25 %."""
    lengths = [value * rng.uniform(0.92, 1.08) for value in Proportions()[:-1]]
    return Proportions(*lengths, girth=rng.uniform(0.8, 1.25))


def clamp_pose(pose: dict[str, float]) -> dict[str, float]:
    """Bring every angle within its limit.

    Args:
        pose: Degrees by name: the trunk's as in ``LIMITS``, a limb's as ``left_elbow``.

    Returns:
        dict: The same names, each within ``LIMITS``; the arms reach across the chest only in front of it.
    """
    clamped = {}
    for name, value in pose.items():
        low, high = LIMITS[name.removeprefix('left_').removeprefix('right_')]
        clamped[name] = min(max(value, low), high)
    for side in SIDES:
        if clamped[f'{side}_shoulder_flex'] < _ACROSS_NEEDS_FLEX:
            out = f'{side}_shoulder_out'
            clamped[out] = max(clamped[out], _ACROSS_BESIDE_BODY)
    return clamped


def turned(frame: Frame, axis: int, degrees: float) -> Frame:
    """Rotate a frame about one of its own axes (0, 1 or 2)."""
    c, s = rotation(degrees)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    (a0, a1, a2), (b0, b1, b2) = frame[i], frame[j]
    result = list(frame)
    result[i] = (a0 * c + b0 * s, a1 * c + b1 * s, a2 * c + b2 * s)
    result[j] = (b0 * c - a0 * s, b1 * c - a1 * s, b2 * c - a2 * s)
    return result[0], result[1], result[2]


def along(start: Point, frame: Frame, x: float, y: float, z: float) -> Point:
    """The point at (x, y, z) of a frame placed at ``start``."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = frame
    return (
        start[0] + x * xx + y * yx + z * zx,
        start[1] + x * xy + y * yy + z * zy,
        start[2] + x * xz + y * yz + z * zz,
    )


def distance(a: Point, b: Point) -> float:
    """Distance between two points."""
    x, y, z = a[0] - b[0], a[1] - b[1], a[2] - b[2]
    return math.sqrt(x * x + y * y + z * z)


def pose_body(pose: dict[str, float], size: Proportions, root: Frame) -> Body:
    """Forward kinematics from the pelvis outwards.

    Args:
        pose: Degrees by name, see :func:`clamp_pose`.
        size: Lengths of the segments.
        root: Orientation of the pelvis seen from the camera.

    Returns:
        Body: Points in statures, the pelvis at the origin.
    """
    origin = (0.0, 0.0, 0.0)
    waist = _bent(root, pose, 'spine', 0.5)
    chest = _bent(root, pose, 'spine', 1.0)
    head = _bent(chest, pose, 'neck', 1.0)
    middle = along(origin, waist, 0.0, -0.5 * size.spine, 0.0)
    thorax = along(middle, chest, 0.0, -0.5 * size.spine, 0.0)
    neck = along(thorax, _bent(chest, pose, 'neck', 0.5), 0.0, -size.neck, 0.0)
    points = {
        'pelvis': origin,
        'waist': middle,
        'thorax': thorax,
        'upper_neck': neck,
        'head_centre': along(neck, head, 0.0, -0.52 * size.head, -0.06 * size.head),
        'head_top': along(neck, head, 0.0, -size.head, 0.0),
    }
    for side, sign in (('left', 1.0), ('right', -1.0)):
        _pose_arm(points, pose, size, chest, side, sign)
        _pose_leg(points, pose, size, root, side, sign)
    return Body(points, root, chest, head)


def _bent(frame: Frame, pose: dict[str, float], name: str, share: float) -> Frame:
    for axis, movement in ((1, 'twist'), (2, 'side'), (0, 'flex')):
        frame = turned(frame, axis, pose[f'{name}_{movement}'] * share)
    return frame


def _pose_arm(
    points: dict[str, Point], pose: dict[str, float], size: Proportions, chest: Frame, side: str, sign: float
) -> None:
    shoulder = along(points['thorax'], chest, sign * size.shoulder, 0.02, 0.0)
    arm = turned(chest, 0, -pose[f'{side}_shoulder_flex'])
    arm = turned(arm, 2, -sign * pose[f'{side}_shoulder_out'])
    arm = turned(arm, 1, sign * pose[f'{side}_shoulder_twist'])
    elbow = along(shoulder, arm, 0.0, size.upper_arm, 0.0)
    forearm = turned(arm, 0, -pose[f'{side}_elbow'])
    wrist = along(elbow, forearm, 0.0, size.forearm, 0.0)
    points[f'{side}_shoulder'], points[f'{side}_elbow'], points[f'{side}_wrist'] = shoulder, elbow, wrist
    points[f'{side}_hand'] = along(wrist, forearm, 0.0, size.hand, 0.0)


def _pose_leg(
    points: dict[str, Point], pose: dict[str, float], size: Proportions, pelvis: Frame, side: str, sign: float
) -> None:
    hip = along(points['pelvis'], pelvis, sign * size.hip, 0.0, 0.0)
    leg = turned(pelvis, 0, -pose[f'{side}_hip_flex'])
    leg = turned(leg, 2, -sign * pose[f'{side}_hip_out'])
    leg = turned(leg, 1, sign * pose[f'{side}_hip_twist'])
    knee = along(hip, leg, 0.0, size.thigh, 0.0)
    shin = turned(leg, 0, pose[f'{side}_knee'])
    ankle = along(knee, shin, 0.0, size.shin, 0.0)
    foot = turned(shin, 0, pose[f'{side}_ankle'])
    points[f'{side}_hip'], points[f'{side}_knee'], points[f'{side}_ankle'] = hip, knee, ankle
    points[f'{side}_toe'] = along(ankle, foot, 0.0, 0.025, -size.foot)


_MARGIN = 0.055  # statures around the joints, for flesh, hair and shoes


class View(NamedTuple):
    """Camera that maps points of a body to pixels.

    A point's image is ``offset + pixels * perspective * (x, y)`` with ``perspective = distance / (distance + z)``.
    """

    distance: float  # of the camera from the pelvis, in statures
    pixels: float  # canvas pixels per stature at the pelvis
    offset: tuple[float, float]

    def project(self, point: Point) -> tuple[float, float, float]:
        """Canvas x and y of a point, and canvas pixels per stature at its depth."""
        x, y, z = point
        scale = self.pixels * (self.distance / (self.distance + z))
        return self.offset[0] + x * scale, self.offset[1] + y * scale, scale


def fit_view(
    rng: RandomStream, points: dict[str, Point], size: tuple[int, int], scale: tuple[float, float], crop_prob: float
) -> View:
    """Choose a view that shows a body.

    Args:
        rng: Source of the draws.
        points: Points of the body, in statures.
        size: Width and height of the canvas, in pixels.
        scale: Range of the share of the canvas that the body spans, in its tighter direction.
        crop_prob: Probability of a view so close that a part of the body can lie outside.

    Returns:
        View: The camera; unless it is a close one, the body lies within the canvas. The waist always does.
    """
    distance = rng.uniform(3.0, 8.0)
    seen = [View(distance, 1.0, (0.0, 0.0)).project(point) for point in points.values()]
    left, right = min(p[0] for p in seen) - _MARGIN, max(p[0] for p in seen) + _MARGIN
    top, bottom = min(p[1] for p in seen) - _MARGIN, max(p[1] for p in seen) + _MARGIN
    share = rng.uniform(*scale)
    close = rng.chance(crop_prob)
    if close:
        share *= rng.uniform(1.1, 1.5)
    pixels = share * min(size[0] / (right - left), size[1] / (bottom - top))
    waist = View(distance, pixels, (0.0, 0.0)).project(points['waist'])
    offset = []
    for low, high, extent, centre in ((left, right, size[0], waist[0]), (top, bottom, size[1], waist[1])):
        slack = extent - pixels * (high - low)
        start = rng.unit() * slack - pixels * low - 0.5
        # however close the view, the waist stays in it
        offset.append(min(max(start, 0.1 * extent - centre), 0.9 * extent - centre))
    return View(distance, pixels, (offset[0], offset[1]))
