"""Read predictions by the reader that a file needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posestructs.evaluation.prediction_files import coco_results, deeplabcut, dumps, sleap
from posestructs.evaluation.prediction_files.poses import Poses

SUFFIXES = ('.pkl', '.pickle', '.json', '.csv', '.h5', '.hdf5')


def read_predictions(path: str | Path) -> Poses:
    """Read predictions of any supported tool.

    Args:
        path: The file; its suffix and content decide the format.

    Returns:
        Poses: At least one person.

    Raises:
        ValueError: The file is absent, of no supported format, damaged, or holds no prediction; names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'{path}: no such file')
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f'{path}: suffix={suffix!r}, allowed: {", ".join(SUFFIXES)}')
    if suffix in ('.pkl', '.pickle'):
        poses = dumps.read_dump(path)
    elif suffix == '.json':
        poses = coco_results.read_coco_results(path)
    elif suffix == '.csv':
        poses = deeplabcut.read_csv(path)
    else:
        poses = sleap.read_analysis(path) if sleap.is_analysis(path) else deeplabcut.read_hdf(path)
    if not len(poses.keypoints):
        raise ValueError(f'{path}: it holds no prediction')
    _check_pixels(poses)
    return poses


def _check_pixels(poses: Poses) -> None:
    """Refuse positions that are shares of the image: several in all, and none of them beyond its first pixel."""
    known = poses.keypoints[np.isfinite(poses.keypoints).all(2)]
    if len(known) > 2 and known.min() >= 0 and known.max() <= 1 and np.ptp(known) > 0:
        raise ValueError(f'{poses.source}: all joints are within [0, 1], allowed: positions in pixels')
