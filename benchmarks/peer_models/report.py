"""Table of ready-made pose models beside our own, for docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from posestructs.evaluation.tables import format_table
from posestructs.utils.usage import UsageError

COMMANDS = """```bash
python benchmarks/peers.py configs/hybrid/td-tree_movenet-lightning_lspet-mini-192x192.py \\
    --movenet movenet/package/models --mediapipe mp/bin/python --mediapipe-models mediapipe/package \\
    --predictions peers --out benchmarks/results/peers.json
python benchmarks/peers.py configs/hybrid/td-tree_movenet-lightning_lspet-mini-192x192.py \\
    --out benchmarks/results/peers.json --report docs/benchmarks.md benchmarks/results/hard_persons.json
```"""
NOTE = """\
In percent, on {persons} persons of `val.txt`, box given, no flip test; right is within 0.2 torsos. Joints of persons
that a model did not find count as wrong. Of the errors, those on the mirror joint lie within 0.2 torsos of its label;
inversions, as [error anatomy](trust.md) counts them, are farther than 0.4 torsos from their own label and within 0.4
of that of the mirror joint, which is the closest. The number after a MediaPipe variant is the side of its crop, shown
at 512 pixels, in longer sides of the box; 1.25 is the crop of all other models. Neck and head top of the ready-made
models are derived from shoulders and ears, the limb joints are their own; what a hip is differs between data sets, and
ours learned that of the test persons' data. Milliseconds are the median CPU time of an
image in torch and in onnxruntime: of our network up to its maps, of MoveNet with its decoding; for MediaPipe
detection and landmarks in its own runtime, over the persons found."""
VIEWS = """\
Right joints by view: the angle of the torso to the vertical is below 45 degrees (upright), above 135 (head down) or
between (tilted); front and back are what the torso shows. Number of persons in brackets."""
COLUMNS = (
    'joints',
    'limbs',
    'limbs_without_hips',
    'whole_persons',
    'on_mirror_joint_among_errors',
    'inversions_among_errors',
    'not_found',
)
HEAD = (
    'joints',
    'limb joints',
    'without hips',
    'whole persons',
    'on the mirror joint, of the errors',
    'inversions, of the errors',
    'not found',
    'ms, torch',
    'ms, own runtime',
)


def peers_section(results: list[dict[str, Any]], figures: dict[str, Any]) -> str:
    """Write the part of the page.

    Args:
        results: Content of ``--out`` of ``benchmarks/peers.py``.
        figures: Content of ``--out`` of ``benchmarks/hard_persons.py``; its first model is that of the config.

    Returns:
        Heading, commands, table and machines.

    Raises:
        UsageError: There are no times, or the figures are of another kind.
    """
    timed = [result for result in results if 'milliseconds' in result]
    if not timed:
        raise UsageError('--out holds no times, allowed: a file of a run of peers.py, at least with --speed-only')
    if not isinstance(figures, dict) or not {'config', 'figures', 'persons'} <= set(figures):
        raise UsageError('--report: the figures lack config, figures or persons, allowed: those of hard_persons.py')
    times = {name: time for result in timed for name, time in result['milliseconds'].items()}
    own = Path(figures['config']).stem
    mediapipe = {result['model']: result['cpu_milliseconds'] for result in results if 'cpu_milliseconds' in result}
    rows = []
    for number, (name, figure) in enumerate(figures['figures'].items()):
        time = times.get(own if number == 0 else name)
        cells = [f'{time[backend]["median"]:.1f}' for backend in ('torch', 'onnxruntime')] if time else ['', '']
        if name in mediapipe:
            cells[1] = f'{mediapipe[name]:.1f}'
        rows.append([name, *(f'{figure[key]:.1f}' for key in COLUMNS), *cells])
    text = NOTE.format(persons=figures['persons'])
    versions = [f'mediapipe {result["mediapipe"]}' for result in results if 'mediapipe' in result][:1]
    parts = ['## Ready-made pose models', COMMANDS, text, format_table(['', *HEAD], rows)]
    if figures.get('views', {}).get('persons'):
        parts += [VIEWS, _views_table(figures['views'])]
    return '\n\n'.join([*parts, _machines(timed, versions)])


def _views_table(views: dict[str, Any]) -> str:
    heads = [f'{name} ({count})' for name, count in views['persons'].items()]
    rows = [
        [name, *(f'{rates[view]:.1f}' for view in views['persons'])] for name, rates in views['right_joints'].items()
    ]
    return format_table(['', *heads], rows)


def _machines(timed: list[dict[str, Any]], versions: list[str]) -> str:
    """Where networks were timed, a line for each run; with their names where there are several runs."""
    lines = []
    for result in timed:
        machine = result['machine']
        known = [*versions, *(f'{key} {machine[key]}' for key in ('torch', 'mmpose', 'commit') if key in machine)]
        where = f'{machine["cpu"]}, {machine["cores"]} cores with other load, Python {machine["python"]}'
        names = f'{", ".join(result["milliseconds"])}: ' if len(timed) > 1 else ''
        lines.append(f'{names}{where}, {", ".join(known)}.')
    return '\n'.join(lines)
