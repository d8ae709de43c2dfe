"""A picture of how generator and discriminators kept each other in balance over a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from posestructs.utils.run_logs import Curve

NETWORKS = ('pose', 'confidence')
_COLORS = dict(pose='tab:blue', confidence='tab:orange')
_GREY = 'tab:gray'


class Panel(NamedTuple):
    """A row of the picture: its unit, a factor, and line styles by key; ``{}`` stands for each discriminator."""

    label: str
    factor: float
    keys: Mapping[str, str]
    limits: tuple[float, float | None] | None = None


PANELS = (
    Panel('right verdicts (%)', 100, {'{}.acc_real': '-', '{}.acc_fake': '--'}, (0, 101)),
    Panel('mean verdict (%)', 100, {'{}.score_real': '-', '{}.score_fake': '--', '{}.share_right': ':'}, (0, 101)),
    Panel('loss of discriminators', 1, {'{}.loss_real': '-', '{}.loss_fake': '--'}),
    Panel('loss of the generator', 1, {'loss_kpt': '-', 'loss_occlusion': '--'}),
    Panel('its adversarial part', 1, {'loss_adv_{}': '-'}),
    Panel('weight', 1, {'alpha': '-', 'beta': '-'}, (0, None)),
    Panel('steps skipped (%)', 100, {'{}.skipped': '-'}, (0, 101)),
)


def draw_balance(curves: Mapping[str, Curve]) -> Figure:
    """Draw what was logged of a run with discriminators.

    Args:
        curves: Of :func:`~posestructs.utils.run_logs.read_curves`.

    Returns:
        Figure: A row per panel that has curves, over the iterations. Blue is P, orange C.

    Raises:
        ValueError: Nothing was logged of a discriminator.
    """
    if not any(f'{name}.acc_real' in curves for name in NETWORKS):
        raise ValueError('nothing is logged of a discriminator (pose.acc_real, confidence.acc_real)')
    found = [(panel, lines) for panel in PANELS if (lines := _lines(panel, curves))]
    figure = Figure(figsize=(9, 2.1 * len(found) + 0.5), layout='constrained')
    FigureCanvasAgg(figure)  # no pyplot, which would choose a backend for the whole process
    rows = figure.subplots(len(found), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (panel, lines) in zip(rows, found, strict=True):
        _draw_panel(axes, panel, lines, curves)
    rows[-1].set_xlabel('iteration')
    return figure


def _lines(panel: Panel, curves: Mapping[str, Curve]) -> list[tuple[str, str, str]]:
    """(key, style, colour) of the curves that are there."""
    lines = []
    for key, style in panel.keys.items():
        if '{}' in key:
            lines += [(key.format(name), style, _COLORS[name]) for name in NETWORKS]
        else:
            # alpha is the weight of C, beta of P
            lines.append((key, style, {'alpha': _COLORS['confidence'], 'beta': _COLORS['pose']}.get(key, _GREY)))
    return [line for line in lines if line[0] in curves]


def _draw_panel(axes: Axes, panel: Panel, lines: list[tuple[str, str, str]], curves: Mapping[str, Curve]) -> None:
    for key, style, color in lines:
        steps, values = curves[key]
        axes.plot(steps, panel.factor * values, style, color=color, label=key, linewidth=1.2)
    axes.set_ylabel(panel.label)
    if panel.limits:
        axes.set_ylim(*panel.limits)
    axes.grid(alpha=0.3)
    axes.legend(loc='center left', bbox_to_anchor=(1, 0.5), fontsize='small', frameon=False)
