"""Figures of ``benchmarks/trust.py``."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.trust_numbers.models import Predicted
from posestructs.evaluation.calibration import reliability, risk_coverage
from posestructs.evaluation.calibration_plot import draw_calibration
from posestructs.evaluation.error_anatomy import KINDS, NOT_MEASURED, torso_scale
from posestructs.evaluation.prediction_files import Labels
from posestructs.utils.files import atomic_write
from posestructs.visualization.anatomy_drawing import draw_bars, draw_person, worst_persons
from posestructs.visualization.contact_sheet import contact_sheet

QUALITY, ROWS = 40, 1
LEAST_TORSO = 0.25
"""Least torso of an example, as a share of the person: a foreshortened one makes small distances count as misses."""


def bars(models: Mapping[str, Predicted]) -> Figure:
    """Kinds of errors of several models."""
    return draw_bars({name: found.analysis.counts() for name, found in models.items()})


def calibration(found: Predicted, sources: Mapping[str, np.ndarray]) -> Figure:
    """Reliability and risk-coverage of held-out joints."""
    mask, coverage = found.measured & found.held[:, None], np.arange(1, 21) / 20
    right = found.right[mask]
    diagrams = {name: reliability(np.clip(p[mask], 0, 1), right) for name, p in sources.items()}
    curves = {name: risk_coverage(p[mask], right, coverage) for name, p in sources.items()}
    return draw_calibration(diagrams, curves, coverage)


def examples(found: Predicted, labels: Labels) -> np.ndarray:
    """Persons with most errors of each kind, a column per kind; labels on the left, predictions on the right."""
    errors = found.analysis.errors
    known = np.where(labels.labelled[..., None], labels.keypoints, np.nan)
    extent = (np.nanmax(known, 1) - np.nanmin(known, 1)).max(1)
    pair = [labels.meta['keypoint_name2id'][joint] for joint in labels.meta['torso_pair']]
    clear = torso_scale(labels.keypoints, labels.labelled, pair) >= LEAST_TORSO * extent
    kinds = np.where(clear[:, None], errors.kind, NOT_MEASURED)
    chosen = [worst_persons(kinds, errors.distance, kind, ROWS) for kind in range(1, len(KINDS))]
    tiles, titles = [], []
    for row in range(min(map(len, chosen))):
        for kind, persons in enumerate(chosen, 1):
            n = persons[row]
            marked = np.flatnonzero(errors.kind[n] == kind)
            args = labels.keypoints[n], labels.labelled[n], found.analysis.matched.pred[n], labels.meta, marked
            tiles.append(draw_person(labels.paths[n], *args))
            titles.append(f'{len(marked)} x {KINDS[kind]}')
    if not tiles:
        raise ValueError('no kind of error has an example')
    return contact_sheet(tiles, len(chosen), titles)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as WebP."""
    data = io.BytesIO()
    figure.savefig(data, dpi=100, format='png')
    with Image.open(data) as image:
        # few colours compress well
        few = image.convert('RGB').quantize(32, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        _save(few.convert('RGB'), path, lossless=True)


def save_photos(sheet: np.ndarray, path: Path, width: int = 900) -> None:
    """Write a sheet as WebP, reduced to a width."""
    scale = min(width / sheet.shape[1], 1)
    size = round(sheet.shape[1] * scale), round(sheet.shape[0] * scale)
    _save(Image.fromarray(cv2.resize(sheet, size, interpolation=cv2.INTER_AREA)), path, quality=QUALITY)


def _save(image: Image.Image, path: Path, **options: object) -> None:
    data = io.BytesIO()
    image.save(data, 'WEBP', method=6, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, data.getvalue())
