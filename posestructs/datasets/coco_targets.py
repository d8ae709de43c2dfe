"""Targets of ``CocoMetric``: complete an annotation to the values that the checks of a COCO file write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from posestructs.datasets.errors import AnnotationError

AREA_OF_BOX = 0.53
"""Area of a person over the area of the box, mmpose's estimate where a file has no ``area``."""


PLAUSIBLE_AREA = (0.01, 1.5)
"""Range of the area of a person over the area of the box; outside of it the unit or the box is wrong."""


def normalise_target(ann: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Complete an annotation for ``CocoMetric``, to the values that ``check_coco`` writes.

    Unlike ``check_coco``, this takes any flags and any number of joints, as in files for mmpose's other data sets.
    Keypoints may be nested, a list for each joint; they become flat.

    Args:
        ann: One annotation.
        path: Its file, for errors.

    Returns:
        The annotation with ``iscrowd``, ``num_keypoints`` and ``area``, and zeros for joints that are not labelled.

    Raises:
        AnnotationError: A labelled joint or the box has no finite coordinates, or the id is negative.
    """
    ann = dict(ann, iscrowd=int(ann.get('iscrowd') or 0))
    if isinstance(ann.get('id'), Real) and ann['id'] < 0:  # xtcocotools takes it for "not matched"
        raise AnnotationError(path, f'annotation id {ann["id"]}', 'ids from 0')
    keypoints = flat_keypoints(ann.get('keypoints'))
    if keypoints:
        flags = keypoints[2::3]
        if not all(is_finite(flag) for flag in flags):
            raise AnnotationError(path, f'annotation {ann.get("id")}: keypoints has the flags {flags}', 'numbers')
        values = [value if i % 3 == 2 or flags[i // 3] > 0 else 0 for i, value in enumerate(keypoints)]
        if not all(map(is_finite, values)):
            raise AnnotationError(path, f'annotation {ann.get("id")}: keypoints are {keypoints}', 'finite coordinates')
        ann |= dict(keypoints=values, num_keypoints=sum(flag > 0 for flag in flags))
    box = ann.get('bbox')
    if is_usable_area(ann.get('area'), box):
        return ann
    if not _is_box(box):
        raise AnnotationError(path, f'annotation {ann.get("id")}: bbox is {box!r}', '4 finite numbers')
    return dict(ann, area=estimate_area(box))


def flat_keypoints(keypoints: Any) -> Any:
    """Join keypoints that are a list for each joint; return anything else as it is.

    Args:
        keypoints: Value in the file.
    """
    if not isinstance(keypoints, list) or not all(isinstance(item, (list, tuple)) for item in keypoints):
        return keypoints
    return [value for item in keypoints for value in item]


def is_usable_area(area: Any, bbox: Any) -> bool:
    """Check whether an area is positive and, beside a box, within ``PLAUSIBLE_AREA`` of that of the box.

    Args:
        area: Area in square pixels.
        bbox: x, y, width and height in pixels; anything else is not compared.
    """
    if not is_finite(area) or area <= 0:
        return False
    size = bbox[2] * bbox[3] if _is_box(bbox) else 0
    return size <= 0 or PLAUSIBLE_AREA[0] * size <= area <= max(PLAUSIBLE_AREA[1] * size, 1)


def _is_box(bbox: Any) -> bool:
    return isinstance(bbox, (list, tuple)) and len(bbox) == 4 and all(map(is_finite, bbox))


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
