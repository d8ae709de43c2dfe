"""Markdown tables of training throughput."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from posestructs.evaluation.tables import format_table

LIMIT = 1.2
"""Largest cost of a pipeline relative to mmpose's."""


def speed_table(models: Sequence[Mapping[str, Any]]) -> str:
    """Table of images per second, from results of :func:`benchmarks.speed.measure.measure`."""
    workers = list(models[0]['pipeline'])
    parts = [(part, n) for part in ('pipeline', 'both') for n in workers]
    header = ['images/s', 'step', 'step again', *(f'{part}, {n}' for part, n in parts), 'peak MiB']
    rows = []
    for model in models:
        found = [model['step'], model['step_again'], *(model[part][n] for part, n in parts)]
        rows.append([model['name'], *(f'{one["speed"]:.1f}' for one in found), str(model['memory_mib'])])
    return format_table(header, rows)


def least_batches(models: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Smallest number of batches behind a result with training in it, and behind that of a pipeline."""
    trained = [one for model in models for one in (model['step'], model['step_again'], *model['both'].values())]
    loaded = [one for model in models for one in model['pipeline'].values()]
    return min(one['batches'] for one in trained), min(one['batches'] for one in loaded)


def pipeline_table(pipelines: Sequence[Mapping[str, Any]]) -> str:
    """Table of pipeline costs relative to the first one, from :func:`benchmarks.speed.pipelines.measure_pipelines`."""
    rows = []
    for i, row in enumerate(pipelines):
        low, high = row['ratio_quartiles']
        name = ' and '.join(row['names']) + ('' if row['occluders'] else ', no occluders')
        aim = f'at most {LIMIT}: {outcome(low, high)}' if i else '-'
        rows.append([name, f'{row["ms"]:.2f}', f'{row["ratio"]:.2f}', f'{low:.2f} to {high:.2f}', aim])
    return format_table(['pipeline alone', 'CPU ms per image', 'ratio', 'quartiles', 'aim'], rows)


def outcome(low: float, high: float) -> str:
    """Whether a pipeline stays below :data:`LIMIT`, from the quartiles of its ratios to mmpose's."""
    if high <= LIMIT:
        return 'reached'
    return '**missed**' if low > LIMIT else 'undecided'


def speed_section(found: Mapping[str, Any] | None) -> str:
    """Throughput part of a page.

    Args:
        found: Result of ``benchmarks/throughput.py``; ``None`` if nothing was measured.
    """
    flags = ''
    if found:
        flags = f' --workers {" ".join(map(str, found["workers"]))} --seconds {found["seconds"]:g}'
        flags += f' --rounds {found["rounds"]} --images {found["images"]}'
    command = (
        f'```bash\npython benchmarks/throughput.py{flags}\n'
        'python benchmarks/throughput.py --report docs/benchmarks.md\n```'
    )
    if found is None:
        return f'## Training throughput\n\nOpen: not measured yet.\n\n{command}'
    machine = found['machine']
    on_cpu = found['device'] == 'cpu'
    device = f'{machine["threads"]} threads, {machine["cores"]} cores' if on_cpu else machine['gpu']
    training, loading = least_batches(found['models'])
    machine_line = (
        f'{machine["cpu"]}, {device}, Python {machine["python"]}, torch {machine["torch"]}, '
        f'mmpose {machine["mmpose"]}, commit {machine["commit"]}.'
    )
    text = (
        f'Images per second in training, measured over at least {found["seconds"]:g} seconds each. The step includes '
        'the optimizer. The number after the comma is that of the data loading processes; peak memory is that of the '
        'training process without them. Batches that were prefetched before the clock started do not count, and more '
        f'than a loader prefetches are measured: at least {training} batches for each result with a step in it, '
        f'{loading} for each of a pipeline alone. The step is measured first and again last; differences smaller than '
        'that between the two may be due to load on the machine.'
    )
    aim = (
        "Cost of the pipelines alone, relative to that of mmpose's hourglass in the first line; configs with the same "
        f'pipeline share a line. The aim is undecided if the middle half of the {found["rounds"]} rounds lies on both '
        'sides of it. Pipelines with artificial occluders, which mmpose does not have, are also shown without them.'
    )
    parts = ['## Training throughput', command, text, speed_table(found['models'])]
    return '\n\n'.join([*parts, aim, pipeline_table(found['pipelines']), machine_line])
