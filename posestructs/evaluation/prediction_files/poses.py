"""Predicted poses, as all readers return them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Poses:
    """Predicted poses of N persons with K joints.

    Attributes:
        source: File they were read from, for messages.
        keypoints: (N, K, 2) pixels, NaN where a joint is not predicted.
        scores: (N, K) scores of the joints, NaN where the file has none.
        person_scores: (N,) scores of the persons; the mean of the joints' where the file has none.
        images: Image of each person: an image id, a file name, or the number of a video's frame.
        joints: Names of the joints, None where the file has none.
        ids: Annotation id of each person, None where the file has none.
        labels: Labels that the file holds beside the predictions: ``keypoints`` (N, K, 2), ``labelled`` (N, K), and
            perhaps ``keypoints_occluded`` (N, K).
        fields: Further predictions (N, K) by name, such as ``keypoints_correct``.
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
