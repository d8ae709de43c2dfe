"""PDJ: percentage of detected joints over the fraction of the torso that a joint may be off (Sapp and Taskar, 2013).

At one threshold it is :class:`TorsoPCK`; PDJ is the whole curve from 0 to half a torso and the area under it.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmpose.registry import METRICS

from posestructs.evaluation.pck import JointCounts
from posestructs.evaluation.torso_pck import TorsoPCK, torso_pck
from posestructs.utils.checks import invalid_value

CURVE = tuple(i / 100 for i in range(51))
"""Thresholds of the curve; i / 100 is the nearest float to its decimal, as an arange is not."""


def pdj_curve(pred: np.ndarray, gt: np.ndarray, labelled: np.ndarray, pair: tuple[int, int]) -> JointCounts:
    """Detected joints at 0, 0.01 ... 0.5 torso lengths.

    Args:
        pred: (N, K, 2) predicted joints in pixels.
        gt: (N, K, 2) target joints in pixels.
        labelled: (N, K) bool.
        pair: Indices of the joints that span the torso.

    Returns:
        JointCounts: With T = 51; ``.mean()`` and ``.group(joints)`` are curves in percent.
    """
    return torso_pck(pred, gt, labelled, pair, CURVE)


def area(curve: np.ndarray) -> float:
    """Area under a curve of equally spaced points by the trapezoid rule, over the area under a constant 1.

    Args:
        curve: (T,) percentages.

    Returns:
        float: Percent.
    """
    return float((curve[1:] + curve[:-1]).mean() / 2)


def write_curves(curves: Mapping[str, np.ndarray], out_dir: str | os.PathLike, stem: str = 'pdj') -> tuple[Path, Path]:
    """Write PDJ curves as a table and as a plot; an older pair is replaced, never left half-written.

    Args:
        curves: Name to (51,) percentages at :data:`CURVE`.
        out_dir: Folder, made where absent.
        stem: File name without suffix.

    Returns:
        tuple[Path, Path]: The csv and the png.
    """
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    table, plot = folder / f'{stem}.csv', folder / f'{stem}.png'
    parts = [p.with_name(f'.{p.name}.part') for p in (table, plot)]
    with parts[0].open('w', newline='') as f:
        writer = csv.writer(f)
        writer.writerow(['threshold', *curves])
        writer.writerows([f'{t:g}', *(f'{c[i]:.4f}' for c in curves.values())] for i, t in enumerate(CURVE))
    _draw(curves).savefig(parts[1], format='png', dpi=150)
    for part, path in zip(parts, (table, plot), strict=True):
        os.replace(part, path)
    return table, plot


def _draw(curves: Mapping[str, np.ndarray]) -> Figure:
    figure = Figure(figsize=(6, 4), layout='constrained')
    FigureCanvasAgg(figure)  # no pyplot: a metric must not touch the process's backend
    axes = figure.add_subplot(
        xlabel='distance / torso length', ylabel='detected joints (%)', xlim=(0, 0.5), ylim=(0, 100)
    )
    for name, curve in curves.items():
        bold = name == 'mean'
        axes.plot(CURVE, curve, label=name, color='black' if bold else None, linewidth=2.5 if bold else 1.2)
    axes.grid(alpha=0.3)
    figure.legend(loc='outside right center', fontsize='small')
    return figure


@METRICS.register_module()
class PDJ(TorsoPCK):
    """Percentage of detected joints: values at ``thr``, the area under the curve, and the curve as files.

    Beside the keys of :class:`PCK` the result holds ``PDJ/AUC`` and ``PDJ/AUC/<group>``: the area under the curve from
    0 to 0.5 torso lengths by the trapezoid rule, in percent of the whole. Papers quote elbows and wrists.

    Args:
        thr: Fractions of the torso's length to quote.
        out_dir: Folder for ``pdj.csv`` and ``pdj.png`` of the last evaluation (``<prefix>_pdj.*`` with a prefix). By
            default nothing is written; ``tools/train.py`` and ``tools/test.py`` set it to the work directory.
        kwargs: See :class:`TorsoPCK`.
    """

    def __init__(self, thr: float | Sequence[float] = (0.1, 0.2), out_dir: str | None = None, **kwargs) -> None:
        super().__init__(thr=thr, **kwargs)
        if out_dir is not None and os.path.exists(out_dir) and not os.path.isdir(out_dir):
            raise invalid_value(f'{self.name}.out_dir', out_dir, 'a folder, which this is not')
        self.out_dir = out_dir

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The quoted thresholds, then the curve's."""
        return (*self.thr, *CURVE)

    def summarise(self, counts: JointCounts, part: str = '') -> dict[str, float]:
        """Name the percentages and areas, and write the curves."""
        out = super().summarise(counts, part)
        rates = {**{g: counts.group(ids) for g, ids in self.groups.items()}, 'mean': counts.mean(self.mean_joints)}
        curves = {name: rate[len(self.thr) :] for name, rate in rates.items() if rate is not None}
        out[f'{self.name}/AUC'] = area(curves['mean'])
        out |= {f'{self.name}/AUC/{g}': area(c) for g, c in curves.items() if g != 'mean'}
        if self.out_dir is not None:
            words = [w for w in (self.prefix, 'pdj', part) if w]
            write_curves(curves, self.out_dir, '_'.join(words).replace('/', '_'))
        return out
