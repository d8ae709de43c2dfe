"""Results of a grid, read from their JSON files, and their statistics.

N test samples, K joints, S sticks, R resamples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.grid.experiment import Settings, fingerprint
from benchmarks.grid.grids import COMPARISONS, Comparison, Grid
from benchmarks.grid.measures import LABELS, Hits, unpack
from benchmarks.grid.rows import INVERTED, OCCLUDED, OCCLUDERS, PCK, PCP, PLAIN, VISIBLE, Row
from benchmarks.raw_results import write_results
from posestructs.evaluation.pdj import area
from posestructs.utils.usage import UsageError

RESAMPLES = 2000
COMPARED = (PCK, PCP, OCCLUDED, INVERTED)
LEVEL = 0.95


@dataclass(frozen=True)
class Run:
    """Result of a run.

    Attributes:
        facts: Content of its file except the hits.
        hits: Hits by test set.
    """

    facts: dict[str, Any]
    hits: dict[str, Hits]


Runs = Mapping[str, Sequence[Run]]
"""Runs of each row that has any, in order of their seeds."""


def labels_file(folder: Path, test_set: str) -> Path:
    """File of what all runs in a folder have in common on a test set: :data:`LABELS`.

    It lies in the folder, or beside it for grids on the same data.
    """
    own, common = (place / f'labels_{test_set}.json' for place in (folder, folder.parent))
    return common if common.is_file() and not own.is_file() else own


def without_labels(record: Mapping[str, Any], folder: Path, test_set: str) -> dict[str, Any]:
    """Leave the labels out of a packed record if their file holds the same; the first record writes the file."""
    own, labels = folder / f'labels_{test_set}.json', {key: record[key] for key in LABELS}
    known = labels_file(folder, test_set)
    if not known.is_file() or (known != own and json.loads(known.read_text()) != labels):
        known = own
        write_results(own, labels)
    if json.loads(known.read_text()) != labels:
        return dict(record)
    return {key: value for key, value in record.items() if key not in LABELS}


def read_run(path: Path) -> Run:
    """Read a result file, and the file of labels beside it; raises :exc:`UsageError` if it is not one."""
    try:
        facts = json.loads(path.read_text())
        hits = {}
        sets = facts.pop('sets')
        for name in sorted(sets, key=lambda name: name != PLAIN):
            record = sets[name]
            if not set(LABELS) <= set(record):
                record = {**json.loads(labels_file(path.parent, name).read_text()), **record}
            hits[name] = unpack(record, hits.get(PLAIN))
        return Run(facts, hits)
    except FileNotFoundError as error:
        raise UsageError(f'{path} needs {error.filename}, which does not exist') from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f'{path} is not a result of benchmarks/accuracy.py: {error!r}') from error


def read_grid(folder: Path, grid: Grid) -> dict[str, list[Run]]:
    """Read the results of a grid, and of the grids that it shares rows with, each run once.

    Args:
        folder: Folder that holds a folder for each grid.
        grid: The grid.

    Returns:
        Runs by row. Of one seed, the grid's own runs come first.
    """
    found: dict[str, list[Run]] = {}
    for row in grid.rows:
        paths = [path for name in grid.folders() for path in (folder / name).glob(f'{row.name}_seed*.json')]
        runs: dict[tuple, Run] = {}
        for run in map(read_run, paths):
            runs.setdefault((run.facts['seed'], run.facts['fingerprint']), run)
        if runs:
            found[row.name] = sorted(runs.values(), key=lambda run: run.facts['seed'])
    return found


def of_settings(runs: Runs, grid: Grid, settings: Settings) -> dict[str, list[Run]]:
    """Select the results that the grid would have today, so that its table holds no trial and no older config.

    Args:
        runs: Runs by row, as of :func:`read_grid`.
        grid: The grid.
        settings: Changes by the command line. Options of the device may differ, since they leave results comparable.

    Returns:
        Runs by row, one for each seed.
    """
    found = {}
    for row in grid.rows:
        kept: dict[int, Run] = {}
        for run in runs.get(row.name, ()):
            if run.facts['fingerprint'] == _expected(run, row, grid, settings):
                kept.setdefault(run.facts['seed'], run)
        if kept:
            found[row.name] = list(kept.values())
    return found


def _expected(run: Run, row: Row, grid: Grid, settings: Settings) -> str:
    own = run.facts.get('settings', {})
    device = {key: own.get(key, False) for key in ('bf16', 'channels_last')}
    return fingerprint(grid, row, run.facts['seed'], replace(settings, **device))


def hits_of(runs: Iterable[Run], grid: Grid, measure: str) -> list[Hits]:
    """Hits of each run on the test set of a measure; visible and occluded joints are measured under occluders."""
    covered = measure in (VISIBLE, OCCLUDED) and OCCLUDERS in grid.test_sets
    return [run.hits[OCCLUDERS if covered else PLAIN] for run in runs]


# -- measures ----------------------------------------------------------------------------------------------------------


class Counts(NamedTuple):
    """Correct and measured items of each sample in each of G groups; the groups have equal weight in the mean.

    Attributes:
        right: (N, G) counts.
        measured: (N, G) counts.
    """

    right: np.ndarray
    measured: np.ndarray


def _pck(hits: Hits, subset: np.ndarray | None = None) -> Counts:
    """A single group, so that a joint has the weight of its number of labels."""
    measured = hits.measured if subset is None else hits.measured & subset
    right = hits.right & measured
    return Counts(right.sum(1, keepdims=True).astype(float), measured.sum(1, keepdims=True).astype(float))


def _pcp(hits: Hits) -> Counts:
    """A group for each stick."""
    return Counts(hits.stick_hits.astype(float), hits.stick_measured.astype(float))


def _inverted(hits: Hits) -> Counts:
    """Joints on their mirror joint as a share of all joints; nothing is measured in results without them."""
    known = hits.inverted is not None
    measured = hits.measured & known
    return Counts(*(a.sum(1, keepdims=True).astype(float) for a in (hits.inverted if known else measured, measured)))


MEASURES: dict[str, Callable[[Hits], Counts]] = {
    PCK: _pck,
    PCP: _pcp,
    VISIBLE: lambda hits: _pck(hits, hits.occluded == 0),
    OCCLUDED: lambda hits: _pck(hits, hits.occluded == 1),
    INVERTED: _inverted,
}


def rate(counts: Counts) -> float | None:
    """Mean over the groups of the percentage of correct items; ``None`` if nothing was measured."""
    measured = counts.measured.sum(0)
    if not measured.any():
        return None
    kept = measured > 0
    return float(100 * (counts.right.sum(0)[kept] / measured[kept]).mean())


def value(hits: Hits, measure: str) -> float | None:
    """Percentage of a measure of :data:`MEASURES`; ``None`` if nothing was measured."""
    return rate(MEASURES[measure](hits))


def curve(hits: Hits) -> np.ndarray:
    """PDJ over all joints in percent, (51,), at the thresholds of :data:`posestructs.evaluation.pdj.CURVE`."""
    return 100 * hits.curve / hits.measured.sum()


def curve_area(hits: Hits) -> float:
    """Area under the PDJ curve in percent."""
    return area(curve(hits))


def per_joint(hits: Hits) -> dict[str, float]:
    """TorsoPCK@0.2 in percent by joint name without its side; left and right are averaged."""
    right, measured = (hits.right & hits.measured).sum(0), hits.measured.sum(0)
    sides: dict[str, list[float]] = {}
    for name, good, count in zip(hits.joints, right, measured, strict=True):
        if count:
            sides.setdefault(name.removeprefix('left_').removeprefix('right_'), []).append(100 * good / count)
    return {name: float(np.mean(values)) for name, values in sides.items()}


# -- differences -------------------------------------------------------------------------------------------------------


class Difference(NamedTuple):
    """Difference of two rows in points, with a confidence interval.

    Attributes:
        points: First minus second row.
        low: Lower end of the interval.
        high: Upper end of the interval.
        deviation: Standard deviation of the differences of single seeds; ``None`` with one seed.
    """

    points: float
    low: float
    high: float
    deviation: float | None = None


def paired_bootstrap(
    first: Sequence[Hits], second: Sequence[Hits], measure: str, resamples: int = RESAMPLES, seed: int = 0
) -> Difference | None:
    """Difference of two rows with a percentile interval over resampled test samples and seeds.

    Samples and seeds are drawn with replacement, the same ones for both rows. With one seed the interval covers the
    choice of the test samples alone; with two or three it knows little of the randomness of training, of which the
    deviation over seeds is the other sign.

    Args:
        first: Hits of a row, one for each seed.
        second: Hits of the other row on the same samples, with the same seeds in the same order.
        measure: Measure of :data:`MEASURES`.
        resamples: Number R of resamples.
        seed: Seed of the resampling.

    Returns:
        The difference; ``None`` if nothing was measured in one of the runs.

    Raises:
        ValueError: The rows differ in their samples or in the number of seeds.
    """
    if len(first) != len(second):
        raise ValueError(f'{len(first)} runs cannot be compared with {len(second)} seed by seed')
    for hits in (*first[1:], *second):
        if not all(np.array_equal(getattr(hits, key), getattr(first[0], key)) for key in ('measured', 'occluded')):
            raise ValueError('runs on different test samples cannot be compared sample by sample')
    pairs = [(MEASURES[measure](x), MEASURES[measure](y)) for x, y in zip(first, second, strict=True)]
    by_seed = [(rate(x), rate(y)) for x, y in pairs]
    if any(each is None for pair in by_seed for each in pair):
        return None
    count, runs, rng = len(first[0].measured), len(pairs), np.random.default_rng(seed)
    # number of times that each sample is drawn, (R, N), and share of each seed, (R, S)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
    shares = rng.multinomial(runs, np.full(runs, 1 / runs), size=resamples) / runs
    by_run = np.stack([_resampled(x, weights) - _resampled(y, weights) for x, y in pairs], axis=1)
    differences = (shares * by_run).sum(1)
    low, high = np.nanpercentile(differences, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    gaps = [x - y for x, y in by_seed]
    deviation = float(np.std(gaps, ddof=1)) if runs > 1 else None
    return Difference(float(np.mean(gaps)), float(low), float(high), deviation)


def differences(grid: Grid, runs: Runs) -> list[tuple[Comparison, dict[str, Difference | None] | None]]:
    """Evaluate the comparisons of rows of a grid on the seeds that both rows have.

    Returns:
        Each comparison with its differences by measure, or with ``None`` if the rows have no seed in common.
    """
    names = {row.name for row in grid.rows}
    compared = []
    for comparison in COMPARISONS:
        pair = comparison.row, comparison.against
        if not names.issuperset(pair):
            continue
        seeds = set.intersection(*({run.facts['seed'] for run in runs.get(name, ())} for name in pair))
        if not seeds:
            compared.append((comparison, None))
            continue
        both = [[run for run in runs[name] if run.facts['seed'] in seeds] for name in pair]
        found = {m: paired_bootstrap(*(hits_of(side, grid, m) for side in both), m) for m in COMPARED}
        compared.append((comparison, found))
    return compared


def _resampled(counts: Counts, weights: np.ndarray) -> np.ndarray:
    """Percentage of each resample, (R,); NaN where it measured nothing."""
    right, measured = weights @ counts.right, weights @ counts.measured
    shares = np.divide(right, measured, out=np.full(right.shape, np.nan), where=measured > 0)
    return 100 * np.nanmean(shares, axis=1)
