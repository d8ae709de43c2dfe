"""A few persons in the official format of each data set, in place of downloads.

Joints are at random places of noise images, 160 x 160 pixels. The files have the names that a data set's config gives
them; only the folder is another.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.io import savemat

from posestructs.datasets.mpii_files import save_sidecar

SIDE = 160
PERSONS = 4


def place_data(dataset: MutableMapping[str, Any], folder: Path) -> None:
    """Let a data set's config read tiny files, which are written unless they are there.

    Args:
        dataset: Config of a data set, of several in one, or of one without files. Its paths change.
        folder: For the files of all data sets.

    Raises:
        KeyError: Nobody has said how the files of this type look.
    """
    for part in dataset.get('datasets', ()):
        place_data(part, folder)
    kind = dataset['type']
    if kind == 'StickFigureDataset':
        dataset['num_samples'] = PERSONS
    elif 'ann_file' in dataset:
        if kind not in _WRITERS:
            raise KeyError(f'{kind}: no tiny files for it, there are some for {sorted(_WRITERS)}')
        root = folder / f'{kind}-{Path(dataset["data_root"]).name}'
        dataset['data_root'] = f'{root}/'
        for key, name in _OUTSIDE.items():
            if dataset.get(key):
                dataset[key] = str(root / name)
        _WRITERS[kind](dataset, root)


# files that mmpose looks for elsewhere than below data_root
_OUTSIDE = dict(headbox_file='heads.mat', bbox_file='boxes.json')


def _joints(count: int, joints: int, seed: int = 0) -> np.ndarray:
    """(count, joints, 2) whole numbers well inside the image."""
    return np.random.default_rng(seed).integers(20, SIDE - 20, (count, joints, 2)).astype(np.float64)


def _images(folder: Path, names: list[str]) -> None:
    """One image under many names."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / names[0]), cv2.GaussianBlur(noise, (9, 9), 0))
    for name in names[1:]:
        os.link(folder / names[0], folder / name)


def _paths(dataset: Mapping[str, Any], root: Path) -> tuple[Path, Path, bool]:
    """Annotation file, image folder, and whether the former is still to be written."""
    annotations = root / dataset['ann_file']
    annotations.parent.mkdir(parents=True, exist_ok=True)
    return annotations, root / dataset['data_prefix']['img'], not annotations.exists()


def _write_lsp(dataset: Mapping[str, Any], root: Path) -> None:
    """LSP's (3, 14, 2000) or LSP-extended's (14, 3, 10000): their sizes tell them apart."""
    annotations, images, missing = _paths(dataset, root)
    if dataset.get('id_file'):
        (root / dataset['id_file']).write_text('\n'.join(str(number + 1) for number in range(PERSONS)))
    if not missing:
        return
    extended = 'lspet' in root.name
    count = 10000 if extended else 2000
    # x, y and the flag: labelled in LSP-extended, occluded in LSP
    flags = np.full((count, 14, 1), float(extended))
    flags[:, 3] = 1 - extended
    joints = np.concatenate([_joints(count, 14), flags], axis=2)
    savemat(annotations, dict(joints=joints.transpose((1, 2, 0) if extended else (2, 1, 0))))
    _images(images, [f'im{number + 1:0{5 if extended else 4}d}.jpg' for number in range(count)])


def _write_flic(dataset: Mapping[str, Any], root: Path) -> None:
    """examples.mat, a person a struct; half of them to train on."""
    annotations, images, missing = _paths(dataset, root)
    if not missing:
        return
    persons = np.empty(
        (1, PERSONS), [(key, object) for key in ('coords', 'filepath', 'torsobox', 'imgdims', 'istrain', 'istest')]
    )
    names = [f'frame-{i:08d}.jpg' for i in range(PERSONS)]
    for i, coords in enumerate(_joints(PERSONS, 29)):
        train = float(i % 2)
        box = [40.0, 40.0, 120.0, 120.0]
        persons[0, i] = (coords.T, names[i], box, [float(SIDE), float(SIDE), 3.0], train, 1 - train)
    savemat(annotations, dict(examples=persons))
    _images(images, names)


def _write_mpii(dataset: Mapping[str, Any], root: Path) -> None:
    """mmpose's json, MPII's boxes of heads, our file of what is occluded."""
    annotations, images, missing = _paths(dataset, root)
    names = [f'{i + 1:09d}.jpg' for i in range(PERSONS)]
    joints = _joints(PERSONS, 16)
    if dataset.get('headbox_file'):
        # (2 corners, x y, persons)
        heads = np.array([[10.0, 10.0], [40.0, 50.0]])[:, :, None].repeat(PERSONS, axis=2)
        savemat(dataset['headbox_file'], dict(headboxes_src=heads))
    if dataset.get('occlusion_file'):
        occluded = np.arange(PERSONS * 16).reshape(PERSONS, 16) % 3 == 0
        save_sidecar(root / dataset['occlusion_file'], occluded.astype(np.int8), names, joints)
    persons = [
        dict(image=name, joints=places.tolist(), joints_vis=[1] * 16, center=[SIDE / 2, SIDE / 2], scale=SIDE / 200)
        for name, places in zip(names, joints, strict=True)
    ]
    annotations.write_text(json.dumps(persons))
    if missing and not images.exists():
        _images(images, names)


def _write_coco(dataset: Mapping[str, Any], root: Path) -> None:
    """COCO's json: flag 0 not labelled, 1 occluded, 2 visible; boxes of a detector."""
    annotations, images, missing = _paths(dataset, root)
    joints = 21 if dataset['type'] == 'FreiHandDataset' else 17
    names = [f'{i + 1:012d}.jpg' for i in range(PERSONS)]
    box = [10.0, 10.0, SIDE - 20.0, SIDE - 20.0]
    persons = []
    for i, places in enumerate(_joints(PERSONS, joints)):
        flags = np.where(np.arange(joints) == 3, 0, 1 + np.arange(joints) % 2)
        keypoints = np.where(flags[:, None] > 0, np.concatenate([places, flags[:, None]], 1), 0).ravel().tolist()
        person = dict(id=i + 1, image_id=i + 1, category_id=1, bbox=box, keypoints=keypoints, area=box[2] * box[3])
        persons.append(person | dict(num_keypoints=joints - 1, iscrowd=0, segmentation=[]))
    content = dict(
        images=[dict(id=i + 1, file_name=name, width=SIDE, height=SIDE) for i, name in enumerate(names)],
        annotations=persons,
        categories=[dict(id=1, name='person', keypoints=[f'joint {i}' for i in range(joints)], skeleton=[])],
    )
    annotations.write_text(json.dumps(content))
    if dataset.get('bbox_file'):
        found = [dict(image_id=person['image_id'], category_id=1, bbox=box, score=0.9) for person in persons]
        Path(dataset['bbox_file']).write_text(json.dumps(found))
    if missing and not (images / names[0]).exists():
        _images(images, names)


def _write_backgrounds(dataset: Mapping[str, Any], root: Path) -> None:
    """Images without persons and the list of their names."""
    annotations, images, missing = _paths(dataset, root)
    names = [f'{i + 1}.jpg' for i in range(PERSONS)]
    annotations.write_text('\n'.join(names))
    if missing:
        _images(images, names)


_WRITERS: dict[str, Callable[[Mapping[str, Any], Path], None]] = dict(
    BackgroundDataset=_write_backgrounds,
    LSPDataset=_write_lsp,
    FLICDataset=_write_flic,
    MpiiDataset=_write_mpii,
    MpiiOcclusionDataset=_write_mpii,
    CocoDataset=_write_coco,
    CocoOcclusionDataset=_write_coco,
    FreiHandDataset=_write_coco,
)
