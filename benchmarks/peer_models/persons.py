"""Persons of a config's data to compare peers on, their joints that peers have, and their images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from benchmarks.mean_pose import build_without_images
from benchmarks.peer_models.derived_joints import COCO, DERIVED, left_out
from posestructs.utils.images import read_image, write_image
from posestructs.utils.usage import UsageError


class Split(NamedTuple):
    """Annotations of a config's data: persons on which neck and head top are fitted, and validation persons."""

    fit: list[dict]
    val: list[dict]
    metainfo: dict

    @property
    def names(self) -> list[str]:
        """Names of the joints."""
        return [self.metainfo['keypoint_id2name'][k] for k in range(self.metainfo['num_keypoints'])]


def read_split(config: Config, fit_persons: int) -> Split:
    """Read the persons.

    Args:
        config: Config with ``train_dataloader`` and ``val_dataloader``.
        fit_persons: Training persons, evenly over the data set.

    Returns:
        These and all validation persons.

    Raises:
        UsageError: A data set cannot be built, or has no joint that COCO has.
    """
    init_default_scope('mmpose')
    sets = {}
    for part in ('train', 'val'):
        try:
            sets[part] = build_without_images(config[f'{part}_dataloader'].dataset)
        except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
            raise UsageError(f'{config.filename}: {part}_dataloader.dataset cannot be built: {error}') from error
    train, val = sets['train'], sets['val']
    chosen = np.linspace(0, len(train) - 1, min(fit_persons, len(train))).astype(int)
    split = Split([train[i] for i in chosen], [val[i] for i in range(len(val))], val.metainfo)
    if len(left_out(split.names, split.fit)) == len(split.names):
        allowed = f'joints of COCO ({", ".join(COCO)}) and {", ".join(DERIVED)}'
        raise UsageError(f'{config.filename}: val_dataloader.dataset has the joints {split.names}, allowed: {allowed}')
    return split


def without_labels(infos: Sequence[dict], names: Sequence[str], unlabelled: Sequence[str]) -> list[dict]:
    """Copies of annotations in which some joints are not labelled, so that metrics leave them out.

    Args:
        infos: The annotations.
        names: Joint names of the data set.
        unlabelled: Those of the joints.
    """
    columns = [names.index(name) for name in unlabelled]
    if not columns:
        return list(infos)
    copies = []
    for info in infos:
        visible = np.array(info['keypoints_visible'])
        visible[:, columns] = 0
        copies.append(dict(info, keypoints_visible=visible))
    return copies


def image_of(info: dict[str, Any]) -> np.ndarray:
    """Image of a person, (H, W, 3) uint8 BGR: what its data set has rendered, else its file."""
    image = info.get('img')
    return read_image(info['img_path']) if image is None else image


def image_files(infos: Sequence[dict], folder: Path) -> list[str]:
    """Paths of persons' images.

    Args:
        infos: The annotations.
        folder: For rendered images, which have no file; equal names are equal images.
    """
    paths = []
    for info in infos:
        image, path = info.get('img'), Path(info['img_path'])
        if image is not None:
            path = folder / f'{hashlib.sha256(image.tobytes()).hexdigest()[:16]}.png'
            write_image(path, image[..., ::-1])
        paths.append(str(path))
    return paths
