"""Tables of speed as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from posestructs.evaluation.tables import format_table

LIMIT = 1.2
"""What a pipeline may cost, in mmpose's."""


def speed_table(models: Sequence[Mapping[str, Any]]) -> str:
    """Images a second of configs.

    Args:
        models: Of :func:`benchmarks.speed.measure.measure`.

    Returns:
        str: Markdown.
    """
    workers = list(models[0]['pipeline'])
    parts = [(part, n) for part in ('pipeline', 'both') for n in workers]
    header = ['images/s', 'step', 'step again', *(f'{part}, {n}' for part, n in parts), 'peak MiB']
    rows = []
    for model in models:
        found = [model['step'], model['step_again'], *(model[part][n] for part, n in parts)]
        rows.append([model['name'], *(f'{one["speed"]:.1f}' for one in found), str(model['memory_mib'])])
    return format_table(header, rows)


def least_batches(models: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Tell how much the figures of :func:`speed_table` rest on.

    Args:
        models: Of :func:`benchmarks.speed.measure.measure`.

    Returns:
        tuple[int, int]: The fewest batches of a figure with training in it, and of a pipeline's.
    """
    trained = [one for model in models for one in (model['step'], model['step_again'], *model['both'].values())]
    loaded = [one for model in models for one in model['pipeline'].values()]
    return min(one['batches'] for one in trained), min(one['batches'] for one in loaded)


def pipeline_table(pipelines: Sequence[Mapping[str, Any]]) -> str:
    """Cost of pipelines beside the first one's.

    Args:
        pipelines: Of :func:`benchmarks.speed.pipelines.measure_pipelines`.

    Returns:
        str: Markdown.
    """
    rows = []
    for i, row in enumerate(pipelines):
        low, high = row['ratio_quartiles']
        name = ' and '.join(row['names']) + ('' if row['occluders'] else ', no occluders')
        aim = f'at most {LIMIT}: {verdict(low, high)}' if i else '-'
        rows.append([name, f'{row["ms"]:.2f}', f'{row["ratio"]:.2f}', f'{low:.2f} to {high:.2f}', aim])
    return format_table(['pipeline alone', 'CPU ms an image', 'ratio', 'quartiles', 'aim'], rows)


def verdict(low: float, high: float) -> str:
    """Say whether a pipeline keeps :data:`LIMIT`.

    Args:
        low: Lower quartile of its ratios to mmpose's.
        high: Upper quartile.

    Returns:
        str: 'undecided' where the limit lies between them.
    """
    if high <= LIMIT:
        return 'reached'
    return '**missed**' if low > LIMIT else 'undecided'


def speed_section(found: Mapping[str, Any] | None) -> str:
    """All there is to say of speed.

    Args:
        found: What ``benchmarks/throughput.py`` wrote; ``None`` where nothing was measured.

    Returns:
        str: Markdown.
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
    told = (
        f'{machine["cpu"]}, {device}, Python {machine["python"]}, torch {machine["torch"]}, '
        f'mmpose {machine["mmpose"]}, commit {machine["commit"]}.'
    )
    text = (
        f'Images a second in training, over {found["seconds"]:g} seconds or more each: optimizer included in the step; '
        'the number after the comma is that of the processes that load data; peak memory is that of the training '
        'process without them. Batches that a loader had ready before the clock started do not count, and more than '
        f'it can hold ready are measured: at least {training} batches stand behind each figure with a step in it, '
        f'{loading} behind each of a pipeline. The step is measured first and again after all others: differences '
        'that are no larger than that between the two say nothing, since other work on the machine makes them.'
    )
    aim = (
        "The pipelines alone, beside that of the first line, mmpose's hourglass; configs with the same pipeline share "
        f'a line. The aim is undecided where the middle half of the {found["rounds"]} rounds lies on both sides of it. '
        'Artificial occluders are an augmentation that mmpose has not; pipelines with them are shown without, too.'
    )
    parts = ['## Training throughput', command, text, speed_table(found['models'])]
    return '\n\n'.join([*parts, aim, pipeline_table(found['pipelines']), told])
