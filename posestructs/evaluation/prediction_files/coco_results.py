"""COCO results: a json list of persons, as mmpose, ultralytics, detectron2 and others write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from posestructs.evaluation.prediction_files.poses import Poses


def read_coco_results(path: str | Path) -> Poses:
    """Read COCO results of keypoints.

    A joint at (0, 0) with a score of 0 is not predicted, as COCO's format has it.

    Args:
        path: A json file of a list of dicts with ``image_id``, ``keypoints`` (x, y, score of each joint) and ``score``.

    Returns:
        Poses: Without names of joints.

    Raises:
        ValueError: It is not such a file; names the entry.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8-sig'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: not valid JSON: {error}') from error
    if isinstance(content, dict) and 'annotations' in content:
        raise ValueError(f'{path}: it holds labels (annotations), not results; give it as the labels')
    if not isinstance(content, list) or not content:
        raise ValueError(f'{path}: content={type(content).__name__}, allowed: a list of persons, as in COCO results')
    rows = np.stack(_same_length([_row(entry, i, path) for i, entry in enumerate(content)], path))
    points, scores = rows[..., :2].copy(), rows[..., 2]
    points[(rows == 0).all(2)] = np.nan
    return Poses(
        source=str(path),
        keypoints=points,
        scores=scores,
        images=[entry['image_id'] for entry in content],
        person_scores=np.array([float(entry.get('score', np.nan)) for entry in content]),
    )


def _row(entry: Any, index: int, path: str | Path) -> np.ndarray:
    where = f'{path}: entry {index}'
    missing = [key for key in ('image_id', 'keypoints') if not isinstance(entry, dict) or key not in entry]
    if missing:
        raise ValueError(f'{where} has no {" and no ".join(missing)}; results of boxes hold no joints')
    if not isinstance(entry['image_id'], (int, str)) or isinstance(entry['image_id'], bool):
        raise ValueError(f'{where}: image_id={entry["image_id"]!r}, allowed: a number or a name')
    try:
        row = np.array(entry['keypoints'], np.float64).reshape(-1)
        float(entry.get('score', 0))
    except (TypeError, ValueError) as error:
        raise ValueError(f'{where}: keypoints or score is not numeric: {error}') from error
    if not row.size or row.size % 3:
        raise ValueError(f'{where}: keypoints has {row.size} numbers, allowed: x, y and score of each joint')
    return row.reshape(-1, 3)


def _same_length(rows: list[np.ndarray], path: str | Path) -> list[np.ndarray]:
    for i, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise ValueError(f'{path}: entry {i} has {len(row)} joints, the first {len(rows[0])}')
    return rows
