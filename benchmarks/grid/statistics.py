"""Measures of a run from its hits, and intervals of differences.

N test people, K joints, S sticks, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.grid.hits import Hits
from benchmarks.grid.rows import OCCLUDED, PCK, PCP
from posestructs.evaluation.pdj import area

RESAMPLES = 2000
LEVEL = 0.95
VISIBLE = 'visible TorsoPCK@0.2'


class Counts(NamedTuple):
    """What a measure counts: (N, G) right and (N, G) measured, of G groups that weigh the same in the mean.

    Attributes:
        right: Counts, or their means over seeds.
        measured: Counts.
    """

    right: np.ndarray
    measured: np.ndarray


def _pck(hits: Hits, subset: np.ndarray | None = None) -> Counts:
    """One group of all joints: each joint weighs as much as it is labelled often."""
    measured = hits.measured if subset is None else hits.measured & subset
    right = hits.right & measured
    return Counts(right.sum(1, keepdims=True).astype(float), measured.sum(1, keepdims=True).astype(float))


def _pcp(hits: Hits) -> Counts:
    """A group of each stick."""
    return Counts(hits.stick_hits.astype(float), hits.stick_measured.astype(float))


MEASURES: dict[str, Callable[[Hits], Counts]] = {
    PCK: _pck,
    PCP: _pcp,
    VISIBLE: lambda hits: _pck(hits, hits.occluded == 0),
    OCCLUDED: lambda hits: _pck(hits, hits.occluded == 1),
}


def rate(counts: Counts) -> float | None:
    """Percentage: the mean of the groups' shares.

    Args:
        counts: Of a measure.

    Returns:
        float | None: ``None`` where nothing was measured.
    """
    measured = counts.measured.sum(0)
    if not measured.any():
        return None
    kept = measured > 0
    return float(100 * (counts.right.sum(0)[kept] / measured[kept]).mean())


def value(hits: Hits, measure: str) -> float | None:
    """A measure of a run.

    Args:
        hits: Of the run.
        measure: Of :data:`MEASURES`.

    Returns:
        float | None: Percent.
    """
    return rate(MEASURES[measure](hits))


def curve(hits: Hits) -> np.ndarray:
    """PDJ over all joints.

    Args:
        hits: Of a run.

    Returns:
        np.ndarray: (51,) percent, at the thresholds of :data:`posestructs.evaluation.pdj.CURVE`.
    """
    return 100 * hits.curve / hits.measured.sum()


def curve_area(hits: Hits) -> float:
    """Area under the PDJ curve in percent."""
    return area(curve(hits))


def per_joint(hits: Hits) -> dict[str, float]:
    """TorsoPCK@0.2 of joints, left and right averaged.

    Args:
        hits: Of a run.

    Returns:
        dict[str, float]: Percent by joint without its side.
    """
    right, measured = (hits.right & hits.measured).sum(0), hits.measured.sum(0)
    sides: dict[str, list[float]] = {}
    for name, good, count in zip(hits.joints, right, measured, strict=True):
        if count:
            sides.setdefault(name.removeprefix('left_').removeprefix('right_'), []).append(100 * good / count)
    return {name: float(np.mean(values)) for name, values in sides.items()}


class Difference(NamedTuple):
    """A difference of two models in points, and the interval that it lies in.

    Attributes:
        points: First minus second.
        low: End of the interval.
        high: End of the interval.
        deviation: Standard deviation of the seeds' differences, each of two models of one seed; ``None`` of one seed.
    """

    points: float
    low: float
    high: float
    deviation: float | None = None


def over_seeds(runs: Sequence[Hits], measure: str) -> Counts:
    """Counts of a row: people's hits averaged over its seeds.

    Args:
        runs: Of the same people.
        measure: Of :data:`MEASURES`.

    Returns:
        Counts: Of which :func:`rate` is the mean of the seeds' rates.
    """
    counts = [MEASURES[measure](hits) for hits in runs]
    return Counts(np.mean([c.right for c in counts], axis=0), counts[0].measured)


def paired_bootstrap(
    first: Sequence[Hits], second: Sequence[Hits], measure: str, resamples: int = RESAMPLES, seed: int = 0
) -> Difference | None:
    """Difference of two rows on the same people, with a percentile interval over resampled people.

    People are drawn with replacement, the same ones for both rows. The interval tells what other test people could
    change; what another seed of the training could change is not in it, the deviation tells that.

    Args:
        first: Runs of a row, one a seed.
        second: Runs of the other row with the same seeds in the same order, of the same people.
        measure: Of :data:`MEASURES`.
        resamples: R.
        seed: Of the resampling.

    Returns:
        Difference | None: ``None`` where nothing was measured.

    Raises:
        ValueError: The runs are not of the same people, or one row has more of them.
    """
    if len(first) != len(second):
        raise ValueError(f'{len(first)} runs cannot be compared with {len(second)} seed by seed')
    for hits in (*first[1:], *second):
        same = all(np.array_equal(getattr(hits, k), getattr(first[0], k)) for k in ('measured', 'occluded'))
        if not same:
            raise ValueError('runs of different test people cannot be compared person by person')
    a, b = over_seeds(first, measure), over_seeds(second, measure)
    if rate(a) is None:
        return None
    count = len(a.right)
    # how often each person is drawn: (R, N)
    weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    differences = _resampled(a, weights) - _resampled(b, weights)
    low, high = np.nanpercentile(differences, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    by_seed = [value(x, measure) - value(y, measure) for x, y in zip(first, second, strict=True)]
    deviation = float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else None
    return Difference(rate(a) - rate(b), float(low), float(high), deviation)


def _resampled(counts: Counts, weights: np.ndarray) -> np.ndarray:
    """(R,) percentages; NaN where a resample measured nothing."""
    right, measured = weights @ counts.right, weights @ counts.measured
    shares = np.divide(right, measured, out=np.full(right.shape, np.nan), where=measured > 0)
    return 100 * np.nanmean(shares, axis=1)
