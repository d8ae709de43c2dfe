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
    header = ['images/s', 'step', *(f'{part}, {n}' for part in ('pipeline', 'both') for n in workers), 'peak MiB']
    rows = []
    for model in models:
        speeds = [model['step'], *(model[part][n] for part in ('pipeline', 'both') for n in workers)]
        rows.append([model['name'], *(f'{speed:.1f}' for speed in speeds), str(model['memory_mib'])])
    return format_table(header, rows)


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
        aim = '-' if i == 0 else f'at most {LIMIT}: {"reached" if row["ratio"] <= LIMIT else "**missed**"}'
        rows.append([row['name'], f'{row["ms"]:.2f}', f'{row["ratio"]:.2f}', f'{low:.2f} to {high:.2f}', aim])
    return format_table(['pipeline alone', 'CPU ms an image', 'ratio', 'quartiles', 'aim'], rows)


def speed_section(found: Mapping[str, Any] | None) -> str:
    """All there is to say of speed.

    Args:
        found: What ``benchmarks/throughput.py`` wrote; ``None`` where nothing was measured.

    Returns:
        str: Markdown.
    """
    flags = f' --seconds {found["seconds"]:g} --rounds {found["rounds"]}' if found else ''
    command = (
        f'```bash\npython benchmarks/throughput.py{flags}\n'
        'python benchmarks/throughput.py --report docs/benchmarks.md\n```'
    )
    if found is None:
        return f'## Training throughput\n\nOpen: not measured yet.\n\n{command}'
    machine = found['machine']
    device = machine['gpu'] if found['device'] == 'cuda' else f'{machine["threads"]} threads, {machine["cores"]} cores'
    told = (
        f'{machine["cpu"]}, {device}, Python {machine["python"]}, torch {machine["torch"]}, '
        f'mmpose {machine["mmpose"]}, commit {machine["commit"]}.'
    )
    text = (
        f'Images a second in training, over {found["seconds"]:g} seconds each: optimizer included in the step; the '
        'number after the comma is that of the '
        'processes that load data; peak memory is that of the training process without them. The first line is '
        "mmpose's hourglass, whose pipeline is the measure of the others. "
        'Artificial occluders are an augmentation that mmpose has not; pipelines with them are shown without, too.'
    )
    parts = ['## Training throughput', command, text, speed_table(found['models'])]
    return '\n\n'.join([*parts, pipeline_table(found['pipelines']), told])
