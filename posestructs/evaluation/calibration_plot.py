"""Reliability diagrams and risk-coverage curves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from posestructs.evaluation.calibration import Reliability


def draw_calibration(
    diagrams: Mapping[str, Reliability], curves: Mapping[str, np.ndarray], coverage: np.ndarray
) -> Figure:
    """Draw reliability diagrams and risk-coverage curves side by side.

    Args:
        diagrams: Reliability diagrams by name.
        curves: (C,) shares of right joints by name.
        coverage: (C,) shares of all joints.

    Returns:
        Figure: Two panels, a line per name.
    """
    figure = Figure(figsize=(9, 4), layout='constrained')
    FigureCanvasAgg(figure)  # no pyplot, which would choose a backend for the whole process
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], ':', color='tab:gray', label='ideal')
    for name, diagram in diagrams.items():
        there = diagram.count > 0
        label = f'{name} (ECE {diagram.ece():.3f})'
        left.plot(diagram.confidence[there], diagram.accuracy[there], 'o-', markersize=4, label=label)
    left.set(xlabel='score', ylabel='share of right joints', xlim=(0, 1), ylim=(0, 1))
    for name, curve in curves.items():
        right.plot(100 * np.asarray(coverage), 100 * curve, '-', label=name)
    right.set(
        xlabel='most trusted joints (% of all)', ylabel='right joints among them (%)', xlim=(0, 100), ylim=(0, 101)
    )
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize='small', frameon=False)
    return figure
