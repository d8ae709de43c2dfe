"""Boxes, mmpose's fields and checks of one person.

Shape legend: K joints; keypoints (K, 2) in pixels, labelled (K,) bool, occluded (K,) or None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from posestructs.datasets.errors import AnnotationError


def box_from_joints(
    keypoints: np.ndarray, labelled: np.ndarray, padding: float = 1.0, img_size: tuple[int, int] | None = None
) -> np.ndarray:
    """Box around the labelled joints, scaled about its centre and clipped to the image.

    Args:
        keypoints: (K, 2) in pixels.
        labelled: (K,) bool.
        padding: Side of the box relative to that of the tight box.
        img_size: Width and height in pixels. Where not known, only the left and top are clipped.

    Returns:
        np.ndarray: (1, 4) float32 xyxy in pixels; zeros where no joint is labelled.
    """
    points = keypoints[labelled]
    if len(points) == 0:
        return np.zeros((1, 4), dtype=np.float32)
    low, high = points.min(axis=0), points.max(axis=0)
    centre, half = (low + high) / 2, (high - low) / 2 * padding
    limit = np.full(2, np.inf) if img_size is None else np.asarray(img_size, dtype=np.float64)
    corners = np.clip([centre - half, centre + half], 0, limit)
    return corners.reshape(1, 4).astype(np.float32)


def make_instance(
    keypoints: np.ndarray,
    labelled: np.ndarray,
    occluded: np.ndarray | None,
    bbox: np.ndarray,
    *,
    img_path: str,
    img_id: int,
    ann_id: int,
    **extra: Any,
) -> dict[str, Any]:
    """mmpose's fields of one person; an unlabelled joint gets zeros regardless of the file.

    Args:
        keypoints: (K, 2) in pixels.
        labelled: (K,) bool.
        occluded: (K,) of 1 occluded, 0 visible, -1 not known. None: the set has no such labels.
        bbox: (1, 4) xyxy in pixels.
        img_path: The image.
        img_id: Number of the image.
        ann_id: Number of the annotation.
        **extra: Further fields.

    Returns:
        dict: One entry of a data list.
    """
    labelled = np.asarray(labelled, dtype=bool)
    points = np.where(labelled[:, None], keypoints, 0).astype(np.float32)
    if occluded is not None:
        occluded = np.where(labelled, occluded, 0).astype(np.float32)
    width, height = (bbox[0, 2:] - bbox[0, :2]).tolist()
    area = max(width * height * 0.53, 1.0)  # mmpose's own estimate where a set has no segmentation
    coco = _coco_person(points, labelled, occluded, bbox, area) | dict(id=ann_id, image_id=img_id)
    return dict(
        img_id=img_id,
        img_path=img_path,
        id=ann_id,
        category_id=np.array(1),
        bbox=bbox,
        bbox_score=np.ones(1, dtype=np.float32),
        num_keypoints=coco['num_keypoints'],
        keypoints=points[None],
        keypoints_visible=labelled.astype(np.float32)[None],
        keypoints_occluded=None if occluded is None else occluded[None],
        area=np.array(area, dtype=np.float32),
        iscrowd=0,
        raw_ann_info=coco,
        **extra,
    )


def _coco_person(
    points: np.ndarray, labelled: np.ndarray, occluded: np.ndarray | None, bbox: np.ndarray, area: float
) -> dict[str, Any]:
    """The person as COCO writes it, which lets CocoMetric score any data set."""
    flags = labelled * 2.0 if occluded is None else labelled * np.where(occluded == 1, 1.0, 2.0)
    return dict(
        category_id=1,
        bbox=[*bbox[0, :2].tolist(), *(bbox[0, 2:] - bbox[0, :2]).tolist()],
        keypoints=np.concatenate([points, flags[:, None]], axis=1).ravel().tolist(),
        num_keypoints=int(labelled.sum()),
        area=area,
        iscrowd=0,
    )


def check_finite(
    keypoints: np.ndarray, labelled: np.ndarray, names: Sequence[str] | Mapping[int, str], path: str, person: Any
) -> None:
    """Refuse a labelled joint without a position.

    Args:
        keypoints: (K, 2) in pixels.
        labelled: (K,) bool.
        names: Joint names.
        path: The annotation file, for the error.
        person: Name or number of the person in it, for the error.

    Raises:
        AnnotationError: A coordinate of a labelled joint is NaN or infinite.
    """
    bad = np.flatnonzero(labelled & ~np.isfinite(keypoints).all(axis=-1))
    if len(bad):
        joint = int(bad[0])
        raise AnnotationError(
            path,
            f'person {person}: joint {joint} ({names[joint]}) is at {keypoints[joint].tolist()}',
            'finite coordinates',
        )


def outside_joints(keypoints: np.ndarray, labelled: np.ndarray, img_shape: tuple[int, int]) -> np.ndarray:
    """Find labelled joints outside the image.

    Half a pixel is allowed beyond the extent of either convention, pixel centres counted from 0 or from 1.

    Args:
        keypoints: (..., K, 2) in pixels.
        labelled: (..., K), above 0 where labelled.
        img_shape: Height and width in pixels.

    Returns:
        np.ndarray: (..., K) bool.
    """
    limit = np.array([img_shape[1], img_shape[0]]) + 0.5
    return (labelled > 0) & ((keypoints < -0.5) | (keypoints > limit)).any(axis=-1)


def box_problem(bbox: np.ndarray) -> str | None:
    """Describe the fault of a box.

    Args:
        bbox: (1, 4) xyxy in pixels.

    Returns:
        str | None: The fault, with the values.
    """
    if not np.isfinite(bbox).all():
        return f'box {bbox[0].tolist()} is not finite'
    width, height = (bbox[0, 2:] - bbox[0, :2]).tolist()
    if width <= 0 or height <= 0 or max(width, height) <= 1:
        return f'box {bbox[0].tolist()} is {width:g} x {height:g} pixels'
    return None
