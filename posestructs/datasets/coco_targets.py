"""Targets of ``CocoMetric``: complete an annotation to the values that the checks of a COCO file write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from posestructs.datasets.errors import AnnotationError

AREA_OF_BOX = 0.53
"""Area of a person over the area of the box, mmpose's estimate where a file has no ``area``."""


def normalise_target(ann: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Complete an annotation for ``CocoMetric``, to the values that ``check_coco`` writes.

    Unlike ``check_coco``, this takes any flags and any number of joints, as in files for mmpose's other data sets.

    Args:
        ann: One annotation.
        path: Its file, for errors.

    Returns:
        The annotation with ``iscrowd``, ``num_keypoints`` and ``area``, and zeros for joints that are not labelled.

    Raises:
        AnnotationError: A labelled joint or the box has no finite coordinates.
    """
    ann = dict(ann, iscrowd=int(ann.get('iscrowd') or 0))
    keypoints = ann.get('keypoints')
    if keypoints:
        flags = keypoints[2::3]
        if not all(is_finite(flag) for flag in flags):
            raise AnnotationError(path, f'annotation {ann.get("id")}: keypoints has the flags {flags}', 'numbers')
        values = [value if i % 3 == 2 or flags[i // 3] > 0 else 0 for i, value in enumerate(keypoints)]
        if not all(map(is_finite, values)):
            raise AnnotationError(path, f'annotation {ann.get("id")}: keypoints are {keypoints}', 'finite coordinates')
        ann |= dict(keypoints=values, num_keypoints=sum(flag > 0 for flag in flags))
    if not is_finite(ann.get('area')) or ann['area'] <= 0:
        box = ann.get('bbox')
        if not isinstance(box, (list, tuple)) or len(box) != 4 or not all(map(is_finite, box)):
            raise AnnotationError(path, f'annotation {ann.get("id")}: bbox is {box!r}', '4 finite numbers')
        ann['area'] = estimate_area(box)
    return ann


def estimate_area(bbox: Sequence[float]) -> float:
    """Estimate the area of a person.

    Args:
        bbox: x, y, width and height in pixels.

    Returns:
        Area in square pixels, at least 1.
    """
    return float(max(bbox[2] * bbox[3] * AREA_OF_BOX, 1.0))


def is_finite(value: Any) -> bool:
    """Check whether a value is a number that float32 holds, and not a bool."""
    return isinstance(value, Real) and not isinstance(value, bool) and abs(value) < 1e30
