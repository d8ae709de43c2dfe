"""Occlusion labels as one more channel of ``keypoints_visible``.

mmpose's transforms permute, drop, stack and clip ``keypoints_visible`` together with the keypoints, and never look
beyond its first channel. Labels in a further channel therefore stay with the right joint of the right
person, without a line of mmpose's code repeated. These functions put the labels in and take them out.

Shapes: N persons, K joints, C channels. Values of ``keypoints_occluded``: 1 occluded, 0 visible (or not labelled), -1
not known.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

KEY = 'keypoints_occluded'
PRESENT = 'keypoints_present'  # 1 in the image, 0 outside, -1 not labelled; set by RandomPersonCut
FLIP_MARK = 'occlusion_flipped'  # True where the labels fit the last flip; set by transforms that flip or make them
CONVERSION_MARK = (
    'occlusion_converted'  # True where the labels fit converted joints; set by transforms that convert or make them
)


def has_occlusion(results: Mapping) -> bool:
    """Check for occlusion labels and the joints that they belong to.

    Args:
        results: A sample within a pipeline.

    Returns:
        bool: ``True`` where both ``keypoints_occluded`` and ``keypoints`` are there and not ``None``.

    Raises:
        ValueError: ``keypoints_visible`` is missing, or the labels are not one per joint.
    """
    if results.get(KEY) is None or results.get('keypoints') is None:
        return False
    if results.get('keypoints_visible') is None:
        raise ValueError(f'a sample with {KEY} has the keys {sorted(results)}, required: keypoints_visible')
    found, expected = np.shape(results[KEY]), np.shape(results['keypoints'])[:2]
    if found != expected:
        raise ValueError(
            f'{KEY} has the shape {found}, allowed: {expected}, one label per joint in keypoints: name transforms that '
            'change the joints as strings, such as type="KeypointConverter", or take them from '
            'posestructs.datasets.transforms'
        )
    return True


def refuse_present(name: str, results: Mapping) -> None:
    """Refuse a sample whose joints would be exchanged or converted without their ``keypoints_present``.

    Args:
        name: Name of the transform that exchanges or converts joints.
        results: A sample within a pipeline.

    Raises:
        ValueError: The sample has been through ``RandomPersonCut``.
    """
    if results.get(PRESENT) is not None:
        raise ValueError(f'pipeline: {name} after RandomPersonCut, allowed: before it')


def labelled(keypoints_visible: np.ndarray) -> np.ndarray:
    """Read labelled joints from mmpose's visibility, with or without channels.

    Args:
        keypoints_visible: (N, K) or (N, K, C); channel 0 means labelled.

    Returns:
        np.ndarray: (N, K) bool.
    """
    first = keypoints_visible[..., 0] if keypoints_visible.ndim == 3 else keypoints_visible
    return first > 0


def unknown_occlusion(keypoints_visible: np.ndarray) -> np.ndarray:
    """Labels for persons of whose occlusion nothing is known: -1 where labelled, else 0.

    Args:
        keypoints_visible: (N, K) or (N, K, C).

    Returns:
        np.ndarray: (N, K) float32.
    """
    return -labelled(keypoints_visible).astype(np.float32)


def join(results: dict) -> None:
    """Append the occlusion labels to ``keypoints_visible`` as its last channel, in place.

    Args:
        results: A sample with ``keypoints_visible`` (N, K) or (N, K, C) and ``keypoints_occluded`` (N, K).
    """
    visible = results['keypoints_visible']
    channels = visible[..., None] if visible.ndim == 2 else visible
    results['keypoints_visible'] = np.concatenate([channels, results[KEY][..., None]], axis=-1)


def split(results: dict, ndim: int, dtype: np.dtype) -> None:
    """Undo :func:`join`, in place.

    Args:
        results: A sample with ``keypoints_visible`` (N, K, C + 1).
        ndim: Dimensions of ``keypoints_visible`` before, 2 or 3.
        dtype: Its type before.
    """
    joined = results['keypoints_visible']
    visible = joined[..., 0] if ndim == 2 else joined[..., :-1]
    results['keypoints_visible'] = np.ascontiguousarray(visible, dtype=dtype)
    results[KEY] = np.ascontiguousarray(joined[..., -1], dtype=np.float32)


def merge_sources(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Label of a joint that lies between two others: occluded if one is, else unknown if one is, else visible.

    Args:
        first: Labels of any shape.
        second: Labels of the same shape.

    Returns:
        np.ndarray: 1 where either is 1, else -1 where either is -1, else 0.
    """
    merged = np.maximum(first, second)
    return np.where((merged <= 0) & (np.minimum(first, second) < 0), -1, merged).astype(np.float32)
