"""Strict PCP: percentage of body sticks of which **both** ends are found (Ferrari et al. 2008; Yang and Ramanan 2013).

A stick from a to b is right where ``max(|a' - a|, |b' - b|) <= thr * |a - b|``, primes marking the prediction. The
loose variant, which tests the mean of the two distances only, gives higher numbers and is not offered.

Shapes: N persons, K joints, S sticks, T thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmpose.registry import METRICS

from posestructs.evaluation.joint_names import choose
from posestructs.evaluation.person_metric import MIN_LENGTH, PersonMetric, Persons, check_min_length, check_thresholds
from posestructs.evaluation.sticks import Stick, check_sticks, find_sticks

Ends = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class StickCounts:
    """Counts of measured sticks and of correct ones.

    Attributes:
        correct: (T, S) sticks within each threshold.
        measured: (S,) sticks with both ends labelled and a length.
        persons: Number of persons with at least one measured stick.
        persons_left_out: Number of persons without one.
    """

    correct: np.ndarray
    measured: np.ndarray
    persons: int
    persons_left_out: int

    def per_stick(self) -> np.ndarray:
        """(T, S) percentages, NaN for a stick that was never measured."""
        out = np.full(self.correct.shape, np.nan)
        return np.divide(100.0 * self.correct, self.measured, out=out, where=self.measured > 0)

    def mean(self, sticks: Sequence[int] | None = None) -> np.ndarray | None:
        """(T,) mean of the sticks' percentages, each stick once; None where none of them was measured."""
        found = [s for s in (range(len(self.measured)) if sticks is None else sticks) if self.measured[s]]
        return self.per_stick()[:, found].mean(1) if found else None


def _ends(joints: np.ndarray, ends: Sequence[Ends]) -> np.ndarray:
    """(N, S, 2, 2) stick ends, each the mean of its joints."""
    return np.stack([[joints[:, list(e)].mean(1) for e in pair] for pair in ends]).transpose(2, 0, 1, 3)


def strict_pcp(
    pred: np.ndarray,
    gt: np.ndarray,
    labelled: np.ndarray,
    ends: Sequence[Ends],
    thr: float | Sequence[float] = 0.5,
    min_length: float = MIN_LENGTH,
) -> StickCounts:
    """Count the sticks of which both ends lie within each threshold times the true length.

    Args:
        pred: (N, K, 2) predicted joints in pixels; one that is not finite is wrong.
        gt: (N, K, 2) target joints in pixels; unlabelled ones may hold anything.
        labelled: (N, K) bool.
        ends: For each of S sticks two tuples of joint indices; an end is the mean of its joints.
        thr: Fraction of the true length, or T of them.
        min_length: Sticks up to this many pixels long are left out.

    Returns:
        StickCounts: ``.mean()`` and ``.per_stick()`` give percentages.
    """
    labelled = np.asarray(labelled, bool)
    true = _ends(np.where(labelled[..., None], np.asarray(gt, np.float64), 0), ends)
    found = _ends(np.where(np.isfinite(pred), np.asarray(pred, np.float64), np.nan), ends)
    length = np.hypot(*np.moveaxis(true[:, :, 0] - true[:, :, 1], -1, 0))
    known = np.stack([labelled[:, [*a, *b]].all(1) for a, b in ends], axis=1)
    measured = known & (length > min_length)
    # d_ns = max over both ends of |end' - end| / |a - b|, infinite where it does not count
    error = np.hypot(*np.moveaxis(found - true, -1, 0)).max(-1)
    distance = np.divide(error, length, out=np.full(length.shape, np.inf), where=measured)
    correct = np.stack([((distance <= t) & measured).sum(0) for t in np.atleast_1d(thr)])
    persons = int(measured.any(1).sum())
    return StickCounts(correct, measured.sum(0), persons, len(gt) - persons)


@METRICS.register_module()
class StrictPCP(PersonMetric):
    """Strict PCP over the sticks of the data set's metainfo (LSP: 10, FLIC: 6).

    The result holds, for each threshold, ``StrictPCP@<thr>``: the mean of the sticks' percentages, each stick once (so
    on LSP the two upper arms weigh twice the head), as in the published tables; ``StrictPCP@<thr>/<stick>``: left and
    right averaged; and with the first threshold, since they are the same for all, the counts ``.../sticks``,
    ``.../sticks_left_out``, ``.../people`` and ``.../people_left_out``. A stick that was never measured is in neither
    result nor mean, and named in a warning.

    Args:
        thr: Fraction of the true stick's length, or several.
        sticks: List of ``dict(name='upper_arm', side='left', ends=('left_shoulder', 'left_elbow'))``; several joints
            stand for their mean. By default ``sticks`` of the data set's metainfo.
        min_length: Sticks up to this many pixels long are left out and counted.
        **kwargs: Arguments of :class:`PersonMetric`.
    """

    needs = 'a stick with both ends labelled'
    EXAMPLE = "[dict(name='upper_arm', side='left', ends=('left_shoulder', 'left_elbow')), ...]"

    def __init__(
        self,
        thr: float | Sequence[float] = (0.5,),
        sticks: Sequence[dict[str, Any]] | None = None,
        min_length: float = MIN_LENGTH,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.thr = check_thresholds(thr, self.name)
        self.sticks = None if sticks is None else check_sticks(sticks, self.name)
        self.min_length = check_min_length(min_length, self.name)
        self.found: list[Stick] = []

    def resolve(self, meta: dict) -> None:
        """Look up the sticks."""
        sticks = choose(meta, 'sticks', self.sticks, self.name, self.EXAMPLE)
        self.found = find_sticks(sticks, meta['keypoint_name2id'], self.name)

    def measurable(self, persons: Persons) -> np.ndarray:
        """(N,) bool, persons with a stick."""
        people = zip(persons['gt'][:, None], persons['labelled'][:, None], strict=True)
        return np.array([self.count(gt, gt, labelled).persons > 0 for gt, labelled in people], bool)

    def count(self, pred: np.ndarray, gt: np.ndarray, labelled: np.ndarray) -> StickCounts:
        """Count right sticks at all thresholds."""
        return strict_pcp(pred, gt, labelled, [s.ends for s in self.found], self.thr, self.min_length)

    def measure(self, persons: Persons) -> dict[str, float]:
        """Percentages of all sticks."""
        return self.summarise(self.count(persons['pred'], persons['gt'], persons['labelled']))

    def summarise(self, counts: StickCounts) -> dict[str, float]:
        """Name the percentages.

        Args:
            counts: Counts at ``thr``.

        Returns:
            dict[str, float]: Percentages and counts.

        Raises:
            ValueError: Not one stick was measured.
        """
        total = counts.persons + counts.persons_left_out
        if counts.persons == 0:
            raise ValueError(
                f'{self.name}: nothing to measure: none of {total} persons has a stick with both ends labelled'
            )
        names = dict.fromkeys(s.name for s in self.found)
        rates = {n: counts.mean([i for i, s in enumerate(self.found) if s.name == n]) for n in names}
        empty = [n for n, rate in rates.items() if rate is None]
        if empty:
            self.warn(f'no stick was measured in {empty}: not in the result, nor in the mean')
        measured = int(counts.measured.sum())
        out: dict[str, float] = {}
        for i, t in enumerate(self.thr):
            stem = f'{self.name}@{t:g}'
            out[stem] = float(counts.mean()[i])
            out |= {f'{stem}/{n}': float(rate[i]) for n, rate in rates.items() if rate is not None}
            if i == 0:
                out[f'{stem}/sticks'] = measured
                out[f'{stem}/sticks_left_out'] = total * len(self.found) - measured
                out[f'{stem}/people'] = counts.persons
                out[f'{stem}/people_left_out'] = counts.persons_left_out
        return out
