"""Check and normalise the content of a COCO keypoint file before anything else reads it.

:func:`check_coco` is the one pass over the raw annotations. What it accepts is written back in one form, so that the
data set and ``CocoMetric`` read the same values: integer ids and flags, flat lists of keypoints with zeros for
unlabelled joints, ``num_keypoints`` counted from the flags, and ``area``, ``iscrowd`` and ``categories`` filled in.
An area that cannot be that of the box is estimated anew.

A file whose structure or ids are wrong is refused. A person who cannot be used is listed in ``problems``, one that
contradicts itself or its image in ``contradictions``, and what looks wrong but can be right in ``doubts``; the caller
decides how many of each are allowed. Shape legend: K joints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import numpy as np

from posestructs.datasets.coco_targets import estimate_area, flat_keypoints, is_finite, is_usable_area
from posestructs.datasets.errors import AnnotationError


@dataclass
class CocoCheck:
    """Result of :func:`check_coco`.

    Attributes:
        content: ``images``, ``annotations`` and ``categories``, normalised.
        persons: Number of annotations with a labelled joint.
        problems: Annotation ids of persons who cannot be used, with the reason.
        contradictions: Annotation ids whose ``num_keypoints`` and flags disagree on whether any joint is labelled (the
            flags count), with a joint further outside the image than the image is large, or with the joints of
            another annotation of the image.
        doubts: Annotation ids of persons whose joints are all far from their box.
        estimated_areas: Annotation ids whose ``area`` is 0, negative or not finite, or below 1 % or above 150 % of that
            of the box, and was estimated from the box.
    """

    content: dict[str, list]
    persons: int = 0
    problems: dict[int, str] = field(default_factory=dict)
    contradictions: dict[int, str] = field(default_factory=dict)
    doubts: dict[int, str] = field(default_factory=dict)
    estimated_areas: dict[int, str] = field(default_factory=dict)


def check_coco(content: Any, path: str, names: Sequence[str] | None = None) -> CocoCheck:
    """Check a COCO keypoint file and normalise its annotations.

    Args:
        content: Parsed JSON; not modified.
        path: The file, for errors.
        names: Joint names of the metainfo, in order. None where they are not known: then only the file itself is
            checked.

    Returns:
        The normalised content and everything to report.

    Raises:
        AnnotationError: The structure is not COCO's, an id is missing, repeated or unknown, the joints of a category
            are in another order than ``names``, or all coordinates are fractions.
    """
    if not isinstance(content, Mapping):
        raise AnnotationError(path, f'holds a {type(content).__name__}', 'an object with images and annotations')
    images = _check_images(content, path)
    categories = _check_categories(content, path)
    check = CocoCheck(dict(images=list(images.values()), annotations=[], categories=categories))
    seen: dict[int, Any] = {}
    for number, ann in enumerate(_list_of_dicts(content, 'annotations', path, default=[])):
        ann = _check_ids(dict(ann), number, seen, images, categories, path)
        _check_annotation(ann, check, path, names, images[ann['image_id']])
    used = sorted({ann['category_id'] for ann in check.content['annotations']})
    if not categories:
        check.content['categories'] = [dict(id=number, name='person') for number in used or [1]]
    _check_fractions(check, path)
    _find_repeated(check)
    if names is not None:
        _check_names(check, path, names)
    return check


def _list_of_dicts(content: Mapping, key: str, path: str, default: list | None = None) -> list[dict]:
    value = content.get(key, default)
    if value is None or not isinstance(value, list):
        found = f'is a {type(value).__name__}' if key in content else f'is missing, it has {sorted(map(str, content))}'
        raise AnnotationError(path, f'key {key!r} {found}', 'a list')
    for i, item in enumerate(value):
        if not isinstance(item, Mapping):
            raise AnnotationError(path, f'{key}[{i}] is {item!r}', 'an object')
    return value


def _integer(value: Any) -> int | None:
    """An id or a size: an integer, or a float without a fraction; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return int(value) if isinstance(value, Integral) or float(value).is_integer() else None


def _id(value: Any) -> int | None:
    """An id: an integer that a float holds exactly, as evaluation code requires; None for anything else."""
    number = _integer(value)
    return number if number is not None and abs(number) <= 2**53 else None


def _check_images(content: Mapping, path: str) -> dict[int, dict]:
    images: dict[int, dict] = {}
    for i, image in enumerate(_list_of_dicts(content, 'images', path)):
        number = _id(image.get('id'))
        if number is None:
            raise AnnotationError(path, f'images[{i}]: id is {image.get("id")!r}', 'an integer up to 2**53')
        name = image.get('file_name')
        if not isinstance(name, str) or not name:
            raise AnnotationError(path, f'image {number}: file_name is {name!r}', 'the name of a file')
        size = {key: _integer(image.get(key)) for key in ('width', 'height')}
        for key, value in size.items():
            if value is None or value < 1:
                raise AnnotationError(path, f'image {number} ({name}): {key} is {image.get(key)!r}', 'pixels, from 1')
        if number in images:
            raise AnnotationError(
                path,
                f'image id {number} occurs twice, for {images[number]["file_name"]} and {name}',
                'ids of its own for each image; files that are merged need new ids',
            )
        images[number] = dict(image, id=number, **size)
    return images


def _check_categories(content: Mapping, path: str) -> list[dict]:
    categories = []
    for i, category in enumerate(_list_of_dicts(content, 'categories', path, default=[])):
        number = _integer(category.get('id'))
        if number is None:
            raise AnnotationError(path, f'categories[{i}]: id is {category.get("id")!r}', 'an integer')
        categories.append(dict(category, id=number))
    return categories


def _check_ids(ann: dict, number: int, seen: dict, images: Mapping, categories: list[dict], path: str) -> dict:
    """Check id, image_id, category_id and iscrowd of an annotation, and write them back as integers."""
    ann_id = _id(ann.get('id'))
    if ann_id is None or ann_id < 0:  # xtcocotools takes a negative id for "not matched"
        raise AnnotationError(path, f'annotations[{number}]: id is {ann.get("id")!r}', 'an integer from 0 to 2**53')
    image_id = _integer(ann.get('image_id'))
    if image_id not in images:
        raise AnnotationError(
            path, f'annotation {ann_id}: image_id {ann.get("image_id")!r} is not among its images', 'an id of images'
        )
    if ann_id in seen:
        raise AnnotationError(
            path,
            f'annotation id {ann_id} occurs twice, in images {seen[ann_id]} and {image_id}',
            'ids of its own for each annotation; files that are merged need new ids',
        )
    seen[ann_id] = image_id
    known = [category['id'] for category in categories] or [1]
    given = ann.get('category_id', known[0] if len(known) == 1 else None)
    category = _integer(given)
    if category is None or (categories and category not in known):
        raise AnnotationError(path, f'annotation {ann_id}: category_id is {given!r}', f'one of {known}')
    crowd = ann.get('iscrowd') or 0
    if crowd not in (0, 1):
        raise AnnotationError(path, f'annotation {ann_id}: iscrowd is {crowd!r}', '0 or 1')
    return ann | dict(id=ann_id, image_id=image_id, category_id=category, iscrowd=int(crowd))


def _check_annotation(ann: dict, check: CocoCheck, path: str, names: Sequence[str] | None, image: dict) -> None:
    """Check joints, box and area; append the annotation, normalised, unless it cannot be used."""
    joints = _check_keypoints(ann, path, names)
    labelled = 0 if joints is None else int((joints[:, 2] > 0).sum())
    stated = ann.get('num_keypoints')
    if stated is not None and _integer(stated) is None:
        raise AnnotationError(path, f'annotation {ann["id"]}: num_keypoints is {stated!r}', 'an integer')
    if joints is None and stated:
        check.problems[ann['id']] = f'num_keypoints is {stated} without keypoints'
    elif stated is not None and bool(int(stated)) != bool(labelled):
        check.contradictions[ann['id']] = f'num_keypoints is {stated} beside {labelled} labelled joints'
    is_person = labelled > 0 and not ann['iscrowd']
    check.persons += is_person
    fault = _box_fault(ann)
    if not fault and is_person and joints[joints[:, 2] > 0, :2].max() <= 0:
        fault = 'no coordinate is above 0'
    if fault:
        if is_person:
            check.problems[ann['id']] = f'{fault}, beside {labelled} labelled joints'
        return
    if joints is None:
        return
    _check_area(ann, check, path)
    flags = joints[:, 2].astype(int).tolist()
    points = [(0.0, 0.0) if flag == 0 else (x, y) for (x, y), flag in zip(joints[:, :2].tolist(), flags, strict=True)]
    ann['keypoints'] = [value for point, flag in zip(points, flags, strict=True) for value in (*point, flag)]
    ann['num_keypoints'] = labelled
    far = _far_from_image(joints, image)
    if is_person and far is not None:
        check.contradictions[ann['id']] = (
            f'joint {_joint(far, names)} is at {joints[far, :2].tolist()}, the image has {image["width"]} x '
            f'{image["height"]} pixels'
        )
    if is_person and _far_from_box(joints, ann['bbox']):
        check.doubts[ann['id']] = f'none of {labelled} labelled joints is near the bbox {ann["bbox"]}'
    check.content['annotations'].append(ann)


def _check_keypoints(ann: dict, path: str, names: Sequence[str] | None) -> np.ndarray | None:
    """(K, 3) float64 x, y, flag; None where the annotation has no joints."""
    given, where = ann.get('keypoints'), f'annotation {ann["id"]}: keypoints'
    if given is None or given == []:
        return None
    if not isinstance(given, list):
        raise AnnotationError(path, f'{where} is {given!r}', 'a list of x, y, flag for each joint')
    flat = flat_keypoints(given)
    if len(flat) % 3 or (names is not None and len(flat) != 3 * len(names)):
        count = '3 numbers for each joint' if names is None else f'{3 * len(names)}, 3 for each of {len(names)} joints'
        category = f' (category {ann["category_id"]})'
        raise AnnotationError(path, f'{where} has {len(flat)} numbers{category}', count)
    flags = flat[2::3]
    for i, flag in enumerate(flags):
        if _integer(flag) not in (0, 1, 2):
            raise AnnotationError(path, f'{where}: the flag of joint {_joint(i, names)} is {flag!r}', '0, 1 or 2')
        point = flat[3 * i : 3 * i + 2]
        if flag > 0 and not all(is_finite(value) for value in point):
            raise AnnotationError(path, f'{where}: joint {_joint(i, names)} is at {point}', 'finite coordinates')
    points = [value if is_finite(value) else 0.0 for i, value in enumerate(flat) if i % 3 < 2]  # of unlabelled joints
    return np.column_stack([np.array(points, dtype=np.float64).reshape(-1, 2), flags])


def _joint(number: int, names: Sequence[str] | None) -> str:
    return f'{number}' if names is None else f'{number} ({names[number]})'


def _box_fault(ann: dict) -> str | None:
    box = ann.get('bbox')
    if box is None:
        return 'bbox is absent'
    if not isinstance(box, list) or len(box) != 4 or not all(is_finite(value) for value in box):
        return f'bbox is {box!r}, allowed: 4 finite numbers x, y, width, height'
    if box[2] <= 0 or box[3] <= 0 or max(box[2:]) <= 1:
        return f'bbox {box} is {box[2]:g} x {box[3]:g} pixels'
    return None


def _check_area(ann: dict, check: CocoCheck, path: str) -> None:
    area = ann.get('area')
    if area is None:
        ann['area'] = estimate_area(ann['bbox'])
    elif not isinstance(area, Real) or isinstance(area, bool):
        raise AnnotationError(path, f'annotation {ann["id"]}: area is {area!r}', 'square pixels')
    elif not is_usable_area(area, ann['bbox']):
        if ann.get('num_keypoints') != 0:
            width, height = ann['bbox'][2:]
            check.estimated_areas[ann['id']] = f'area is {area!r} beside a bbox of {width:g} x {height:g} pixels'
        ann['area'] = estimate_area(ann['bbox'])


def _far_from_image(joints: np.ndarray, image: Mapping) -> int | None:
    """Index of a labelled joint further outside the image than the image is large."""
    size = np.array([image['width'], image['height']])
    far = (joints[:, 2] > 0) & ((joints[:, :2] < -size) | (joints[:, :2] > 2 * size)).any(axis=1)
    return int(far.argmax()) if far.any() else None


def _far_from_box(joints: np.ndarray, box: Sequence[float]) -> bool:
    """Check whether all labelled joints are more than a box away from the box."""
    points = joints[joints[:, 2] > 0, :2]
    low, size = np.array(box[:2]), np.array(box[2:])
    return not ((points >= low - size) & (points <= low + 2 * size)).all(axis=1).any()


def _check_fractions(check: CocoCheck, path: str) -> None:
    """Refuse coordinates that are fractions of the image instead of pixels; of some persons they are problems."""
    persons = [ann for ann in check.content['annotations'] if ann['num_keypoints'] > 1]
    wrong = [ann['id'] for ann in persons if all(0 <= value <= 1 for value in _coordinates(ann))]
    if wrong and len(wrong) == len(persons):
        raise AnnotationError(
            path,
            f'all labelled joints are within [0, 1], such as those of annotation {wrong[0]}',
            'coordinates in pixels, not fractions of the image',
        )
    for number in wrong:
        check.problems[number] = 'all labelled joints are within [0, 1], fractions instead of pixels'
    if wrong:
        left_out = set(wrong)
        check.content['annotations'] = [ann for ann in check.content['annotations'] if ann['id'] not in left_out]


def _find_repeated(check: CocoCheck) -> None:
    """List persons that an image has twice: with the same joints, of which at least two are labelled."""
    first: dict[tuple, int] = {}
    for ann in check.content['annotations']:
        if ann['num_keypoints'] > 1 and not ann['iscrowd']:
            other = first.setdefault((ann['image_id'], ann['category_id'], *ann['keypoints']), ann['id'])
            if other != ann['id']:
                check.contradictions[ann['id']] = f'its joints are those of annotation {other} of the same image'


def _coordinates(ann: dict) -> list[float]:
    joints = np.reshape(ann['keypoints'], (-1, 3))
    return joints[joints[:, 2] > 0, :2].ravel().tolist()


def _check_names(check: CocoCheck, path: str, names: Sequence[str]) -> None:
    """Compare the joints of each category in use with those of the metainfo."""
    used = {ann['category_id'] for ann in check.content['annotations'] if ann['num_keypoints']}
    ours = [plain_name(name) for name in names]
    for category in check.content['categories']:
        theirs = category.get('keypoints')
        if theirs is None or category['id'] not in used:
            continue
        if not isinstance(theirs, list) or len(theirs) != len(names):
            raise AnnotationError(
                path, f'category {category["id"]} has the keypoints {theirs}', f'the {len(names)} joints {list(names)}'
            )
        for i, name in enumerate(map(plain_name, theirs)):
            if name != ours[i] and name in ours:
                raise AnnotationError(
                    path,
                    f'category {category["id"]}: joint {i} is {theirs[i]!r}, but {names[i]!r} in the metainfo',
                    f'the order of the metainfo, {list(names)}',
                )


def plain_name(name: Any) -> str:
    """Name of a joint for comparison: lower case, without separators.

    Args:
        name: The name in a file or in metainfo.
    """
    return re.sub(r'[\W_]+', '', str(name)).lower()
