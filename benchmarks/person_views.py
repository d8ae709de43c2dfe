"""How a labelled person stands in the image: upright, tilted or head down; seen from the front or from the back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

UPRIGHT, HEAD_DOWN = 45.0, 135.0
"""Angles between the torso and the vertical, in degrees: below the first upright, above the second head down."""
TORSO = ('left_shoulder', 'right_shoulder', 'left_hip', 'right_hip')


def person_views(keypoints: np.ndarray, labelled: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Persons by view; those without labels of both shoulders and both hips are in none.

    The torso points from the middle of the hips to that of the shoulders. A person is seen from the front if, with the
    torso turned upright, the left shoulder lies to the right of the right one in the image.

    Args:
        keypoints: (N, K, 2) labels in pixels, y downwards.
        labelled: (N, K) bool.
        names: K names of joints.

    Returns:
        dict[str, np.ndarray]: (N,) bool each of upright, tilted, head down, front and back; empty if the data set has
        no shoulders or hips.
    """
    if not set(TORSO) <= set(names):
        return {}
    index = [list(names).index(name) for name in TORSO]
    known = labelled[:, index].all(1)
    left, right, left_hip, right_hip = (keypoints[:, i].astype(np.float64) for i in index)
    torso = (left + right) / 2 - (left_hip + right_hip) / 2
    known &= np.abs(torso).sum(1) > 0
    angle = np.degrees(np.arctan2(np.abs(torso[:, 0]), -torso[:, 1]))
    across = left - right
    # z of torso x across: above 0 where the left shoulder lies to the right of an upright torso
    facing = torso[:, 0] * across[:, 1] - torso[:, 1] * across[:, 0]
    return {
        'upright': known & (angle < UPRIGHT),
        'tilted': known & (angle >= UPRIGHT) & (angle <= HEAD_DOWN),
        'head down': known & (angle > HEAD_DOWN),
        'front': known & (facing > 0),
        'back': known & (facing < 0),
    }
