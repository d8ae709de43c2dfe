"""Boxes of persons in an image: from a detector of mmdet, or the whole image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mmengine.config import Config
from mmpose.apis.inferencers import base_mmpose_inferencer as mmpose_base
from mmpose.evaluation.functional import nms

from posestructs.apis.model_source import objects_of
from posestructs.utils.usage import UsageError

WHOLE_IMAGE = ('whole_image', 'whole-image')


def resolve_detector(det_model: Any, det_weights: str | None, det_cat_ids: Any, cfg: Config) -> tuple | None:
    """Find the detector to use.

    Args:
        det_model: Config or name of a detector of mmdet, 'whole_image' for none. ``None`` for mmpose's detector of what
            the data shows, if mmdet is installed.
        det_weights: Its weights.
        det_cat_ids: Its classes that are persons.
        cfg: Config of the pose model.

    Returns:
        Model, weights and classes; ``None`` for no detector.

    Raises:
        UsageError: A detector is asked for without mmdet.
    """
    if det_model in WHOLE_IMAGE or (det_model is None and not mmpose_base.has_mmdet):
        return None
    if not mmpose_base.has_mmdet:
        raise UsageError(
            f'det_model={det_model!r} needs mmdet, which cannot be imported here (python -m posestructs.compat '
            "says why); without it give boxes, or det_model='whole_image'"
        )
    if det_model is None:
        default = mmpose_base.default_det_models[objects_of(cfg)]
        return default['model'], default['weights'], default['cat_ids']
    return det_model, det_weights, det_cat_ids


def detect_persons(detector: Callable, image: np.ndarray, classes: Any, bbox_thr: float, nms_thr: float) -> np.ndarray:
    """Detect persons.

    Args:
        detector: mmdet's ``DetInferencer``.
        image: (H, W, 3) uint8 BGR.
        classes: Classes that are persons.
        bbox_thr: Boxes with a lower score are dropped.
        nms_thr: If two boxes overlap by more, only the one with the higher score is kept.

    Returns:
        (N, 5) float32 x1, y1, x2, y2 and score.
    """
    found = detector(image, return_datasamples=True)['predictions'][0].pred_instances.cpu().numpy()
    keep = np.isin(found.labels, classes) & (found.scores > bbox_thr)
    boxes = np.concatenate([found.bboxes, found.scores[:, None]], axis=1)[keep].astype(np.float32)
    return boxes[nms(boxes, nms_thr)]


def whole_image(image: np.ndarray) -> np.ndarray:
    """(1, 5) box of a whole image, with score 1."""
    return np.array([[0, 0, image.shape[1], image.shape[0], 1]], dtype=np.float32)
