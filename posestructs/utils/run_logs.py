"""Read the scalars that a run logged as curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Curve(NamedTuple):
    """A logged number over the iterations.

    Attributes:
        steps: (T,) iterations, rising.
        values: (T,) float64.
    """

    steps: np.ndarray
    values: np.ndarray


def find_logs(path: str | Path) -> list[Path]:
    """Files in which mmengine keeps the scalars of a run.

    Args:
        path: Such a file, a run's folder, or a work directory with the folders of a run and its resumptions.

    Returns:
        list[Path]: The oldest first; none where there are none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    for pattern in ('scalars.json', 'vis_data/scalars.json', '*/vis_data/scalars.json'):
        # mmengine names the folders by the time
        found = sorted(path.glob(pattern))
        if found:
            return found
    return []


def read_curves(files: Sequence[str | Path]) -> dict[str, Curve]:
    """Read the curves of training, with the files of a resumed run joined.

    Where a later file goes over iterations once more, it counts: a run that was killed goes on from its last
    checkpoint, and a run from scratch replaces one before it.

    Args:
        files: Files from :func:`find_logs`, the oldest first. An incomplete line, as a killed process leaves it, is
            skipped.

    Returns:
        dict[str, Curve]: By key of the log, such as ``'pose.acc_real'``; all of training rows alone.
    """
    rows: dict[int, dict] = {}
    for file in files:
        new = {row['iter']: row for row in _rows(Path(file))}
        if new:
            first = min(new)
            rows = {step: row for step, row in rows.items() if step < first} | new
    points: dict[str, list[tuple[int, float]]] = {}
    for step in sorted(rows):
        for key, value in rows[step].items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                points.setdefault(key, []).append((step, value))
    return {key: Curve(*np.array(pairs, dtype=np.float64).T) for key, pairs in points.items()}


def smooth(curve: Curve, window: int) -> Curve:
    """Average each value with those before it.

    Args:
        curve: The curve.
        window: Largest number of values in a mean; 1 leaves the curve as it is.

    Returns:
        Curve: As long as the given one.
    """
    sums = np.concatenate([[0.0], np.cumsum(curve.values)])
    ends = np.arange(1, len(curve.values) + 1)
    starts = np.maximum(ends - window, 0)
    return Curve(curve.steps, (sums[ends] - sums[starts]) / (ends - starts))


def _rows(file: Path) -> list[dict]:
    """Training rows of a file; those of validation have no iteration."""
    rows = []
    for line in file.read_text().splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict) and isinstance(row.get('iter'), int):
            rows.append(row)
    return rows
