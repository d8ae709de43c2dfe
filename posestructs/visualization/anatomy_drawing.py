"""Figures of pose errors: stacked bars of their kinds, and a sheet of the persons with most of one kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from posestructs.evaluation.error_anatomy import KINDS, kind_shares
from posestructs.utils.images import read_image
from posestructs.visualization.contact_sheet import contact_sheet, side_by_side
from posestructs.visualization.pose_drawing import draw_pose

COLORS = dict(good='#4c9f70', jitter='#f2c14e', inversion='#d1495b', swap='#6c5b7b', miss='#9a9a9a')
_SIDE = 160  # pixels of a person in the sheet


def draw_bars(models: Mapping[str, Mapping[str, np.ndarray]], title: str = '') -> Figure:
    """Draw the shares of the kinds as stacked bars.

    Args:
        models: Counts (K, 5) or (5,) by row (all joints, a group, ...), by name of the model.
        title: Title of the figure.

    Returns:
        A panel per model, a bar per row that has joints.
    """
    rows = [row for row in next(iter(models.values())) if any(kind_shares(counts[row]) for counts in models.values())]
    width = 4.5 if len(models) < 3 else 3.0
    figure = Figure(figsize=(1.5 + width * len(models), 1.4 + 0.32 * len(rows)), layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    for axes, (name, counts) in zip(panels, models.items(), strict=True):
        left = np.zeros(len(rows))
        for kind in KINDS:
            widths = np.array([kind_shares(counts[row]).get(kind, 0) for row in rows])
            axes.barh(range(len(rows)), widths, left=left, color=COLORS[kind], label=kind)
            for y, (start, width) in enumerate(zip(left, widths, strict=True)):
                if width >= 8:
                    text = dict(fontsize='x-small', color='white' if kind == 'swap' else 'black')
                    axes.text(start + width / 2, y, f'{width:.0f}', ha='center', va='center', **text)
            left += widths
        axes.set_yticks(range(len(rows)), rows)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel('% of labelled joints')
        axes.set_title(name, fontsize='medium')
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=len(KINDS), frameon=False)
    if title:
        figure.suptitle(title)
    return figure


def worst_persons(kind: np.ndarray, distance: np.ndarray, which: int, count: int) -> list[int]:
    """Persons with the most joints of a kind; ties are broken by the greatest distance.

    Args:
        kind: (N, K) error kinds.
        distance: (N, K) distances.
        which: Index of the kind.
        count: Greatest number of persons.

    Returns:
        Indices of persons that have such a joint.
    """
    mask = kind == which
    numbers = mask.sum(1)
    reach = np.where(mask & np.isfinite(distance), distance, 0).sum(1)
    order = np.lexsort((-reach, -numbers))
    return [int(n) for n in order[:count] if numbers[n]]


def draw_person(
    path: str,
    gt: np.ndarray,
    labelled: np.ndarray,
    pred: np.ndarray,
    meta: Mapping[str, Any],
    marked: Sequence[int] = (),
    occluded: np.ndarray | None = None,
) -> np.ndarray:
    """Draw a person's labels beside the prediction.

    Args:
        path: The image.
        gt: (K, 2) labelled joints in pixels.
        labelled: (K,) bool.
        pred: (K, 2) predicted joints, NaN where a joint is not predicted.
        meta: Metainfo, for skeleton and colours.
        marked: Joints whose labelled and predicted positions are joined by a line.
        occluded: (K,) occlusion labels.

    Returns:
        (h, w, 3) uint8 RGB, labels on the left, the prediction on the right.

    Raises:
        BadImageError: The image cannot be read.
    """
    image = np.ascontiguousarray(read_image(path)[..., ::-1])
    predicted = np.isfinite(pred).all(1)
    points = np.concatenate([gt[labelled], pred[predicted]])
    center, side = _box(points, gt[labelled])
    crop, offset, scale = _crop(image, center, side)
    gt_here, pred_here = ((np.nan_to_num(p) - offset) * scale for p in (gt, pred))
    left = draw_pose(crop, gt_here, labelled.astype(float), occluded, meta)
    right = draw_pose(crop, pred_here, predicted.astype(float), None, meta)
    for joint in marked:
        if predicted[joint]:
            ends = [tuple(int(v) for v in np.clip(p[joint], -10_000, 10_000)) for p in (gt_here, pred_here)]
            cv2.line(right, *ends, (255, 255, 255), 1, cv2.LINE_AA)
    return side_by_side([left, right], gap=2)


def draw_worst(
    persons: Sequence[int],
    kind: np.ndarray,
    which: int,
    gt: np.ndarray,
    labelled: np.ndarray,
    pred: np.ndarray,
    paths: Sequence[str],
    names: Sequence[str],
    meta: Mapping[str, Any],
) -> np.ndarray:
    """Draw a sheet of persons with errors of one kind.

    Args:
        persons: Indices of the persons.
        kind: (N, K) error kinds.
        which: Index of the kind.
        gt: (N, K, 2) labels.
        labelled: (N, K) bool.
        pred: (N, K, 2) predictions.
        paths: N images.
        names: N titles.
        meta: Metainfo.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        BadImageError: An image cannot be read.
    """
    tiles = [
        draw_person(paths[n], gt[n], labelled[n], pred[n], meta, np.flatnonzero(kind[n] == which)) for n in persons
    ]
    return contact_sheet(tiles, 4, [f'{(kind[n] == which).sum()} {KINDS[which]}: {names[n]}' for n in persons])


def _box(points: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and side of a square around labels and prediction; far predictions may lie outside."""
    base = labels if len(labels) else points
    size = max(float(np.ptp(base, axis=0).max()), 8.0)
    points = points[np.abs(points - base.mean(0)).max(1) < 2 * size]
    points = points if len(points) else base
    low, high = points.min(0), points.max(0)
    return (low + high) / 2, max(float((high - low).max()), 8.0) * 1.25


def _crop(image: np.ndarray, center: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray, float]:
    """A square of ``_SIDE`` pixels, with its upper left corner in the image and its scale."""
    scale, offset = _SIDE / side, center - side / 2
    matrix = np.array([[scale, 0, -offset[0] * scale], [0, scale, -offset[1] * scale]])
    return cv2.warpAffine(image, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR), offset, scale
