"""COCO's joints in the order of a data set, with neck and head top derived from shoulders and ears.

Shapes: N persons, K joints of the data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

COCO = ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder', 'left_elbow')
COCO += ('right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle')
COCO += ('right_ankle',)
DERIVED = ('neck', 'head_top')

# MediaPipe's 33 landmarks have COCO's joints at these places
FROM_MEDIAPIPE = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)


def landmarks_to_coco(landmarks: list[list[list[float]] | None]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """COCO's joints among MediaPipe's landmarks.

    Args:
        landmarks: For each person 33 rows x, y, visibility, or None where the person was not found.

    Returns:
        Joints (N, 17, 2), NaN where a person was not found; scores (N, 17), 0 there; and found (N,) bool.
    """
    found = np.array([rows is not None for rows in landmarks], bool)
    joints, scores = np.full((len(found), len(COCO), 2), np.nan), np.zeros((len(found), len(COCO)))
    for n in np.flatnonzero(found):
        rows = np.asarray(landmarks[n], np.float64)[list(FROM_MEDIAPIPE)]
        joints[n], scores[n] = rows[:, :2], rows[:, 2]
    return joints, scores, found


def left_out(names: Sequence[str], infos: Sequence[dict]) -> list[str]:
    """Joints that peers neither have nor can be given.

    Args:
        names: Joint names of a data set.
        infos: Annotations of training persons, of whom one with a label suffices to derive neck or head top.

    Returns:
        Names of the joints.
    """
    return [
        name
        for k, name in enumerate(names)
        if name not in COCO and not (name in DERIVED and any(_labelled(info)[k] for info in infos))
    ]


def fit_head(joints: np.ndarray, infos: Sequence[dict], names: Sequence[str]) -> dict[str, float]:
    """Fractions of neck and head top on the line from mid-shoulders to mid-ears.

    Args:
        joints: (N, 17, 2) predictions for training persons.
        infos: Their annotations.
        names: Joint names of the data set.

    Returns:
        Fraction by joint, the median over persons of the best one; only for joints that the data set has and labels.
    """
    start, line = _head_line(joints)
    fractions, lacking = {}, left_out(names, infos)
    for name in DERIVED:
        if name in names and name not in lacking:
            k = names.index(name)
            target = np.stack([np.asarray(info['keypoints'])[0, k] for info in infos])
            labelled = np.array([_labelled(info)[k] for info in infos])
            # t = <p - s, l> / <l, l>
            t = ((target - start) * line).sum(1) / np.maximum((line**2).sum(1), 1e-9)
            fractions[name] = float(np.median(t[labelled]))
    return fractions


def _labelled(info: dict) -> np.ndarray:
    """(K,) bool of the first person."""
    visible = np.asarray(info['keypoints_visible'])[0]
    return (visible if visible.ndim == 1 else visible[:, 0]) > 0  # converted joints have weights in a second column


def _head_line(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shoulders, ears = (
        joints[:, [COCO.index(f'{side}_{part}') for side in ('left', 'right')]].mean(1) for part in ('shoulder', 'ear')
    )
    return shoulders, ears - shoulders


def to_dataset(
    joints: np.ndarray, scores: np.ndarray, names: Sequence[str], fractions: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Bring COCO's joints into a data set's order.

    A derived joint has the least score of all joints. Others that COCO does not have get place and score 0.

    Args:
        joints: (N, 17, 2).
        scores: (N, 17).
        names: K joint names of the data set.
        fractions: Fractions from :func:`fit_head`.

    Returns:
        Joints (N, K, 2) and scores (N, K).
    """
    start, line = _head_line(joints)
    places, sure = np.zeros((len(joints), len(names), 2)), np.zeros((len(joints), len(names)))
    for k, name in enumerate(names):
        if name in COCO:
            places[:, k], sure[:, k] = joints[:, COCO.index(name)], scores[:, COCO.index(name)]
        elif name in fractions:
            places[:, k], sure[:, k] = start + fractions[name] * line, scores.min(1)
    return places, sure
