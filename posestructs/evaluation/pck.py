"""PCK: the percentage of joints found within a fraction of a reference length of their person.

A joint is right where ``|pred - gt| / reference <= thr``. Groups and means are those of the MPII and LSP evaluation
scripts and of mmpose's MPII metric: a group is the mean of its joints' percentages, so left and right weigh the same;
the mean is taken over all labelled joints, so a joint weighs as much as it is labelled often. Where all joints of all
persons are labelled, as on LSP, there is no difference.

Shapes: N persons, K joints, T thresholds.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from posestructs.evaluation.joint_groups import find_groups
from posestructs.evaluation.joint_names import find_joints
from posestructs.evaluation.person_metric import MIN_LENGTH, PersonMetric, Persons, check_min_length, check_thresholds
from posestructs.utils.checks import invalid_value


@dataclass(frozen=True)
class JointCounts:
    """Counts of measured joints and of correct ones.

    Attributes:
        correct: (T, K) joints within each threshold.
        measured: (K,) labelled joints of persons with a reference length.
        persons: Number of persons with at least one measured joint.
        persons_left_out: Number of persons without a reference length or without a labelled joint.
    """

    correct: np.ndarray
    measured: np.ndarray
    persons: int
    persons_left_out: int

    def per_joint(self) -> np.ndarray:
        """(T, K) percentages, NaN for a joint that was never measured."""
        out = np.full(self.correct.shape, np.nan)
        return np.divide(100.0 * self.correct, self.measured, out=out, where=self.measured > 0)

    def group(self, joints: Sequence[int]) -> np.ndarray | None:
        """(T,) mean of the joints' percentages, each joint once; None where none of them was measured."""
        found = [j for j in joints if self.measured[j]]
        return self.per_joint()[:, found].mean(1) if found else None

    def mean(self, joints: Sequence[int] | None = None) -> np.ndarray | None:
        """(T,) percentage over all measured joints, of all or of the given kinds; None where there are none."""
        joints = range(len(self.measured)) if joints is None else joints
        total = self.measured[list(joints)].sum()
        return 100.0 * self.correct[:, list(joints)].sum(1) / total if total else None


def joint_counts(
    pred: np.ndarray,
    gt: np.ndarray,
    labelled: np.ndarray,
    reference: np.ndarray,
    thresholds: Sequence[float],
    subset: np.ndarray | None = None,
    min_length: float = MIN_LENGTH,
) -> JointCounts:
    """Count the joints whose distance is within each threshold times the person's reference length.

    Args:
        pred: (N, K, 2) predicted joints in pixels; one that is not finite is wrong.
        gt: (N, K, 2) target joints in pixels; unlabelled ones may hold anything.
        labelled: (N, K) bool.
        reference: (N,) reference lengths in pixels; NaN where it is not known.
        thresholds: T fractions of the reference length.
        subset: (N, K) bool, joints to count; all by default.
        min_length: Persons with a reference up to this many pixels are left out.

    Returns:
        JointCounts: Counts per threshold and joint.
    """
    reference = np.asarray(reference, np.float64)
    labelled = np.asarray(labelled, bool)
    usable = reference > min_length
    known = labelled & usable[:, None]
    measured = known if subset is None else known & np.asarray(subset, bool)
    # d_nk = |pred_nk - gt_nk| / reference_n, infinite where it does not count
    delta = np.subtract(pred, gt, dtype=np.float64, out=np.full(gt.shape, np.inf), where=measured[..., None])
    distance = np.hypot(delta[..., 0], delta[..., 1])
    distance = np.divide(distance, reference[:, None], out=np.full(labelled.shape, np.inf), where=measured)
    correct = np.stack([((distance <= t) & measured).sum(0) for t in thresholds])
    return JointCounts(correct, measured.sum(0), int(measured.any(1).sum()), int((~known.any(1)).sum()))


class PCK(PersonMetric):
    """Base of the PCK metrics; a subclass defines a person's reference length.

    The result holds, for each threshold, ``<Name>@<thr>`` (mean over all labelled joints) and ``<Name>@<thr>/<group>``;
    with the first of them, since they are the same for all, the counts ``.../joints``, ``.../people`` and
    ``.../people_left_out``. A group without a measured joint is left out and named in a warning, so every percentage in
    the result was measured.

    Args:
        thr: Fraction of the reference length, or several.
        joint_groups: Table column to joint names; by default ``joint_groups`` of the data set's metainfo, else every
            joint with its mirror image.
        exclude: Joints left out of the mean (MPII: pelvis and thorax).
        min_length: Persons with a reference up to this many pixels are left out and counted.
        **kwargs: Arguments of :class:`PersonMetric`.
    """

    def __init__(
        self,
        thr: float | Sequence[float],
        joint_groups: Mapping[str, Sequence[str]] | None = None,
        exclude: Sequence[str] = (),
        min_length: float = MIN_LENGTH,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.thr = check_thresholds(thr, self.name)
        if isinstance(exclude, str):
            raise invalid_value(f'{self.name}.exclude', exclude, 'a list of joint names')
        self.joint_groups, self.exclude = joint_groups, tuple(exclude)
        self.min_length = check_min_length(min_length, self.name)
        self.groups: dict[str, tuple[int, ...]] = {}
        self.mean_joints: tuple[int, ...] = ()

    @property
    def thresholds(self) -> tuple[float, ...]:
        """All thresholds to count at; the first are those of ``thr``."""
        return self.thr

    def resolve(self, meta: dict) -> None:
        """Look up groups and the joints of the mean."""
        self.groups = find_groups(self.joint_groups, meta, self.name)
        excluded = find_joints(self.exclude, meta['keypoint_name2id'], self.name, 'exclude')
        self.mean_joints = tuple(i for i in range(self.num_joints) if i not in excluded)

    def measurable(self, persons: Persons) -> np.ndarray:
        """(N,) bool, persons with a labelled joint of the mean."""
        return persons['labelled'][:, list(self.mean_joints)].any(axis=1)

    @abstractmethod
    def reference(self, sample: Mapping[str, Any], persons: Persons) -> np.ndarray:
        """(N,) reference lengths of a sample's persons in pixels, NaN where not known."""

    def collect(self, sample: Mapping[str, Any]) -> Persons:
        """Joints and reference lengths of one sample's persons."""
        persons = super().collect(sample)
        persons['reference'] = np.asarray(self.reference(sample, persons), np.float64).reshape(-1)
        if len(persons['reference']) != len(persons['gt']):
            raise ValueError(
                f'{self.name}: {len(persons["reference"])} reference lengths for {len(persons["gt"])} persons '
                f'(image {sample.get("img_path", "unknown")})'
            )
        return persons

    def count(self, persons: Persons, subset: np.ndarray | None = None) -> JointCounts:
        """Count right joints at all thresholds, of all labelled joints or of a subset (N, K)."""
        arrays = (persons[k] for k in ('pred', 'gt', 'labelled', 'reference'))
        return joint_counts(*arrays, self.thresholds, subset, self.min_length)

    def summarise(self, counts: JointCounts, part: str = '') -> dict[str, float]:
        """Name the percentages.

        Args:
            counts: Counts at :attr:`thresholds`.
            part: Name of the subset of the joints, where it is not all.

        Returns:
            dict[str, float]: Percentages and counts.

        Raises:
            ValueError: Not one joint was measured.
        """
        mean = counts.mean(self.mean_joints)
        if mean is None:
            raise ValueError(
                f'{self.name}: nothing to measure: {counts.persons_left_out} of '
                f'{counts.persons + counts.persons_left_out} persons have no reference length or no labelled joint'
            )
        rates = {'': mean, **{f'/{g}': counts.group(ids) for g, ids in self.groups.items()}}
        empty = [g[1:] for g, rate in rates.items() if rate is None]
        if empty:
            self.warn(f'no {part} joint was measured in {empty}: not in the result'.replace('  ', ' '))
        out: dict[str, float] = {}
        for i, t in enumerate(self.thr):
            stem = f'{self.name}@{t:g}'
            out |= {stem + group: float(rate[i]) for group, rate in rates.items() if rate is not None}
            if i == 0:
                out[f'{stem}/joints'] = int(counts.measured[list(self.mean_joints)].sum())
                out[f'{stem}/people'] = counts.persons
                out[f'{stem}/people_left_out'] = counts.persons_left_out
        return out

    def measure(self, persons: Persons) -> dict[str, float]:
        """Percentages over all labelled joints."""
        return self.summarise(self.count(persons))
