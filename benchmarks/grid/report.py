"""Markdown tables and plots of a grid; rows without results are marked as open."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.grid.experiment import Settings, make_config
from benchmarks.grid.grids import Comparison, Grid
from benchmarks.grid.results import (
    COMPARED,
    Difference,
    Run,
    Runs,
    curve,
    curve_area,
    differences,
    hits_of,
    per_joint,
    value,
)
from benchmarks.grid.rows import BY_NAME, HOURGLASS, INVERTED, OCCLUDED, OCCLUDERS, PCK, PCP, VISIBLE, Row
from posestructs.evaluation.pdj import CURVE
from posestructs.evaluation.tables import format_table
from posestructs.utils.files import atomic_write

OPEN, NONE = 'open', '-'
SHOWN = (PCK, PCP, VISIBLE, OCCLUDED, INVERTED)
AREA = 'PDJ, area'


def spread(values: Sequence[float | None], digits: int = 1) -> str:
    """Format the mean over seeds, with the standard deviation of several seeds: ``12.3`` or ``12.3 ± 0.4``.

    A measure that some seeds lack is not shown, as the other columns are over all of them.
    """
    if not values or None in values:
        return NONE
    text = f'{np.mean(values):.{digits}f}'
    return text if len(values) == 1 else f'{text} ± {np.std(values, ddof=1):.{digits}f}'


def main_table(grid: Grid, runs: Runs) -> str:
    """Markdown table of all rows of a grid."""
    shown = shown_measures(grid, runs, SHOWN)
    header = ['', *shown, AREA, 'image', 'maps', 'parameters', 'GMACs', 'images/s', 'minutes', 'seeds']
    lines = []
    for row in grid.rows:
        if row.name not in runs:
            lines.append([row.label_for(grid.data), *([OPEN] * len(shown)), OPEN, *([NONE] * 7)])
            continue
        found = runs[row.name]
        measured = [spread([value(h, m) for h in hits_of(found, grid, m)]) for m in shown]
        facts = found[0].facts
        trained = not row.decode_of and 'images_per_second' in facts
        lines.append(
            [
                row.label_for(grid.data),
                *measured,
                spread([curve_area(h) for h in hits_of(found, grid, PCK)]),
                *sizes(grid, row),
                f'{facts["parameters"] / 1e6:.2f} M' if 'parameters' in facts else NONE,
                f'{facts["gmacs"]:.3f}' if 'gmacs' in facts else NONE,
                spread([run.facts['images_per_second'] for run in found]) if trained else NONE,
                spread([run.facts['seconds']['train'] / 60 for run in found]) if trained else NONE,
                str(len(found)),
            ]
        )
    return format_table(header, lines)


def shown_measures(grid: Grid, runs: Runs, measures: Sequence[str]) -> list[str]:
    """Measures that get a column: those that any result has, without results all but inversions."""
    if not runs:
        return [m for m in measures if m != INVERTED]
    return [m for m in measures if any(is_measured(found, grid, m) for found in runs.values())]


def is_measured(found: Sequence[Run], grid: Grid, measure: str) -> bool:
    """Whether any of the runs has a measure: not inversions in old ones, nor occluded joints without occluders."""
    return any(value(hits, measure) is not None for hits in hits_of(found, grid, measure))


def sizes(grid: Grid, row: Row) -> list[str]:
    """Sizes of the input and of the maps of a row, such as ``64x64``."""
    if row.is_mean_pose:
        return [NONE, NONE]
    codec = make_config(grid, row, 0, Settings()).codec
    return ['x'.join(map(str, codec[key])) for key in ('input_size', 'heatmap_size')]


def interval(found: Difference | None) -> str:
    """Format a difference with its deviation over seeds and its interval: ``+1.2 ± 0.4 [0.3, 2.1]``."""
    if found is None:
        return NONE
    deviation = '' if found.deviation is None else f' ± {found.deviation:.1f}'
    return f'{found.points:+.1f}{deviation} [{found.low:.1f}, {found.high:.1f}]'


def outcome(comparison: Comparison, found: Mapping[str, Difference | None] | None) -> str:
    """Format whether the aims of a comparison are reached; ``-`` without aims."""
    parts = []
    for measure, points in comparison.aims.items():
        wanted = f'more than 0 {measure}' if points == 0 else f'at least {points:.1f} {measure}'
        if found is None or found[measure] is None:
            parts.append(f'{wanted}: {OPEN}')
        else:
            parts.append(f'{wanted}: {verdict(found[measure], points)}')
    return '; '.join(parts) or NONE


def verdict(found: Difference, points: float) -> str:
    """Whether a difference reaches an aim; one whose interval includes zero is undecided."""
    if found.points < points or found.points <= 0:
        return '**missed**'
    return 'reached' if found.low > 0 else 'undecided'


def difference_table(grid: Grid, runs: Runs) -> str:
    """Markdown table of the comparisons of a grid, missed aims first."""
    rows, shown = [], shown_measures(grid, runs, COMPARED)
    for comparison, found in differences(grid, runs):
        text = outcome(comparison, found)
        cells = [OPEN] * len(shown) if found is None else [interval(found[m]) for m in shown]
        pair = ' - '.join(BY_NAME[name].label_for(grid.data) for name in (comparison.row, comparison.against))
        order = 0 if 'missed' in text or 'undecided' in text else 1 if text != NONE else 2
        costs = [runs[name][0].facts.get('gmacs') for name in (comparison.row, comparison.against) if name in runs]
        if comparison.against == HOURGLASS and len(costs) == 2 and None not in costs:
            text += f' ({costs[0]:.3f} and {costs[1]:.3f} GMACs)'
        rows.append((order, [f'{comparison.about}: {pair}', *cells, text]))
    lines = [line for _, line in sorted(rows, key=lambda row: row[0])]
    return format_table(['difference in points', *shown, 'aim'], lines)


def provenance(grid: Grid, runs: Runs) -> str:
    """Machine, versions and commit of the runs, in a sentence for each machine; empty without runs."""
    machines: dict[tuple, list[Run]] = {}
    keys = ('gpu', 'cpu', 'threads', 'python', 'torch', 'mmpose', 'commit')
    for found in runs.values():
        for run in found:
            machine = run.facts['machine']
            machines.setdefault(tuple(machine.get(key) for key in keys), []).append(run)
    sentences = []
    for values, group in machines.items():
        known = dict(zip(keys, values, strict=True))
        threads = '1 thread' if known['threads'] == 1 else f'{known["threads"]} threads'
        device = known['gpu'] or f'{threads} of {known["cpu"]}'
        labels = dict.fromkeys(BY_NAME[run.facts['row']].label_for(grid.data) for run in group)
        which = 'All rows' if len(machines) == 1 else '; '.join(labels)
        busy = [run.facts['gpu_utilisation'] for run in group if 'gpu_utilisation' in run.facts]
        load = f' The GPU was busy {np.mean(busy):.0f} % of the time.' if busy else ''
        if known['gpu'] and not busy:
            load = ' The load of the GPU is unknown, since nvidia-smi did not report it.'
        sentences.append(
            f'{which}: {device}, Python {known["python"]}, torch {known["torch"]}, mmpose {known["mmpose"]}, '
            f'commit {known["commit"]}.{load}'
        )
    return '\n'.join(sentences)


def budget_line(grid: Grid, runs: Runs) -> str:
    """Describe the budget: of the runs, or of the grid if there are none."""
    trained = [run.facts for found in runs.values() for run in found if run.facts['epochs']]
    budgets = {
        f'{facts["images"]:,} training images in all, in {facts["epochs"]} epochs, batches of {facts["batch_size"]}'
        + (', bfloat16' if facts.get('settings', {}).get('bf16') else '')
        for facts in trained
    }
    counts = {len(hits.measured) for found in runs.values() for run in found for hits in run.hits.values()}
    if not budgets:
        return f'{grid.epochs} epochs, batches of {grid.batch_size}.'
    scored = ' or '.join(f'{count:,}' for count in sorted(counts))
    spent = [run.facts['seconds'] for found in runs.values() for run in found]
    minutes = sum(one.get(part, 0) for one in spent for part in ('train', 'test')) / 60
    return (
        f'Each row: {"; or ".join(sorted(budgets))}; the last checkpoint is scored on {scored} test samples. '
        f'Training and scoring took {minutes:.0f} minutes in all, one run at a time.'
    )


def grid_section(grid: Grid, runs: Runs, plots: Mapping[str, str]) -> str:
    """Section of a grid in a Markdown page, without tables if there are no runs.

    Args:
        grid: The grid.
        runs: Runs by row.
        plots: Paths of the plots relative to the page, by their subject.
    """
    if not runs:
        names = '; '.join(row.label_for(grid.data) for row in grid.rows)
        return f'### {grid.name}\n\n{budget_line(grid, runs)} Open; no row has been run yet: {names}.'
    parts = [
        f'### {grid.name}',
        ' '.join(filter(None, (budget_line(grid, runs), grid.note))),
        main_table(grid, runs),
        INTERVALS
        + (INVERSIONS if shown_measures(grid, runs, [INVERTED]) else '')
        + (UNDER_OCCLUDERS if OCCLUDERS in grid.test_sets else ''),
        difference_table(grid, runs),
        *(f'![{about}]({path})' for about, path in plots.items()),
        provenance(grid, runs),
    ]
    return '\n\n'.join(part for part in parts if part)


INTERVALS = (
    'Metrics are in percent, as mean and standard deviation over seeds. Parameters and multiply-adds are those of the '
    'model in testing, without discriminators; minutes are those of training. Differences are in points, over the '
    'seeds that both rows have, with the standard deviation of the differences of single seeds and the 95 % interval '
    'of a paired bootstrap over test samples and seeds. With one seed the interval does not cover the randomness of '
    'training, and with two or three only in part: a difference of a point or two may be chance.'
)
INVERSIONS = (
    ' Inversions are joints farther than 0.4 torsos from their own label, of which the closest other label within 0.4 '
    'torsos is that of the mirror joint ([error anatomy](trust.md)), in percent of all joints: the fewer, the better.'
)
UNDER_OCCLUDERS = (
    ' The columns of visible and occluded joints are measured on the same images under artificial occluders, where '
    'fewer joints are found; all other columns on the images as they are.'
)


# -- plots -------------------------------------------------------------------------------------------------------------


def draw_curves(grid: Grid, runs: Runs) -> Figure:
    """PDJ curve of each row: mean over seeds, with a band of one standard deviation."""
    figure, axes = _figure(7.5, 4)
    for name, colour in _colours(runs).items():
        curves = [curve(hits) for hits in hits_of(runs[name], grid, PCK)]
        mean = np.mean(curves, axis=0)
        axes.plot(CURVE, mean, color=colour, label=BY_NAME[name].label_for(grid.data))
        if len(curves) > 1:
            spread = np.std(curves, axis=0, ddof=1)
            axes.fill_between(CURVE, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel='distance, in torso lengths', ylabel='PDJ (%)', xlim=(0, 0.5), ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc='center left', bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def draw_joints(grid: Grid, runs: Runs) -> Figure:
    """TorsoPCK@0.2 by joint, rows side by side."""
    found = {}
    for name in runs:
        joints = [per_joint(hits) for hits in hits_of(runs[name], grid, PCK)]
        found[name] = {joint: [one[joint] for one in joints] for joint in joints[0]}
    groups = list(next(iter(found.values())))
    return _bars(grid, found, groups, 'TorsoPCK@0.2 (%)')


def draw_occlusion(grid: Grid, runs: Runs) -> Figure:
    """TorsoPCK@0.2 of visible and of occluded joints."""
    found = {}
    for name in runs:
        found[name] = {
            label: [v for h in hits_of(runs[name], grid, measure) if (v := value(h, measure)) is not None]
            for label, measure in (('visible', VISIBLE), ('occluded', OCCLUDED))
        }
    return _bars(grid, found, ['visible', 'occluded'], 'TorsoPCK@0.2 (%)')


def draw_rows(grid: Grid, runs: Runs) -> Figure:
    """TorsoPCK@0.2 of each row: a dot for each seed, a line at their mean."""
    figure, axes = _figure(6.5, 0.26 * len(runs) + 0.7)
    names = [row.name for row in grid.rows if row.name in runs]
    for place, name in enumerate(names):
        seeds = [value(hits, PCK) for hits in hits_of(runs[name], grid, PCK)]
        axes.plot(seeds, [place] * len(seeds), 'o', color='#3b6ea8', markersize=4, alpha=0.7)
        axes.plot([np.mean(seeds)] * 2, [place - 0.3, place + 0.3], color='#222222', linewidth=1.5)
    axes.set_yticks(range(len(names)), [BY_NAME[name].label_for(grid.data) for name in names], fontsize=8)
    axes.set(xlabel='TorsoPCK@0.2 (%); a dot for each seed, a line at their mean', ylim=(len(names) - 0.4, -0.6))
    axes.xaxis.label.set_fontsize(8)
    axes.grid(axis='x', alpha=0.3)
    return figure


PLOTS: Mapping[str, tuple[str, Callable[[Grid, Runs], Figure]]] = {
    'rows': ('TorsoPCK@0.2 of each row and seed', draw_rows),
    'pdj': ('PDJ curves', draw_curves),
    'joints': ('TorsoPCK@0.2 of joints', draw_joints),
    'occlusion': ('TorsoPCK@0.2 of visible and of occluded joints', draw_occlusion),
}


def write_plots(grid: Grid, runs: Runs, folder: Path) -> dict[str, Path]:
    """Write the plots of a grid; returns the image files by their subject, none without runs."""
    written = {}
    for name in grid.plots:
        about, draw = PLOTS[name]
        if runs and (name != 'occlusion' or shown_measures(grid, runs, [OCCLUDED])):
            written[about] = folder / f'{grid.name}_{name}.webp'
            save(draw(grid, runs), written[about])
    return written


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a lossless WebP of eight levels a channel, a sixth of the size of a full-colour PNG."""
    full, image = io.BytesIO(), io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(full, format='png', dpi=80, bbox_inches='tight')
    levels = np.rint(np.rint(np.arange(256) / 255 * 7) / 7 * 255).astype(np.uint8)
    pixels = np.asarray(Image.open(full).convert('RGB'))
    Image.fromarray(levels[pixels]).save(image, 'webp', lossless=True, quality=100, method=6)
    atomic_write(path, image.getvalue())


def _figure(width: float, height: float) -> tuple[Figure, object]:
    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def _colours(runs: Runs) -> dict[str, tuple]:
    """Colour of each row, the same in all plots of a grid."""
    table = colormaps['tab20']
    return {name: table(place % 20) for place, name in enumerate(name for name in BY_NAME if name in runs)}


def _bars(grid: Grid, found: Mapping[str, Mapping[str, list[float]]], groups: Sequence[str], label: str) -> Figure:
    """Groups of bars with a bar for each row; thin lines span the range of the seeds."""
    figure, axes = _figure(max(6, 1.4 * len(groups) + 4), 4.5)
    width = 0.85 / len(found)
    for i, (name, colour) in enumerate(_colours(found).items()):
        values = [found[name][group] for group in groups]
        means = [np.mean(v) if v else 0 for v in values]
        ends = [[m - min(v, default=m) for m, v in zip(means, values, strict=True)]]
        ends.append([max(v, default=m) - m for m, v in zip(means, values, strict=True)])
        places = np.arange(len(groups)) + (i - (len(found) - 1) / 2) * width
        axes.bar(
            places,
            means,
            width,
            yerr=ends,
            color=colour,
            label=BY_NAME[name].label_for(grid.data),
            error_kw=dict(lw=0.7),
        )
    axes.set(ylabel=label)
    axes.set_xticks(range(len(groups)), [group.replace('_', ' ') for group in groups])
    axes.grid(axis='y', alpha=0.3)
    axes.legend(fontsize=8, loc='center left', bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure
