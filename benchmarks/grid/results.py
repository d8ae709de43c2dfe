"""Results of a grid, read back from their JSON files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.grid.budgets import OCCLUDERS, PLAIN, Grid
from benchmarks.grid.experiment import Settings, fingerprint
from benchmarks.grid.hits import Hits, unpack
from benchmarks.grid.rows import OCCLUDED, Row
from benchmarks.grid.statistics import VISIBLE
from posestructs.utils.usage import UsageError


@dataclass(frozen=True)
class Run:
    """A result.

    Attributes:
        facts: What its file holds beside the hits.
        hits: By test set.
    """

    facts: dict[str, Any]
    hits: dict[str, Hits]


def read_run(path: Path) -> Run:
    """Read a result.

    Args:
        path: Its file.

    Returns:
        Run: The result.

    Raises:
        UsageError: It is no result.
    """
    try:
        facts = json.loads(path.read_text())
        return Run(facts, {name: unpack(record) for name, record in facts.pop('sets').items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f'{path} is no result of benchmarks/accuracy.py: {error!r}') from error


def read_grid(folder: Path, grid: Grid) -> dict[str, list[Run]]:
    """Read the results of a grid.

    Args:
        folder: With a folder for each grid.
        grid: The grid.

    Returns:
        dict[str, list[Run]]: Runs by row, in order of their seeds; a row without any is not in it. Those of a grid that
        it shares rows with are among them, after its own of the same seed, each run once.
    """
    found: dict[str, list[Run]] = {}
    for row in grid.rows():
        paths = [path for name in grid.folders() for path in (folder / name).glob(f'{row.name}_seed*.json')]
        runs = {(run.facts['seed'], run.facts['fingerprint']): run for run in map(read_run, paths)}
        if runs:
            found[row.name] = sorted(runs.values(), key=lambda run: run.facts['seed'])
    return found


def of_settings(runs: Mapping[str, Sequence[Run]], grid: Grid, settings: Settings) -> dict[str, list[Run]]:
    """Pick the results that a grid would get today, so that no trial and no older config stands in its table.

    Args:
        runs: By row.
        grid: The grid.
        settings: What a call changes; the flags of the device, which leave a table comparable, are each run's own.

    Returns:
        dict[str, list[Run]]: By row, one a seed, the grid's own before that of a grid that it shares rows with; a row
        without any is not in it.
    """
    found = {}
    for row in grid.rows():
        kept: dict[int, Run] = {}
        for run in runs.get(row.name, ()):
            if run.facts['fingerprint'] == _mark(run, row, grid, settings):
                kept.setdefault(run.facts['seed'], run)
        if kept:
            found[row.name] = list(kept.values())
    return found


def _mark(run: Run, row: Row, grid: Grid, settings: Settings) -> str:
    own = run.facts.get('settings', {})
    device = {key: own.get(key, False) for key in ('bf16', 'channels_last')}
    return fingerprint(grid, row, run.facts['seed'], replace(settings, **device))


def set_of(grid: Grid, measure: str) -> str:
    """Which test set a measure is taken on.

    Args:
        grid: The grid.
        measure: Of :data:`benchmarks.grid.statistics.MEASURES`.

    Returns:
        str: The one with occluders, for visible and occluded joints, where there is one.
    """
    return OCCLUDERS if measure in (VISIBLE, OCCLUDED) and OCCLUDERS in grid.test_sets else PLAIN


def hits_of(runs: Iterable[Run], grid: Grid, measure: str) -> list[Hits]:
    """Hits that a measure is made of.

    Args:
        runs: Of a row.
        grid: The grid.
        measure: What is measured.

    Returns:
        list[Hits]: One a seed.
    """
    return [run.hits[set_of(grid, measure)] for run in runs]
