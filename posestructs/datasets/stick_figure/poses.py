"""Table of poses, each a range of angles around a recognisable activity.

A pose names only the angles in which it differs from :data:`REST`. Its limbs are called ``a`` and ``b``; which of them
is the left one is random, so every pose is as frequent as its mirror image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from posestructs.datasets.stick_figure.exact import RandomStream
from posestructs.datasets.stick_figure.skeleton import LIMB_DOFS, LIMITS, SIDES, TRUNK_DOFS, Frame, clamp_pose, turned

Range = tuple[float, float]

REST: dict[str, Range] = {
    'spine_flex': (-4, 10),
    'spine_side': (-7, 7),
    'spine_twist': (-14, 14),
    'neck_flex': (-12, 18),
    'neck_side': (-10, 10),
    'neck_twist': (-35, 35),
    'shoulder_flex': (-14, 18),
    'shoulder_out': (5, 20),
    'shoulder_twist': (-15, 35),
    'elbow': (5, 40),
    'hip_flex': (-5, 8),
    'hip_out': (1, 11),
    'hip_twist': (-25, 2),
    'knee': (0, 10),
    'ankle': (0, 8),
}
ANY_YAW: Range = (-180, 180)


class Activity(NamedTuple):
    """One row of the table: degrees by name, ``a_``/``b_`` for one limb, no prefix for both."""

    weight: float
    angles: dict[str, Range]
    roll: Range = (-8, 8)  # in the image plane
    lean: Range = (-3, 6)  # of the pelvis, forward
    legs_stay: bool = False  # the legs keep their direction when the pelvis leans
    yaw: Range = ANY_YAW


ACTIVITIES: dict[str, Activity] = {
    'stand': Activity(10, {}),
    'lean_on_leg': Activity(
        6, {'spine_side': (-15, 15), 'a_hip_out': (8, 22), 'a_knee': (5, 35), 'a_hip_flex': (5, 30)}
    ),
    'hands_on_hips': Activity(
        5, {'shoulder_flex': (-25, -5), 'shoulder_out': (38, 52), 'shoulder_twist': (55, 78), 'elbow': (85, 110)}
    ),
    'arms_crossed': Activity(
        4, {'shoulder_flex': (28, 45), 'shoulder_out': (2, 14), 'shoulder_twist': (50, 75), 'elbow': (85, 112)}
    ),
    'phone': Activity(
        5, {'a_shoulder_flex': (30, 60), 'a_elbow': (110, 145), 'a_shoulder_twist': (0, 30), 'a_shoulder_out': (5, 30)}
    ),
    'walk': Activity(
        12,
        {
            'a_shoulder_flex': (15, 40), 'b_shoulder_flex': (-38, -12), 'elbow': (10, 50),
            'a_hip_flex': (-22, -6), 'a_knee': (5, 35), 'b_hip_flex': (15, 40), 'b_knee': (3, 25), 'hip_out': (-2, 5),
        },
    ),
    'run': Activity(
        10,
        {
            'a_shoulder_flex': (20, 70), 'b_shoulder_flex': (-55, -25), 'elbow': (70, 115), 'spine_flex': (0, 22),
            'a_hip_flex': (-24, -2), 'a_knee': (25, 110), 'b_hip_flex': (40, 95), 'b_knee': (35, 110),
            'hip_out': (-3, 8), 'ankle': (5, 40), 'shoulder_twist': (-15, 12), 'b_shoulder_out': (15, 32),
        },
        lean=(5, 22),
    ),
    'sit': Activity(
        10,
        {
            'hip_flex': (72, 105), 'knee': (65, 112), 'hip_out': (0, 28), 'spine_flex': (-5, 30),
            'shoulder_flex': (5, 55), 'elbow': (20, 95), 'shoulder_twist': (0, 45),
        },
    ),
    'squat': Activity(
        5,
        {
            'hip_flex': (90, 118), 'knee': (95, 138), 'hip_out': (5, 35), 'spine_flex': (5, 35), 'ankle': (-20, 15),
            'shoulder_flex': (30, 100), 'elbow': (5, 90),
        },
        lean=(5, 25),
    ),
    'kneel': Activity(
        4, {'a_hip_flex': (78, 105), 'a_knee': (75, 110), 'b_hip_flex': (-12, 15), 'b_knee': (80, 120)}
    ),
    'bend': Activity(
        7,
        {'spine_flex': (15, 60), 'shoulder_flex': (40, 110), 'elbow': (0, 45), 'knee': (0, 45), 'neck_flex': (-30, 25)},
        lean=(25, 75),
        legs_stay=True,
    ),
    'raise_arms': Activity(8, {'shoulder_flex': (125, 176), 'shoulder_out': (0, 40), 'elbow': (0, 70)}),
    'wave': Activity(
        7,
        {
            'a_shoulder_flex': (-10, 15), 'a_shoulder_out': (80, 125), 'a_shoulder_twist': (-85, -55),
            'a_elbow': (30, 120),
        },
    ),
    'point': Activity(
        5, {'a_shoulder_flex': (60, 110), 'a_shoulder_out': (0, 80), 'a_elbow': (0, 25), 'a_shoulder_twist': (-20, 20)}
    ),
    'star_jump': Activity(
        7,
        {'shoulder_out': (65, 160), 'shoulder_flex': (-10, 20), 'elbow': (0, 40), 'hip_out': (15, 42), 'ankle': (5, 45),
         'knee': (0, 40)},
        roll=(-18, 18),
    ),
    'kick': Activity(
        6,
        {
            'a_hip_flex': (45, 115), 'a_knee': (0, 70), 'b_hip_flex': (-10, 10), 'b_knee': (0, 30),
            'shoulder_out': (20, 95), 'elbow': (10, 90), 'shoulder_flex': (-20, 60), 'spine_flex': (-10, 20),
        },
        roll=(-20, 20),
    ),
    'lunge': Activity(
        6,
        {
            'a_hip_flex': (55, 100), 'a_knee': (50, 100), 'b_hip_flex': (-25, -8), 'b_knee': (5, 60),
            'shoulder_flex': (-30, 110), 'shoulder_out': (5, 70), 'elbow': (0, 90),
        },
        lean=(0, 20),
    ),
    'throw': Activity(
        7,
        {
            'a_shoulder_flex': (90, 165), 'a_shoulder_out': (10, 60), 'a_elbow': (40, 120),
            'b_shoulder_flex': (40, 100), 'b_elbow': (0, 50), 'spine_twist': (-40, 40), 'spine_side': (-20, 20),
            'b_hip_flex': (20, 60), 'b_knee': (10, 60), 'a_hip_flex': (-20, 5), 'a_knee': (5, 45),
        },
        roll=(-15, 15),
    ),
    'box': Activity(
        5,
        {
            'a_shoulder_flex': (30, 60), 'a_elbow': (95, 140), 'b_shoulder_flex': (60, 95), 'b_elbow': (10, 110),
            'shoulder_twist': (5, 45), 'shoulder_out': (0, 25), 'hip_out': (5, 20), 'knee': (10, 45),
            'a_hip_flex': (-10, 10), 'b_hip_flex': (10, 40), 'spine_twist': (-35, 35),
        },
    ),
    'somersault': Activity(
        5,
        {
            'hip_flex': (70, 120), 'knee': (70, 140), 'spine_flex': (20, 70), 'shoulder_flex': (40, 110),
            'elbow': (30, 110), 'neck_flex': (0, 45),
        },
        roll=(-180, 180),
    ),
    'handstand': Activity(
        6,
        {
            'shoulder_flex': (140, 177), 'shoulder_out': (0, 20), 'elbow': (0, 25), 'a_hip_flex': (-25, 60),
            'b_hip_flex': (-25, 30), 'knee': (0, 60), 'hip_out': (0, 40), 'spine_flex': (-28, 5), 'ankle': (5, 45),
        },
        roll=(150, 210),
    ),
    'cartwheel': Activity(
        4,
        {'shoulder_out': (100, 165), 'elbow': (0, 30), 'hip_out': (20, 45), 'knee': (0, 25), 'ankle': (5, 45)},
        roll=(-180, 180),
    ),
    'lie': Activity(
        5,
        {
            'shoulder_flex': (-20, 80), 'shoulder_out': (5, 90), 'elbow': (0, 110), 'hip_flex': (-10, 60),
            'knee': (0, 90),
        },
        roll=(65, 115),
    ),
    'plank': Activity(
        4,
        {'shoulder_flex': (75, 110), 'elbow': (0, 70), 'hip_flex': (-10, 20), 'knee': (0, 15), 'neck_flex': (-40, 0)},
        lean=(68, 88),
        yaw=(45, 135),
    ),
    'free': Activity(10, {}, roll=(-35, 35), lean=(-10, 30)),
}  # fmt: skip
_NAMES = tuple(ACTIVITIES)
_FREE_SHARE = 0.62  # 'free' draws each angle from this share of its limits, around the middle of rest


class Pose(NamedTuple):
    """The angles of one person and how the camera sees it, in degrees."""

    activity: str
    angles: dict[str, float]
    roll: float
    pitch: float
    yaw: float
    lean: float

    def root(self) -> Frame:
        """Orientation of the pelvis in camera axes."""
        frame: Frame = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
        for axis, degrees in ((2, self.roll), (0, self.pitch), (1, self.yaw), (0, self.lean)):
            frame = turned(frame, axis, degrees)
        return frame


def sample_pose(
    rng: RandomStream, max_rotation: float = 0.0, activities: Sequence[str] | None = None, max_yaw: float = 180.0
) -> Pose:
    """Draw an activity, the angles of one person doing it, and a view.

    Args:
        rng: Source of the draws.
        max_rotation: Further rotation in the image plane, drawn from ``-max_rotation`` to ``max_rotation`` degrees.
        activities: Keys of :data:`ACTIVITIES` to draw from; by default all.
        max_yaw: Largest turn away from the camera in degrees: the yaw of an activity is scaled by ``max_yaw / 180``.

    Returns:
        Pose: All angles within the limits of the skeleton.
    """
    names = _NAMES if activities is None else tuple(activities)
    name = rng.weighted(names, [ACTIVITIES[name].weight for name in names])
    activity = ACTIVITIES[name]
    lean = rng.uniform(*activity.lean)
    angles = _sample_angles(rng, name)
    if activity.legs_stay:
        for side in SIDES:
            angles[f'{side}_hip_flex'] += lean
    yaw = rng.uniform(*activity.yaw) * (max_yaw / 180)
    if rng.chance(0.5):
        yaw = -yaw
    roll = rng.uniform(*activity.roll)
    if rng.chance(0.5):
        roll = -roll
    roll += rng.uniform(-max_rotation, max_rotation)
    return Pose(name, clamp_pose(angles), roll, rng.uniform(-6, 20), yaw, lean)


def _sample_angles(rng: RandomStream, name: str) -> dict[str, float]:
    table = _RANGES[name]
    letters = ('a', 'b') if rng.chance(0.5) else ('b', 'a')
    angles = {dof: rng.uniform(low, high) for dof, low, high in table['trunk']}
    for side, letter in zip(SIDES, letters, strict=True):
        for dof, low, high in table[letter]:
            angles[f'{side}_{dof}'] = rng.uniform(low, high)
    return angles


def _range(name: str, dof: str, letter: str) -> tuple[str, float, float]:
    """An angle's name and its range in an activity, for limb 'a' or 'b', or for the trunk."""
    if name == 'free':
        (low, high), (rest_low, rest_high) = LIMITS[dof], REST[dof]
        middle = 0.5 * (rest_low + rest_high)
        return dof, middle + _FREE_SHARE * (low - middle), middle + _FREE_SHARE * (high - middle)
    angles = ACTIVITIES[name].angles
    return (dof, *angles.get(f'{letter}_{dof}', angles.get(dof, REST[dof])))


_RANGES = {
    name: {
        'trunk': [_range(name, dof, 'trunk') for dof in TRUNK_DOFS],
        **{letter: [_range(name, dof, letter) for dof in LIMB_DOFS] for letter in ('a', 'b')},
    }
    for name in ACTIVITIES
}
