"""Predicted poses, and selection of the reader of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SUFFIXES = ('.pkl', '.pickle', '.json', '.csv', '.h5', '.hdf5')


@dataclass
class Poses:
    """Predicted poses of M persons with K joints.

    Attributes:
        source: File they were read from, for messages.
        keypoints: (M, K, 2) pixels, NaN where a joint is not predicted.
        scores: (M, K) scores of the joints, NaN where the file has none.
        person_scores: (M,) scores of the persons; the mean of the joints' where the file has none.
        images: Image of each person: an image id, a file name, or the number of a video's frame.
        joints: Names of the joints, None where the file has none.
        ids: Annotation id of each person, None where the file has none.
        labels: Labels that the file holds beside the predictions: ``keypoints`` (M, K, 2), ``labelled`` (M, K), and
            perhaps ``keypoints_occluded`` (M, K).
        fields: Further predictions (M, K) by name, such as ``keypoints_correct``.
        frames: Whether ``images`` are numbers of a video's frames.
    """

    source: str
    keypoints: np.ndarray
    scores: np.ndarray
    images: list
    person_scores: np.ndarray | None = None
    joints: tuple[str, ...] | None = None
    ids: list | None = None
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)
    frames: bool = False

    def __post_init__(self) -> None:
        if self.person_scores is None:
            known = np.isfinite(self.scores)
            sums = np.where(known, self.scores, 0).sum(1)
            self.person_scores = sums / np.maximum(known.sum(1), 1)


def read_predictions(path: str | Path) -> Poses:
    """Read predictions of any supported tool.

    Args:
        path: The file; its suffix and content decide the format.

    Returns:
        Poses: At least one person.

    Raises:
        ValueError: The file is absent, of no supported format, damaged, or holds no prediction; names the file.
    """
    from posestructs.evaluation.prediction_files import coco_results, deeplabcut, dumps, sleap

    path = Path(path)
    if not path.is_file():
        raise ValueError(f'{path}: no such file')
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f'{path}: the suffix must be one of {", ".join(SUFFIXES)}')
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
    return poses
