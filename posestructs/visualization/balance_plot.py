"""Plot of the balance between generator and discriminators over a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from posestructs.utils.run_logs import Curve

_COLORS = dict(pose='tab:blue', confidence='tab:orange')
_OTHER_COLORS = ('tab:green', 'tab:red', 'tab:purple', 'tab:brown', 'tab:pink', 'tab:olive', 'tab:cyan')
# keys that only discriminators log
_SCORES = ('acc_real', 'acc_fake', 'score_real', 'score_fake')
_GENERATOR_COLOR = 'tab:gray'
# the weights of the paper's discriminators have names of their own
_WEIGHTS = dict(confidence='alpha', pose='beta')


class Panel(NamedTuple):
    """A row of the plot.

    Attributes:
        label: Quantity and unit.
        factor: Factor of the logged values.
        keys: Line styles by key of the log; ``{}`` stands for the name of each discriminator.
        limits: Least and greatest value of the axis; ``None`` for one that follows the values.
    """

    label: str
    factor: float
    keys: Mapping[str, str]
    limits: tuple[float, float | None] | None = None


PANELS = (
    Panel('accuracy (%)', 100, {'{}.acc_real': '-', '{}.acc_fake': '--'}, (0, 101)),
    Panel('mean score (%)', 100, {'{}.score_real': '-', '{}.score_fake': '--', '{}.share_right': ':'}, (0, 101)),
    Panel('loss of discriminators', 1, {'{}.loss_real': '-', '{}.loss_fake': '--'}),
    Panel('loss of the generator', 1, {'loss_kpt': '-', 'loss_occlusion': '--'}),
    Panel('its adversarial terms', 1, {'loss_adv_{}': '-'}),
    Panel('weight', 1, {'alpha': '-', 'beta': '-', '{}.weight': '-'}, (0, None)),
    Panel('steps skipped (%)', 100, {'{}.skipped': '-'}, (0, 101)),
)


def draw_balance(curves: Mapping[str, Curve]) -> Figure:
    """Plot the log of a run with discriminators.

    Args:
        curves: Curves by key, from :func:`~posestructs.utils.run_logs.read_curves`.

    Returns:
        Figure: One row per panel with curves, over the iterations. P is blue, C orange.

    Raises:
        ValueError: The log has no values of a discriminator.
    """
    colors = _discriminator_colors(curves)
    if not colors:
        raise ValueError('the log has no values of a discriminator (pose.acc_real, confidence.acc_real)')
    found = [(panel, lines) for panel in PANELS if (lines := _lines(panel, curves, colors))]
    figure = Figure(figsize=(9, 2.1 * len(found) + 0.5), layout='constrained')
    FigureCanvasAgg(figure)  # not pyplot, which selects a backend for the whole process
    rows = figure.subplots(len(found), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (panel, lines) in zip(rows, found, strict=True):
        _draw_panel(axes, panel, lines, curves)
    rows[-1].set_xlabel('iteration')
    return figure


def _discriminator_colors(curves: Mapping[str, Curve]) -> dict[str, str]:
    """Colours by name of the discriminators in a log: P and C first where present, then the others."""
    pairs = (key.rpartition('.') for key in curves)
    names = list(dict.fromkeys(name for name, _, value in pairs if name and value in _SCORES))
    others = [name for name in names if name not in _COLORS]
    colors = {name: color for name, color in _COLORS.items() if name in names}
    return colors | {name: _OTHER_COLORS[i % len(_OTHER_COLORS)] for i, name in enumerate(others)}


def _lines(panel: Panel, curves: Mapping[str, Curve], colors: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(key, style, colour) of the curves of a panel."""
    weights = {key: _COLORS[name] for name, key in _WEIGHTS.items()}
    lines = []
    for key, style in panel.keys.items():
        if '{}' in key:
            lines += [(key.format(name), style, color) for name, color in colors.items()]
        else:
            lines.append((key, style, weights.get(key, _GENERATOR_COLOR)))
    return [line for line in lines if line[0] in curves]


def _draw_panel(axes: Axes, panel: Panel, lines: list[tuple[str, str, str]], curves: Mapping[str, Curve]) -> None:
    for key, style, color in lines:
        steps, values = curves[key]
        axes.plot(steps, panel.factor * values, style, color=color, label=key, linewidth=1.2)
    axes.set_ylabel(panel.label)
    if panel.limits:
        low, high = panel.limits
        axes.set_ylim(low, _top(panel, lines, curves) if high is None else high)
    axes.grid(alpha=0.3)
    axes.legend(loc='center left', bbox_to_anchor=(1, 0.5), fontsize='small', frameon=False)


def _top(panel: Panel, lines: list[tuple[str, str, str]], curves: Mapping[str, Curve]) -> float:
    """Upper limit of an axis from 0, with a margin of 5 % above the greatest value."""
    values = np.concatenate([curves[key].values for key, _, _ in lines]) * panel.factor
    greatest = values[np.isfinite(values)].max(initial=0.0)
    return 1.05 * greatest if greatest > 0 else 1.0
