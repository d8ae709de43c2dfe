"""Who can own a pixel, and which parts of the body meet in a joint."""

from __future__ import annotations

from posestructs.datasets.stick_figure.skeleton import JOINTS, SIDES

BODY_PARTS = (
    'torso',
    'neck',
    'head',
    *(f'{side}_{part}' for side in SIDES for part in ('upper_arm', 'forearm', 'hand', 'thigh', 'shin', 'foot')),
)
# owner numbers, as Scene.owners holds them
BACKGROUND = 0
OWNER = {name: number for number, name in enumerate(BODY_PARTS, start=1)}
CLUTTER = 20  # things behind the person that are no limbs
LOOKALIKE = 24  # and upwards: limbs behind the person that are not the person's
OCCLUDER = 32  # and upwards: things in front of the person

_MEET = {
    'shoulder': ('torso', 'upper_arm'),
    'elbow': ('upper_arm', 'forearm'),
    'wrist': ('forearm', 'hand'),
    'hip': ('torso', 'thigh'),
    'knee': ('thigh', 'shin'),
    'ankle': ('shin', 'foot'),
    # in the trunk more than two segments meet
    'pelvis': ('torso', 'left_thigh', 'right_thigh'),
    'thorax': ('torso', 'neck', 'left_upper_arm', 'right_upper_arm'),
    'upper_neck': ('neck', 'head'),
    'head_top': ('head',),
}


def own_parts(joint: str) -> tuple[str, ...]:
    """The segments that meet in a joint; none of them hides it.

    Args:
        joint (str): One of ``JOINTS``.

    Returns:
        tuple: Names among ``BODY_PARTS``.
    """
    side, _, kind = joint.partition('_')
    if side not in SIDES:
        return _MEET[joint]
    return tuple(part if part == 'torso' else f'{side}_{part}' for part in _MEET[kind])


OWN_NUMBERS = {joint: frozenset(OWNER[part] for part in own_parts(joint)) for joint in JOINTS}
