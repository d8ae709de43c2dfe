"""Readers of the two forms in which FLIC is distributed.

The official ``examples.mat`` holds ``examples``, one struct per person, with ``coords`` (2, 29; NaN where a joint is
not labelled), ``filepath``, ``torsobox`` (x1, y1, x2, y2), ``imgdims`` (height, width, 3), ``istrain``, ``istest``;
FLIC-full also ``isbad`` and ``isunchecked``. The stacked hourglass release holds ``train.h5`` and ``valid.h5`` with
``part`` (N, 11, 2), ``visible`` (N, 11), ``imgname``, ``index``, ``center``, ``scale``.

Shape legend: N persons, 11 joints in the order of :data:`RAW_JOINTS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from posestructs.datasets.errors import AnnotationError
from posestructs.datasets.readers import read_h5, read_mat

RAW_JOINTS = (
    'left_shoulder', 'left_elbow', 'left_wrist', 'right_shoulder', 'right_elbow', 'right_wrist',
    'left_hip', 'right_hip', 'left_eye', 'right_eye', 'nose',
)  # fmt: skip
# Where they are among the 29 columns of ``coords``; the others were never labelled.
_MAT_COLUMNS = (0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16)
_MAT_FIELDS = ('coords', 'filepath', 'torsobox', 'imgdims', 'istrain', 'istest')


@dataclass
class FLICPerson:
    """One person.

    Attributes:
        number: Row of the official file, from 1, in either form.
        image: Image name.
        keypoints: (11, 2) float64 in pixels.
        labelled: (11,) bool.
        box: (4,) xyxy: the torso box, or the square of the hourglass release.
        img_size: Width and height in pixels.
        splits: Those of 'train', 'test' and 'bad' that it belongs to; empty for an h5.
    """

    number: int
    image: str
    keypoints: np.ndarray
    labelled: np.ndarray
    box: np.ndarray
    img_size: tuple[int, int] | None
    splits: frozenset[str]


def read_flic(path: str | Path) -> tuple[list[FLICPerson], bool]:
    """Read all persons of a FLIC file, of either form.

    Args:
        path: ``examples.mat``, or ``train.h5`` or ``valid.h5`` of the hourglass release.

    Returns:
        tuple[list[FLICPerson], bool]: The persons in the file's order; whether the file says who is for training.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: It is not FLIC, or holds a value that cannot be.
    """
    if Path(path).is_file() and h5py.is_hdf5(path):
        return _read_hourglass(path), False
    return _read_official(path), True


def _read_official(path: str | Path) -> list[FLICPerson]:
    examples = read_mat(path, ['examples'])['examples']
    fields = examples.dtype.names or ()
    for field in _MAT_FIELDS:
        if field not in fields:
            raise AnnotationError(path, f"key 'examples' has no field {field!r}, it has {list(fields)}")
    return [_official_person(path, example, i + 1, fields) for i, example in enumerate(examples.ravel())]


def _official_person(path: str | Path, example: np.void, number: int, fields: tuple[str, ...]) -> FLICPerson:
    def numbers(field: str, count: int) -> np.ndarray:
        value = np.asarray(example[field])
        if value.dtype.kind not in 'biuf' or value.size != count:
            raise AnnotationError(
                path,
                f'examples({number}).{field} is {value.dtype} of shape {value.shape}',
                f'{count} number{"s" * (count > 1)}',
            )
        return value.astype(np.float64)

    coords = numbers('coords', 58)
    if coords.shape != (2, 29):
        raise AnnotationError(path, f'examples({number}).coords has shape {coords.shape}', '(2, 29)')
    name = np.asarray(example['filepath']).ravel()
    if len(name) != 1 or not str(name[0]).strip():
        raise AnnotationError(path, f'examples({number}).filepath is {name.tolist()}', 'an image name')
    keypoints = coords.T[list(_MAT_COLUMNS)]
    height, width = numbers('imgdims', 3).ravel()[:2]
    flags = {'train': 'istrain', 'test': 'istest'}
    splits = {split for split, field in flags.items() if numbers(field, 1).item()}
    if any(field in fields and numbers(field, 1).item() for field in ('isbad', 'isunchecked')):
        splits.add('bad')
    return FLICPerson(
        number=number,
        image=str(name[0]).strip(),
        keypoints=keypoints,
        labelled=~np.isnan(keypoints).any(axis=1),
        box=numbers('torsobox', 4).ravel(),
        img_size=(int(width), int(height)),
        splits=frozenset(splits),
    )


def _read_hourglass(path: str | Path) -> list[FLICPerson]:
    content = read_h5(path, ['part', 'visible', 'imgname', 'index', 'center', 'scale'])
    count = len(content['part'])
    shapes = dict(
        part=(count, 11, 2), visible=(count, 11), imgname=(count,), index=(count,), center=(count, 2), scale=(count,)
    )
    for key, shape in shapes.items():
        if content[key].shape != shape:
            raise AnnotationError(path, f'key {key!r} has shape {content[key].shape}', f'{shape} of FLIC')
    # The release's box: a square of 200 * scale pixels about the centre.
    half = 100 * content['scale'][:, None]
    boxes = np.concatenate([content['center'] - half, content['center'] + half], axis=1)
    return [
        FLICPerson(
            number=int(content['index'][i]) + 1,
            image=content['imgname'][i].decode('utf-8'),
            keypoints=content['part'][i].astype(np.float64),
            labelled=content['visible'][i] > 0,
            box=boxes[i].astype(np.float64),
            img_size=None,
            splits=frozenset(),
        )
        for i in range(count)
    ]
