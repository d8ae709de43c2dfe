"""Plots of a grid: PDJ curves, accuracy by joint, and visible against occluded joints."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.grid.results import Runs, curve, hits_of, per_joint, value
from benchmarks.grid.rows import BY_NAME
from benchmarks.grid.schema import OCCLUDED, PCK, VISIBLE, Grid
from posestructs.evaluation.pdj import CURVE
from posestructs.utils.files import atomic_write


def draw_curves(grid: Grid, runs: Runs) -> Figure:
    """PDJ curve of each row: mean over seeds, with a band of one standard deviation."""
    figure, axes = _figure(9, 5)
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


PLOTS: Mapping[str, tuple[str, Callable[[Grid, Runs], Figure]]] = {
    'pdj': ('PDJ curves', draw_curves),
    'joints': ('TorsoPCK@0.2 of joints', draw_joints),
    'occlusion': ('TorsoPCK@0.2 of visible and of occluded joints', draw_occlusion),
}


def write_plots(grid: Grid, runs: Runs, folder: Path) -> dict[str, Path]:
    """Write all plots of a grid; returns the image files by their subject, none without runs."""
    written = {}
    for name, (about, draw) in PLOTS.items():
        if runs:
            written[about] = folder / f'{grid.name}_{name}.png'
            save(draw(grid, runs), written[about])
    return written


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG of 256 colours, which is a third of the size of a full-colour one."""
    full, image = io.BytesIO(), io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(full, format='png', dpi=100, bbox_inches='tight')
    Image.open(full).convert('RGB').quantize(256, dither=Image.Dither.NONE).save(image, 'png', optimize=True)
    atomic_write(path, image.getvalue())


def _figure(width: float, height: float) -> tuple[Figure, object]:
    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def _colours(runs: Runs) -> dict[str, tuple]:
    """Colour of each row, the same in all plots of all grids."""
    table = colormaps['tab20']
    order = list(BY_NAME)
    return {name: table(order.index(name) % 20) for name in runs}


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
