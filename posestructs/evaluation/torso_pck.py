"""TorsoPCK: PCK over the length of a torso diagonal, LSP's metric (Yang and Ramanan, 2013)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmpose.registry import METRICS

from posestructs.evaluation.joint_names import check_pair, choose, find_joints
from posestructs.evaluation.pck import PCK, JointCounts, joint_counts
from posestructs.evaluation.person_metric import Persons


def pair_length(gt: np.ndarray, labelled: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """Distance between two target joints of each person.

    Args:
        gt: (N, K, 2) target joints in pixels.
        labelled: (N, K) bool.
        pair: Indices of the two joints.

    Returns:
        np.ndarray: (N,) float64 pixels, NaN where one of the two is not labelled.
    """
    a, b = pair
    ends = np.asarray(gt)[:, [a, b]].astype(np.float64)
    length = np.hypot(*(ends[:, 0] - ends[:, 1]).T)
    return np.where(labelled[:, a] & labelled[:, b], length, np.nan)


def torso_pck(
    pred: np.ndarray, gt: np.ndarray, labelled: np.ndarray, pair: tuple[int, int], thr: float | Sequence[float] = 0.2
) -> JointCounts:
    """PCK over the distance of two target joints.

    Args:
        pred: (N, K, 2) predicted joints in pixels.
        gt: (N, K, 2) target joints in pixels.
        labelled: (N, K) bool.
        pair: Indices of the joints that span the reference; LSP: left shoulder 9, right hip 2.
        thr: Fraction of the reference, or T of them.

    Returns:
        JointCounts: ``.mean()`` and ``.per_joint()`` give percentages.
    """
    labelled = np.asarray(labelled, bool)
    return joint_counts(pred, gt, labelled, pair_length(gt, labelled, pair), np.atleast_1d(thr))


@METRICS.register_module()
class TorsoPCK(PCK):
    """PCK over the torso's true length, from left shoulder to right hip on LSP.

    mmpose's ``PCKAccuracy(norm_item='torso')`` measures the torso between joints 4 and 5 of any data set; here the data
    set's metainfo names the pair. See :class:`PCK` for the keys of the result.

    Args:
        thr: Fraction of the torso's length, or several.
        torso_pair: Names of the joints that span it; by default ``torso_pair`` of the data set's metainfo.
        **kwargs: Arguments of :class:`PCK`.
    """

    def __init__(self, thr: float | Sequence[float] = 0.2, torso_pair: Sequence[str] | None = None, **kwargs) -> None:
        super().__init__(thr=thr, **kwargs)
        self.torso_pair = None if torso_pair is None else check_pair(torso_pair, self.name)
        self.pair: tuple[int, int] | None = None
        self.pair_names: tuple[str, str] | None = None

    def resolve(self, meta: dict) -> None:
        """Look up the torso."""
        super().resolve(meta)
        pair = choose(meta, 'torso_pair', self.torso_pair, self.name, "('left_shoulder', 'right_hip')")
        self.pair_names = check_pair(pair, self.name)
        self.pair = find_joints(self.pair_names, meta['keypoint_name2id'], self.name, 'torso_pair')

    @property
    def needs(self) -> str:
        """What a person must have to be measured."""
        return f'a torso, both {" and ".join(self.pair_names)} labelled'

    def measurable(self, persons: Persons) -> np.ndarray:
        """(N,) bool, persons with a torso."""
        torso = pair_length(persons['gt'], persons['labelled'], self.pair) > self.min_length
        return super().measurable(persons) & torso

    def reference(self, sample: Mapping[str, Any], persons: Persons) -> np.ndarray:
        """(N,) torso lengths."""
        return pair_length(persons['gt'], persons['labelled'], self.pair)
