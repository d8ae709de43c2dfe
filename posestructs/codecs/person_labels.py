"""Check the labels of one person before they become training targets.

Shapes: K joints.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from mmengine.logging import print_log


def read_person(
    codec: str, keypoints: np.ndarray, visible: np.ndarray | None, joints: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Joints of one person and their weights.

    Labelled joints that all lie in one pixel, which happens where a file gives fractions of the image size, are
    reported once per process.

    Args:
        codec: Name of the codec, for messages.
        keypoints: (1, K, 2) joints in input pixels; further columns are ignored.
        visible: (1, K) weights, above 0 where labelled, or (1, K, 2) with weights first, as mmpose's
            ``KeypointConverter`` leaves them; None for all labelled.
        joints: Names of the K joints; None where any number is allowed.

    Returns:
        tuple[np.ndarray, np.ndarray]: (K, 2) joints; (K,) float32 weights.

    Raises:
        ValueError: More than one person, another number of joints, weights that do not fit them, or a labelled joint
            at a position that is not finite.
    """
    keypoints = np.asarray(keypoints)
    count = 'K' if joints is None else len(joints)
    if keypoints.ndim != 3 or len(keypoints) != 1 or keypoints.shape[2] < 2 or count not in ('K', keypoints.shape[1]):
        names = '' if joints is None else f' for the joints {", ".join(joints)} (convert others with KeypointConverter)'
        raise ValueError(
            f'{codec}: keypoints has the shape {keypoints.shape}, allowed: one person, (1, {count}, 2){names}'
        )
    shape = keypoints.shape[:2]
    weights = np.ones(shape, np.float32) if visible is None else np.array(visible, np.float32)
    weights = weights[..., 0] if weights.ndim == 3 else weights
    if weights.shape != shape:
        raise ValueError(f'{codec}: keypoints_visible has the shape {np.shape(visible)}, allowed: {shape}')
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f'{codec}: keypoints_visible={weights[0].tolist()}, allowed: finite numbers of at least 0')
    points, weights = keypoints[0, :, :2], weights[0]
    bad = np.flatnonzero((weights > 0) & ~np.isfinite(points).all(axis=1))
    if len(bad):
        names = [k if joints is None else joints[k] for k in bad.tolist()]
        raise ValueError(f'{codec}: labelled joints at a position that is not finite: {names}')
    _report_one_pixel(codec, points[weights > 0])
    return points, weights


def _report_one_pixel(codec: str, points: np.ndarray) -> None:
    if len(points) < 3 or codec in _REPORTED or (np.ptp(points, axis=0) > 1).any():
        return
    _REPORTED.add(codec)
    print_log(
        f'{codec}: {len(points)} labelled joints of a person lie within one pixel of the input, around '
        f'({points[0, 0]:.2f}, {points[0, 1]:.2f}). If the annotations give fractions of the image size, multiply them '
        'by it. Further cases are not reported',
        logger='current',
        level=logging.WARNING,
    )


_REPORTED: set[str] = set()
