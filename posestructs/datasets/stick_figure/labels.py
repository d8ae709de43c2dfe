"""Labels of a rendered figure: positions of the joints, hidden joints, boxes of body and head."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from posestructs.datasets.stick_figure.body import CHEST, PELVIS, SKULL, THICKNESS, WAIST, skull_and_chin
from posestructs.datasets.stick_figure.limbs import KINDS
from posestructs.datasets.stick_figure.pen import Pen
from posestructs.datasets.stick_figure.skeleton import JOINTS, SIDES
from posestructs.datasets.stick_figure.sketch import OWN_NUMBERS, OWNER, Circle

OVERSAMPLING = 2  # canvas pixels per image pixel, in each direction
# radius of the flesh around the points of a body, in statures
_FLESH = {
    **{f'{side}_{point}': radius for side in SIDES for limb in KINDS.values()
       for point, radius in zip(limb.points, limb.radii, strict=True)},
    'thorax': CHEST, 'waist': WAIST, 'pelvis': PELVIS, 'head_centre': SKULL, 'head_top': 0.008,
}  # fmt: skip
_MPII_BIAS = 0.6  # MPII's head size is 0.6 times the diagonal of the head's box


def to_image(canvas: np.ndarray) -> np.ndarray:
    """Canvas coordinates as image coordinates; in both, pixel centres are integers."""
    return (np.asarray(canvas) - (OVERSAMPLING - 1) / 2) / OVERSAMPLING


def locate_joints(pen: Pen) -> np.ndarray:
    """Canvas coordinates of ``JOINTS``, float64 (16, 2)."""
    return np.array([pen.seen[name][:2] for name in JOINTS])


def joints_inside(joints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Find the joints that lie in the image.

    Args:
        joints: Canvas coordinates (16, 2).
        size: Width and height of the image.

    Returns:
        np.ndarray: bool (16,).
    """
    image = to_image(joints)
    return ((image >= 0) & (image <= np.array(size) - 1)).all(axis=1)


def joints_hidden(
    pen: Pen, joints: np.ndarray, inside: np.ndarray, owners: np.ndarray, canvas: np.ndarray
) -> np.ndarray:
    """Find the joints that something nearer hides.

    A joint is hidden where its pixel shows anything but the segments that meet in it (:func:`own_parts`): another part
    of the body drawn over it, or an occluder. The trunk is thick, so it also hides those of its own joints that lie
    deep behind it: the far shoulder of a person seen from the side.

    Args:
        pen: Pen of the figure, with its body.
        joints: Canvas coordinates (16, 2).
        inside: Joints that lie in the image (16,); the others count as not hidden.
        owners: Owner of each palette index (256,).
        canvas: The painted index image (H, W).

    Returns:
        np.ndarray: bool (16,).
    """
    hidden = np.zeros(len(JOINTS), bool)
    for number, ((x, y), shown) in enumerate(zip(np.rint(joints).astype(int).tolist(), inside.tolist(), strict=True)):
        if shown:
            owner = int(owners[canvas[y, x]])
            name = JOINTS[number]
            hidden[number] = owner not in OWN_NUMBERS[name] or (owner == OWNER['torso'] and behind_trunk(pen, name))
    return hidden


def behind_trunk(pen: Pen, joint: str) -> bool:
    """Test whether a shoulder or hip, with its flesh, lies beyond the trunk's far surface."""
    _, _, kind = joint.partition('_')
    if kind not in THICKNESS:
        return False
    middle, radius = THICKNESS[kind]
    return pen.points[joint][2] - pen.points[middle][2] > radius * pen.girth


def body_box(pen: Pen, size: tuple[int, int]) -> np.ndarray:
    """Box around the flesh of a person, cut at the image's edges.

    Args:
        pen: Pen of the figure, with its body.
        size: Width and height of the image.

    Returns:
        np.ndarray: x1, y1, x2, y2 in image pixels, float32 (4,).
    """
    box = to_image(_box_around([pen.ball(name, radius) for name, radius in _FLESH.items()]))
    return np.clip(box, 0, np.array([*size, *size]) - 1).astype(np.float32)


def head_size(pen: Pen) -> float:
    """Reference length of PCKh: 0.6 times the diagonal of the box around the skull, in image pixels."""
    x1, y1, x2, y2 = to_image(_box_around(skull_and_chin(pen))).tolist()
    return _MPII_BIAS * math.sqrt((x2 - x1) * (x2 - x1) + (y2 - y1) * (y2 - y1))


def _box_around(circles: Sequence[Circle]) -> np.ndarray:
    x, y, radius = np.array(circles).T
    return np.array([(x - radius).min(), (y - radius).min(), (x + radius).max(), (y + radius).max()])
