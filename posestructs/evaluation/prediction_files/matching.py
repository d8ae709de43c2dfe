"""Match predictions with labels: images, joints by name, persons.

Persons are matched by their ids where both sides have them (dumps). Elsewhere an image with as many predictions as
labelled persons pairs all of them, so that the sum of OKS is greatest; in other images predictions choose in the order
of their scores the free person with the greatest OKS, at least ``min_oks``, as in COCO's evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from posestructs.evaluation.error_anatomy import oks_scale
from posestructs.evaluation.prediction_files.labels import Labels
from posestructs.evaluation.prediction_files.poses import Poses

SIGMA = 0.07
"""Standard deviation for OKS of joints without one: the mean of COCO's is 0.067."""
_TOLERANCE = 0.5  # pixels between the labels of a dump and those of a file


@dataclass
class Matched:
    """One prediction for each of N labelled persons, with K joints in the order of the labels.

    Attributes:
        pred: (N, K, 2) pixels, NaN where nothing is predicted.
        scores: (N, K) scores, NaN likewise.
        found: (N,) bool, persons with a prediction.
        joints: (K,) bool, joints that are predicted at all.
        occluded: (N, K) the labels' occlusion, or that of the dump, which may have been made by its pipeline.
        fields: Further predictions (N, K) by name.
        notes: Remarks on what was left out, one sentence each.
    """

    pred: np.ndarray
    scores: np.ndarray
    found: np.ndarray
    joints: np.ndarray
    occluded: np.ndarray
    fields: dict[str, np.ndarray]
    notes: list[str]


def match_predictions(
    poses: Poses,
    labels: Labels,
    joint_map: Mapping[str, str] | None = None,
    common_joints: bool = False,
    min_oks: float = 0.1,
) -> Matched:
    """Find the prediction of each labelled person.

    Args:
        poses: The predictions.
        labels: The labels.
        joint_map: Name in the labels by name in the predictions, where the two differ.
        common_joints: Leave out joints that the predictions lack, instead of an error.
        min_oks: Least OKS of a prediction and its person.

    Returns:
        Matched: Predictions in the order of the labels.

    Raises:
        ValueError: Joints, images or persons do not match; lists what does not.
    """
    columns, notes = match_joints(poses, labels, joint_map or {}, common_joints)
    there = columns >= 0
    points, scores = _ordered(poses.keypoints, columns), _ordered(poses.scores, columns)
    if poses.ids is not None and poses.labels:
        source = _by_id(poses, labels, columns)
    else:
        images, left = match_images(poses, labels)
        notes += left
        source = _by_oks(points, poses, images, labels, min_oks)
    found = source >= 0
    if not found.any():
        raise ValueError(f'{poses.source}: no prediction belongs to a labelled person of {labels.source}')
    if not found.all():
        notes.append(f'{int((~found).sum())} of {len(found)} labelled persons have no prediction and are left out')
    unused = len(poses.keypoints) - int(found.sum())
    if unused:
        notes.append(f'{unused} of {len(poses.keypoints)} predictions belong to no labelled person')
    occluded = labels.occluded
    if 'keypoints_occluded' in poses.labels:
        dumped = _ordered(poses.labels['keypoints_occluded'].astype(np.float64), columns)
        occluded = np.where(found[:, None] & there, dumped[source], occluded)
    picked = {name: _ordered(value, columns)[source] for name, value in poses.fields.items()}
    for value in picked.values():
        value[~found] = np.nan
    pred, scores = points[source], scores[source]
    pred[~found], scores[~found] = np.nan, np.nan
    return Matched(pred, scores, found, there, np.nan_to_num(occluded, nan=-1).astype(np.int8), picked, notes)


def match_joints(
    poses: Poses, labels: Labels, joint_map: Mapping[str, str], common_joints: bool = False
) -> tuple[np.ndarray, list[str]]:
    """Column of the predictions for each joint of the labels.

    Names match where they are equal but for case and separators.

    Args:
        poses: The predictions; without names their joints are in the order of the labels.
        labels: The labels.
        joint_map: Name in the labels by name in the predictions.
        common_joints: Leave out joints that the predictions lack.

    Returns:
        tuple[np.ndarray, list[str]]: (K,) columns, -1 where there is none; notes on what is ignored.

    Raises:
        ValueError: Joints do not match; lists those of both sides.
    """
    names, number = labels.joints, poses.keypoints.shape[1]
    if poses.joints is None:
        if number != len(names):
            raise ValueError(
                f'{poses.source} has {number} joints without names, {labels.source} {len(names)}: {list(names)}. '
                'Name the predicted joints'
            )
        return np.arange(number), []
    unknown = [name for name in joint_map if name not in poses.joints]
    unknown += [name for name in joint_map.values() if name not in names]
    if unknown:
        raise ValueError(
            f'joint_map names {unknown}; predicted joints: {list(poses.joints)}, labelled joints: {list(names)}'
        )
    renamed = [_plain(joint_map.get(name, name)) for name in poses.joints]
    columns = np.array([renamed.index(_plain(name)) if _plain(name) in renamed else -1 for name in names])
    missing = [name for name, column in zip(names, columns, strict=True) if column < 0]
    extra = [name for i, name in enumerate(poses.joints) if i not in columns]
    if len(missing) == len(names) or (missing and not common_joints):
        raise ValueError(
            f'joints do not match by name: {labels.source} labels {missing}, which {poses.source} does not predict; '
            f'it predicts {extra}, which have no label. Map names to each other, or compare the common joints only'
        )
    notes = [f'labelled joints without a prediction are left out: {missing}'] * bool(missing)
    return columns, notes + [f'predicted joints without a label are ignored: {extra}'] * bool(extra)


def match_images(poses: Poses, labels: Labels) -> tuple[list, list[str]]:
    """Id of the labelled image that each prediction is of.

    Image ids, paths from their end and names without a suffix are tried in this order; numbers of frames are looked for
    in the digits at the end of the names.

    Args:
        poses: The predictions.
        labels: The labels.

    Returns:
        tuple[list, list[str]]: (M,) image ids, None for a frame without labels; notes on these.

    Raises:
        ValueError: Images of the predictions are not those of the labels, or a name stands for several.
    """
    wanted = list(dict.fromkeys(poses.images))
    finders = [_by_frame] if poses.frames else [_by_key, _by_path, _by_stem]
    best: dict[Any, Any] = {}
    for finder in finders:
        known = finder(wanted, labels)
        if len(known) > len(best):
            best = known
        if len(best) == len(wanted):
            break
    missing = [image for image in wanted if image not in best]
    if not best or (missing and not poses.frames):
        raise ValueError(
            f'{poses.source} predicts other images than {labels.source}: {len(missing)} of {len(wanted)} are not among '
            f'its {len(labels.known_images)}, the first: {missing[:3]}; labelled images are called '
            f'{list(labels.known_images.items())[:2]}'
        )
    notes = [f'{len(missing)} of {len(wanted)} frames have no label and are ignored'] if missing else []
    return [best.get(image) for image in poses.images], notes


def _plain(name: str) -> str:
    return re.sub(r'[\W_]', '', name).lower()


def _ordered(array: np.ndarray, columns: np.ndarray) -> np.ndarray:
    out = array[:, np.maximum(columns, 0)].astype(np.float64)
    out[:, columns < 0] = np.nan
    return out


def _by_key(wanted: Sequence, labels: Labels) -> dict:
    return {image: image for image in wanted if image in labels.known_images}


def _by_path(wanted: Sequence, labels: Labels) -> dict:
    """The labelled image whose path agrees in most parts from the end."""
    parts = {key: PurePosixPath(path).parts[::-1] for key, path in labels.known_images.items()}
    by_name: dict[str, list] = {}
    for key, path in parts.items():
        by_name.setdefault(path[0] if path else '', []).append(key)
    found = {}
    for image in wanted:
        own = PurePosixPath(str(image).replace('\\', '/')).parts[::-1]
        keys = by_name.get(own[0], []) if own else []
        common = [sum(1 for _ in _equal_prefix(parts[key], own)) for key in keys]
        if common and common.count(max(common)) == 1:
            found[image] = keys[int(np.argmax(common))]
        elif common:
            raise ValueError(f'image {image} may be any of {[labels.known_images[key] for key in keys][:3]}')
    return found


def _equal_prefix(first: Sequence, second: Sequence):
    for a, b in zip(first, second, strict=False):
        if a != b:
            return
        yield a


def _by_stem(wanted: Sequence, labels: Labels) -> dict:
    """Names without suffix, which ultralytics writes; as a number where it is one."""
    stems: dict[Any, list] = {}
    for key, path in labels.known_images.items():
        stem = PurePosixPath(path).stem
        for name in {stem, int(stem)} if stem.isdecimal() else {stem}:
            stems.setdefault(name, []).append(key)
    doubled = [image for image in wanted if len(stems.get(image, [])) > 1]
    if doubled:
        raise ValueError(f'image {doubled[0]} may be any of {[labels.known_images[key] for key in stems[doubled[0]]]}')
    return {image: stems[image][0] for image in wanted if image in stems}


def _by_frame(wanted: Sequence, labels: Labels) -> dict:
    numbers: dict[int, list] = {}
    for key, path in labels.known_images.items():
        digits = re.search(r'(\d+)$', PurePosixPath(path).stem)
        if digits:
            numbers.setdefault(int(digits.group(1)), []).append(key)
    doubled = [frame for frame in wanted if len(numbers.get(frame, [])) > 1]
    if doubled:
        raise ValueError(
            f'frame {doubled[0]} may be any of {[labels.known_images[k] for k in numbers[doubled[0]]][:3]}'
        )
    return {frame: numbers[frame][0] for frame in wanted if frame in numbers}


def _by_id(poses: Poses, labels: Labels, columns: np.ndarray) -> np.ndarray:
    """(N,) row of the predictions of each labelled person, by path and id; their labels must be the same."""
    rows: dict[tuple, int] = {}
    for i, (image, person) in enumerate(zip(poses.images, poses.ids, strict=True)):
        key = (PurePosixPath(str(image)).name, person)
        if key in rows:
            raise ValueError(f'{poses.source}: person {person} of {image} occurs twice')
        rows[key] = i
    persons = [(PurePosixPath(path).name, person) for path, person in zip(labels.paths, labels.ids, strict=True)]
    source = np.array([rows.get(key, -1) for key in persons])
    strangers = [key for key in rows if key not in set(persons)]
    if strangers:
        raise ValueError(
            f'{poses.source} predicts other persons than {labels.source}: {len(strangers)} of its {len(rows)} are not '
            f'labelled there, the first: id {strangers[0][1]} of {strangers[0][0]}'
        )
    given = _ordered(poses.labels['keypoints'], columns)[source]
    apart = np.abs(given - labels.keypoints).max(2) > _TOLERANCE
    apart &= labels.labelled & (source >= 0)[:, None] & (columns >= 0)
    if apart.any():
        n, k = np.argwhere(apart)[0]
        raise ValueError(
            f'{poses.source} was made with other labels than {labels.source}: {labels.joints[k]} of person '
            f'{labels.ids[n]} is at {given[n, k].round(1).tolist()} there and at '
            f'{labels.keypoints[n, k].round(1).tolist()} here'
        )
    return source


def _by_oks(points: np.ndarray, poses: Poses, images: Sequence, labels: Labels, min_oks: float) -> np.ndarray:
    """(N,) row of the predictions of each labelled person."""
    sigmas = labels.meta.get('sigmas')
    sigmas = np.full(points.shape[1], SIGMA) if sigmas is None or not len(sigmas) else np.asarray(sigmas)
    areas = np.where(labels.areas > 0, labels.areas, _extent(labels))
    units = oks_scale(areas, sigmas)
    rows: dict[Any, list[int]] = {}
    for i, image in enumerate(images):
        if image is not None:
            rows.setdefault(image, []).append(i)
    persons: dict[Any, list[int]] = {}
    for n, image in enumerate(labels.images):
        persons.setdefault(image, []).append(n)
    source = np.full(len(labels.keypoints), -1)
    for image, owners in persons.items():
        found = rows.get(image, [])
        similarity = np.stack([_oks(points[found], labels, n, units[n]) for n in owners], axis=1)  # (P, persons)
        if len(found) == len(owners):
            for p, n in zip(*linear_sum_assignment(-similarity), strict=True):
                source[owners[n]] = found[p]
            continue
        for p in np.argsort(-poses.person_scores[found], kind='stable'):
            free = np.where(source[owners] < 0, similarity[p], -1)
            if free.max() >= min_oks:
                source[owners[int(free.argmax())]] = found[p]
    return source


def _oks(points: np.ndarray, labels: Labels, person: int, unit: np.ndarray) -> np.ndarray:
    """(P,) OKS of predictions and one person; a joint that is not predicted counts 0."""
    mask = labels.labelled[person]
    delta = (points - labels.keypoints[person]) / unit[:, None]
    similarity = np.nan_to_num(np.exp(-(delta**2).sum(2) / 2))
    return similarity[:, mask].mean(1) if mask.any() else np.zeros(len(points))


def _extent(labels: Labels) -> np.ndarray:
    """(N,) area of the box around the labelled joints, for persons without an area."""
    mask = labels.labelled[..., None]
    sides = np.where(mask, labels.keypoints, -np.inf).max(1) - np.where(mask, labels.keypoints, np.inf).min(1)
    return np.maximum(np.maximum(sides, 0).prod(1) * 0.53, 1)
