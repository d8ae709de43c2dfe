"""Visibility of MPII's joints, which mmpose's json lacks, recovered from the files that have it.

``joints_vis`` of the json means labelled. True visibility is in the official ``mpii_human_pose_v1_u12_1.mat``
(``is_visible`` of a point) and in the h5 files of the stacked hourglass release (``visible``: 0 where occluded or not
labelled). Neither need list persons in the json's order, and the json may hold truncated coordinates, so persons are
matched by image and position.

Shape legend: N persons of the json, 16 joints in MPII's order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.optimize import linear_sum_assignment

from posestructs.datasets.errors import AnnotationError
from posestructs.datasets.mpii_files import NUM_JOINTS
from posestructs.datasets.readers import read_h5, read_mat
from posestructs.utils.checks import check_choice

# Upper neck and head top come from the head's box: the official file has no flag for them, the h5 calls them visible.
UNFLAGGED = (8, 9)


@dataclass
class VisiblePerson:
    """One person of a source of true visibility.

    Attributes:
        keypoints: (16, 2) in pixels.
        labelled: (16,) bool.
        occluded: (16,) int8: 1 occluded, 0 visible or not labelled, -1 not known.
    """

    keypoints: np.ndarray
    labelled: np.ndarray
    occluded: np.ndarray


@dataclass
class MatchReport:
    """Counts of persons and joints of a json that were found in the source.

    Attributes:
        persons: Persons of the json.
        persons_matched: Those with a joint that was found.
        joints: Labelled joints of the json.
        joints_matched: Those that were found.
        joints_known: Those found with a flag.
        joints_occluded: Those whose flag says occluded.
    """

    persons: int
    persons_matched: int
    joints: int
    joints_matched: int
    joints_known: int
    joints_occluded: int

    @property
    def percent_occluded(self) -> float:
        """Percentage of occluded joints among the labelled ones whose flag is known."""
        return 100 * self.joints_occluded / max(self.joints_known, 1)


def read_visibility(path: str | Path, unflagged: str = 'visible') -> dict[str, list[VisiblePerson]]:
    """Read true visibility, from either source.

    Args:
        path: ``mpii_human_pose_v1_u12_1.mat``, or ``train.h5`` or ``valid.h5`` of the hourglass release.
        unflagged: Label of upper neck and head top, which MPII does not flag: 'visible', as in the h5, or 'unknown'.

    Returns:
        dict[str, list[VisiblePerson]]: The labelled persons of each image.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: It is neither, or holds a value that cannot be.
    """
    check_choice('unflagged', unflagged, ('visible', 'unknown'))
    read = _read_hourglass if Path(path).is_file() and h5py.is_hdf5(path) else _read_official
    persons: dict[str, list[VisiblePerson]] = {}
    for image, person in read(path):
        if unflagged == 'unknown':
            joints = list(UNFLAGGED)
            person.occluded[joints] = np.where(person.labelled[joints], -1, 0)
        else:
            person.occluded[person.occluded < 0] = 0
        persons.setdefault(image, []).append(person)
    if not persons:
        raise AnnotationError(path, 'holds no labelled person')
    return persons


def _read_hourglass(path: str | Path) -> Iterator[tuple[str, VisiblePerson]]:
    content = read_h5(path, ['imgname', 'part', 'visible'])
    count = len(content['imgname'])
    for key, shape in dict(part=(count, NUM_JOINTS, 2), visible=(count, NUM_JOINTS)).items():
        if content[key].shape != shape:
            raise AnnotationError(path, f'key {key!r} has shape {content[key].shape}', f'{shape} of MPII')
        if not np.isfinite(content[key]).all():
            raise AnnotationError(
                path, f'key {key!r}, row {np.argwhere(~np.isfinite(content[key]))[0][0]} is not finite'
            )
    for name, part, visible in zip(content['imgname'], content['part'], content['visible'], strict=True):
        labelled = (part != 0).any(axis=1) | (visible > 0)
        occluded = (labelled & (visible == 0)).astype(np.int8)
        yield name.decode('utf-8'), VisiblePerson(part.astype(np.float64), labelled, occluded)


def _read_official(path: str | Path) -> Iterator[tuple[str, VisiblePerson]]:
    release = read_mat(path, ['RELEASE'], struct_as_record=False, squeeze_me=True)['RELEASE']
    if not hasattr(release, 'annolist'):
        raise AnnotationError(path, f"key 'RELEASE' has no field 'annolist': it is {type(release).__name__}")
    for i, image in enumerate(_items(release.annolist)):
        name = getattr(getattr(image, 'image', None), 'name', None)
        if not isinstance(name, str) or not name:
            raise AnnotationError(path, f'RELEASE.annolist({i + 1}).image.name is {name!r}', 'an image name')
        for j, rect in enumerate(_items(getattr(image, 'annorect', None))):
            points = [
                point
                for annotation in _items(getattr(rect, 'annopoints', None))
                for point in _items(getattr(annotation, 'point', None))
            ]
            if points:
                yield name, _official_person(points, path, f'RELEASE.annolist({i + 1}).annorect({j + 1})')


def _items(value: Any) -> list[Any]:
    """A Matlab struct array as a list: one struct is squeezed to itself, none to an empty array."""
    if hasattr(value, '_fieldnames'):
        return [value]
    return [v for v in np.ravel(value) if hasattr(v, '_fieldnames')] if isinstance(value, np.ndarray) else []


def _official_person(points: list[Any], path: str | Path, where: str) -> VisiblePerson:
    person = VisiblePerson(
        np.zeros((NUM_JOINTS, 2)), np.zeros(NUM_JOINTS, dtype=bool), np.zeros(NUM_JOINTS, dtype=np.int8)
    )
    for k, point in enumerate(points):
        here = f'{where}.annopoints.point({k + 1})'
        try:
            joint, x, y = int(point.id), float(point.x), float(point.y)
        except (AttributeError, TypeError, ValueError) as error:
            raise AnnotationError(path, f'{here} has no number x, y or id: {error}') from error
        if not 0 <= joint < NUM_JOINTS:
            raise AnnotationError(path, f'{here}.id is {joint}', f'0 to {NUM_JOINTS - 1}')
        if not np.isfinite([x, y]).all():
            raise AnnotationError(path, f'{here} (joint {joint}) is at {[x, y]}', 'finite coordinates')
        person.keypoints[joint] = x, y
        person.labelled[joint] = True
        person.occluded[joint] = _occluded(getattr(point, 'is_visible', ''), path, here)
    return person


def _occluded(flag: Any, path: str | Path, where: str) -> int:
    """``is_visible`` as -1, 0 or 1 occluded: the file holds numbers, characters, and empty values."""
    text = str(flag.item() if isinstance(flag, np.ndarray) and flag.size == 1 else flag).strip()
    if isinstance(flag, np.ndarray) and flag.size == 0 or text == '':
        return -1
    try:
        return {1.0: 0, 0.0: 1}[float(text)]
    except (KeyError, ValueError) as error:
        raise AnnotationError(path, f'{where}.is_visible is {flag!r}', '0, 1 or empty') from error


def match_persons(
    images: list[str],
    joints: np.ndarray,
    labelled: np.ndarray,
    source: dict[str, list[VisiblePerson]],
    tolerance: float = 1.5,
) -> tuple[np.ndarray, MatchReport]:
    """Find each person in the source, by image and position.

    Persons of an image are paired so that most joints coincide. A joint takes the flag of the same joint of its partner
    where that is within ``tolerance``, and is unknown otherwise.

    Args:
        images: N image names.
        joints: (N, 16, 2) in pixels.
        labelled: (N, 16) bool.
        source: Result of :func:`read_visibility`.
        tolerance: In pixels. The default admits coordinates truncated to integers.

    Returns:
        tuple[np.ndarray, MatchReport]: (N, 16) int8: 1 occluded, 0 visible or not labelled, -1 labelled but not known;
        and the counts.
    """
    occluded = np.where(labelled, -1, 0).astype(np.int8)
    matched = np.zeros(labelled.shape, dtype=bool)
    rows_of: dict[str, list[int]] = {}
    for row, image in enumerate(images):
        rows_of.setdefault(image, []).append(row)
    for image, rows in rows_of.items():
        persons = source.get(image, [])
        if not persons:
            continue
        # same[i, j, k]: joint k of the image's i-th person of the json and j-th of the source coincide
        distance = np.linalg.norm(joints[rows][:, None] - np.stack([p.keypoints for p in persons]), axis=-1)
        same = (distance <= tolerance) & labelled[rows][:, None] & np.stack([p.labelled for p in persons])
        for i, j in zip(*linear_sum_assignment(same.sum(axis=-1), maximize=True), strict=True):
            matched[rows[i]] = same[i, j]
            occluded[rows[i]][same[i, j]] = persons[j].occluded[same[i, j]]
    known = labelled & (occluded >= 0)
    report = MatchReport(
        persons=len(images),
        persons_matched=int(matched.any(axis=1).sum()),
        joints=int(labelled.sum()),
        joints_matched=int(matched.sum()),
        joints_known=int(known.sum()),
        joints_occluded=int((occluded == 1).sum()),
    )
    return occluded, report
