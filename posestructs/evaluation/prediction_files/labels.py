"""Labels of persons, from COCO json files or from any mmpose data set."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posestructs.datasets.image_checks import has_image_files
from posestructs.evaluation.occlusion import OCCLUDED, UNKNOWN, VISIBLE
from posestructs.evaluation.shipped_metainfo import SHIPPED, complete
from posestructs.structures.metainfo import load_metainfo, metainfo_file

_SIDE = re.compile(
    r'(?:(?<=^)|(?<=[_\- .]))(left|right|l|r)(?=$|[_\- .])|(left|right)(?=[A-Z]|$)|(Left|Right)', re.IGNORECASE
)
_TWIN = dict(left='right', right='left', l='r', r='l')


@dataclass
class Labels:
    """Labels of N persons with K joints.

    Attributes:
        source: File or data set that they come from, for messages.
        keypoints: (N, K, 2) pixels; unlabelled ones may hold anything.
        labelled: (N, K) bool.
        occluded: (N, K) 1 = occluded, 0 = visible, -1 = not known.
        images: Id of each person's image.
        paths: Path of each person's image, perhaps relative.
        ids: Id of each person.
        areas: (N,) pixels, NaN where not known.
        meta: Metainfo: ``keypoint_name2id``, ``flip_indices``, and perhaps ``sigmas``, ``torso_pair`` and others.
        known_images: Path by image id, images without persons included.
        drawn: Whether the data set draws its images, so that the paths name no files.
    """

    source: str
    keypoints: np.ndarray
    labelled: np.ndarray
    occluded: np.ndarray
    images: list
    paths: list[str]
    ids: list
    areas: np.ndarray
    meta: Mapping[str, Any]
    known_images: Mapping[Any, str]
    drawn: bool = False

    def why_no_image(self, error: Exception) -> str:
        """Say why an image could not be read, given the error of the attempt."""
        return f'the images of {self.source} are synthetic, they have no files' if self.drawn else str(error)

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the joints, in order."""
        ids = self.meta['keypoint_name2id']
        return tuple(sorted(ids, key=ids.__getitem__))


def read_coco_labels(path: str | Path, metainfo: str | None = None, image_root: str | Path = '') -> Labels:
    """Read labels of a COCO json.

    Persons without a labelled joint and crowds are skipped. A joint flagged 1 is occluded, 2 visible.

    Args:
        path: The json file.
        metainfo: Metainfo file of the joints; by default that of a shipped set with the same joints, else mirror joints
            are found by their names.
        image_root: Folder of the images.

    Returns:
        Labels: At least one person.

    Raises:
        ValueError: It is not a COCO json, or its joints are not those of the metainfo; names file and annotation.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8-sig'))
        images = {image['id']: str(Path(image_root, image['file_name'])) for image in content['images']}
        annotations, categories = content['annotations'], content['categories']
    except OSError as error:
        raise ValueError(f'{path}: {error.strerror or error}') from error
    except (ValueError, TypeError, RecursionError, KeyError) as error:
        raise ValueError(f'{path}: not a COCO json with images, annotations and categories: {error!r}') from error
    names = {tuple(c['keypoints']) for c in categories if c.get('keypoints')}
    if len(names) != 1:
        raise ValueError(f'{path}: its categories name {len(names)} sets of joints (keypoints), needed: one')
    meta = _meta(next(iter(names)), metainfo, path)
    number = len(meta['keypoint_name2id'])
    _check_lists(content['images'], annotations, path)
    # COCO's persons without joints have no keypoints, or zeros
    persons = [a for a in annotations if not a.get('iscrowd') and a.get('keypoints')]
    found = [(a, _row(a, number, images, path)) for a in persons]
    kept, rows = [a for a, row in found if row[:, 2].any()], [row for _, row in found if row[:, 2].any()]
    if not kept:
        raise ValueError(f'{path}: no person has a labelled joint')
    ids = [a.get('id', i) for i, a in enumerate(kept)]
    if len(set(ids)) < len(ids):
        raise ValueError(f'{path}: annotation ids are not unique')
    points = np.stack(rows)
    flags = points[..., 2]
    occluded = np.select([flags == 1, flags == 2], [OCCLUDED, VISIBLE], UNKNOWN)
    return Labels(
        source=str(path),
        keypoints=points[..., :2],
        labelled=flags > 0,
        # a file that flags all joints alike says labelled, not visible
        occluded=occluded if (flags == 1).any() and (flags == 2).any() else np.full_like(occluded, UNKNOWN),
        images=[a['image_id'] for a in kept],
        paths=[images[a['image_id']] for a in kept],
        ids=ids,
        areas=np.array([_area(a) for a in kept]),
        meta=meta,
        known_images=images,
    )


def labels_of_dataset(dataset: Any, source: str = 'the data set') -> Labels:
    """Labels of an mmpose data set, without opening an image.

    Args:
        dataset: A top-down data set; a sample may hold several persons.
        source: Name of the data set, for messages.

    Returns:
        Labels: Its persons.
    """
    meta, rows = complete(dataset.metainfo), []
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        points = np.asarray(info['keypoints'], np.float64)[..., :2]
        visible = np.asarray(info['keypoints_visible'])
        visible = visible[..., 0] if visible.ndim == 3 else visible
        occluded = info.get('keypoints_occluded')
        occluded = np.full(visible.shape, UNKNOWN) if occluded is None else np.asarray(occluded)
        areas, boxes = info.get('area'), np.asarray(info['bbox'], np.float64).reshape(-1, 4)
        areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) * 0.53 if areas is None else np.ravel(areas)
        ids = np.ravel(info.get('id', i)).tolist()
        image = info.get('img_id', info['img_path'])
        for n in range(len(points)):
            person = ids[n] if len(ids) == len(points) else (ids[0], n)
            rows.append((points[n], visible[n] > 0, occluded[n], image, info['img_path'], person, areas[n]))
    points, labelled, occluded, images, paths, ids, areas = map(list, zip(*rows, strict=True))
    return Labels(
        source,
        np.stack(points),
        np.stack(labelled),
        np.stack(occluded).astype(np.int8),
        images,
        paths,
        ids,
        np.array(areas, np.float64),
        meta,
        dict(zip(images, paths, strict=True)),
        drawn=not has_image_files(dataset),
    )


def mirror_by_names(names: Sequence[str]) -> list[int]:
    """Mirror joints by the words left and right, or a separate l and r, in their names.

    Args:
        names: (K,) names.

    Returns:
        list[int]: (K,) index of each joint's mirror joint, its own where no joint has the name of the other side.
    """

    def other(match: re.Match) -> str:
        word = match.group(0)
        twin = _TWIN[word.lower()]
        return twin.upper() if word.isupper() else twin.capitalize() if word[0].isupper() else twin

    twins = [_SIDE.sub(other, name, count=1) for name in names]
    return [names.index(twin) if twin in names else i for i, twin in enumerate(twins)]


def _meta(names: tuple[str, ...], metainfo: str | None, path: str | Path) -> dict[str, Any]:
    if metainfo is not None:
        try:
            meta = complete(load_metainfo(dict(from_file=metainfo)))
        except OSError as error:
            raise ValueError(str(error)) from error
        own = sorted(meta['keypoint_name2id'], key=meta['keypoint_name2id'].__getitem__)
        if own != list(names):
            raise ValueError(f'{path}: its joints are {list(names)}, those of {metainfo} {own}')
        return meta
    for shipped in SHIPPED:
        meta = load_metainfo(dict(from_file=metainfo_file(shipped)))
        if [meta['keypoint_id2name'][i] for i in range(len(meta['keypoint_id2name']))] == list(names):
            return meta
    ids = {name: i for i, name in enumerate(names)}
    if len(ids) < len(names):
        raise ValueError(f'{path}: its categories name a joint twice: {list(names)}')
    return dict(
        dataset_name=Path(path).stem,
        keypoint_name2id=ids,
        keypoint_id2name=dict(enumerate(names)),
        flip_indices=mirror_by_names(names),
    )


def _row(annotation: Mapping, number: int, images: Mapping, path: str | Path) -> np.ndarray:
    where = f'{path}: annotation {annotation.get("id")}'
    try:
        row = np.array(annotation['keypoints'], np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{where}: keypoints are not numbers: {error}') from error
    if row.size != 3 * number:
        raise ValueError(f'{where}: keypoints has {row.size} numbers, needed: x, y and flag of {number} joints')
    if annotation.get('image_id') not in images:
        raise ValueError(f'{where}: image_id={annotation.get("image_id")!r} is not among the images')
    row = row.reshape(number, 3)
    for joint, (x, y, flag) in enumerate(row.tolist()):
        if flag not in (0, 1, 2):
            raise ValueError(f'{where}: joint {joint}: flag={flag:g}, allowed: 0, 1, 2')
        if flag and not np.isfinite([x, y]).all():
            raise ValueError(f'{where}: joint {joint}: position={x:g}, {y:g}, allowed: finite numbers')
    return row


def _check_lists(images: Sequence, annotations: Any, path: str | Path) -> None:
    """Refuse annotations that are no objects, and two images with one id, of which one would vanish."""
    if not isinstance(annotations, list) or not all(isinstance(a, Mapping) for a in annotations):
        raise ValueError(f'{path}: annotations are not a list of objects')
    names: dict = {}
    for image in images:
        if names.setdefault(image['id'], image['file_name']) != image['file_name']:
            raise ValueError(
                f'{path}: image id {image["id"]} occurs twice, for {names[image["id"]]} and {image["file_name"]}'
            )


def _area(annotation: Mapping) -> float:
    area, box = annotation.get('area'), annotation.get('bbox')
    if isinstance(area, (int, float)) and area > 0:
        return float(area)
    return float(box[2] * box[3] * 0.53) if box else np.nan
