"""Conversion of person-centric to observer-centric left and right.

Rotate the pose so that mid-shoulder to mid-hip points straight down. If the right hip is then to the right of the left
one, the person is seen from behind: the legs' columns swap sides; likewise the arms' by the shoulders. The result keeps
the columns, "right" being what an upright person has on the image's left. The rule turns the person-centric labels of
all 2,000 persons of LSP into the published observer-centric ones (``joints_pc_oc.mat``).

Shape legend: N persons, 14 joints in LSP's order, columns x, y and any others.
"""

from __future__ import annotations

import numpy as np

_LEGS, _ARMS = (0, 1, 2, 3, 4, 5), (6, 7, 8, 9, 10, 11)
_HIPS, _SHOULDERS = (2, 3), (8, 9)


def to_observer_centric(joints: np.ndarray, labelled: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Swap left and right where a person's sides are not the observer's.

    Args:
        joints: (N, 14, C), C >= 2, person-centric: x and y in pixels, then flags that go with the joint.
        labelled: (N, 14) bool. All where None. The trunk's direction is taken from what is labelled of shoulders and
            hips; a pair is compared only where both are labelled.

    Returns:
        tuple[np.ndarray, np.ndarray]: (N, 14, C) observer-centric; (N,) bool, True where arms or legs could not be
        decided and were left as they are.
    """
    joints = np.asarray(joints)
    if labelled is None:
        labelled = np.ones(joints.shape[:2], dtype=bool)
    points = np.where(labelled[..., None], joints[..., :2], 0).astype(np.float64)
    # d = mid-hip - mid-shoulder, the direction that is turned to point down (0, +1)
    down = _middle(points, labelled, _HIPS) - _middle(points, labelled, _SHOULDERS)
    axis_known = labelled[:, _HIPS].any(axis=1) & labelled[:, _SHOULDERS].any(axis=1) & (down != 0).any(axis=1)

    result, undecided = joints.copy(), np.zeros(len(joints), dtype=bool)
    for group, pair in ((_LEGS, _HIPS), (_ARMS, _SHOULDERS)):
        known = axis_known & labelled[:, pair].all(axis=1)
        across = points[:, pair[0]] - points[:, pair[1]]
        # x after the rotation that takes d to (0, |d|), times |d|:  x' = a_x d_y - a_y d_x
        swap = known & (across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0] > 0)
        columns = np.array(group)
        result[np.ix_(swap, columns)] = joints[np.ix_(swap, columns[::-1])]
        undecided |= ~known
    return result, undecided


def _middle(points: np.ndarray, labelled: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    weight = labelled[:, pair].astype(np.float64)[..., None]
    return (points[:, pair] * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
