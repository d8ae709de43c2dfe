"""Boxes of persons in an image: from an ONNX file of YOLOX or RTMDet, from a detector of mmdet, or the whole image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmpose.apis.inferencers import base_mmpose_inferencer as mmpose_base
from mmpose.evaluation.functional import nms

from posestructs.apis.model_source import objects_of
from posestructs.deployment.onnx_pose import OnnxDetector, UnusableDetectorError
from posestructs.utils.usage import UsageError

_CPU, _CUDA = 'CPUExecutionProvider', 'CUDAExecutionProvider'
WHOLE_IMAGE = ('whole_image', 'whole-image')


class DetectorError(UsageError):
    """A detector cannot be used, whatever the image."""


def resolve_detector(det_model: Any, det_weights: str | None, det_cat_ids: Any, cfg: Config) -> tuple | None:
    """Find the detector to use.

    Args:
        det_model: ONNX file of YOLOX or RTMDet, config or name of a detector of mmdet, 'whole_image' for none. ``None``
            for mmpose's detector of what the data shows, if mmdet is installed.
        det_weights: Its weights.
        det_cat_ids: Its classes that are persons.
        cfg: Config of the pose model.

    Returns:
        Model, weights and classes; ``None`` for no detector.

    Raises:
        UsageError: A detector of mmdet is asked for without mmdet, or weights are given for an ONNX file or without a
            detector.
    """
    if det_weights is not None and (det_model is None or det_model in WHOLE_IMAGE):
        raise UsageError(
            f'det_weights={det_weights} with det_model={det_model}, allowed: with a detector of mmdet as det_model'
        )
    if det_model in WHOLE_IMAGE or (det_model is None and not mmpose_base.has_mmdet):
        return None
    if is_onnx(det_model):
        if det_weights is not None:
            raise UsageError(
                f'det_weights={det_weights}, allowed with the ONNX file {det_model}: none, it holds its own'
            )
        return det_model, None, det_cat_ids
    if not mmpose_base.has_mmdet:
        raise UsageError(
            f'det_model={det_model!r} needs mmdet, which cannot be imported here (python -m posestructs.compat says '
            "why); allowed without it: an ONNX file of YOLOX or RTMDet, 'whole_image'"
        )
    if det_model is None:
        default = mmpose_base.default_det_models[objects_of(cfg)]
        return default['model'], default['weights'], default['cat_ids']
    return det_model, det_weights, det_cat_ids


def is_onnx(det_model: Any) -> bool:
    """Check whether a detector is an ONNX file, by its suffix."""
    return isinstance(det_model, (str, Path)) and Path(det_model).suffix.lower() == '.onnx'


def open_onnx_detector(path: str | Path, device: str | None = None) -> OnnxDetector:
    """Open an ONNX file of YOLOX or RTMDet.

    Args:
        path: The file.
        device: Device of the pose model. On a GPU the detector runs there too, if onnxruntime can use it.

    Returns:
        The detector.

    Raises:
        UsageError: onnxruntime is missing, or the file cannot be used.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(f'det_model={path} needs onnxruntime: pip install "posestructs[onnx]"') from error
    on_gpu = device is not None and device.startswith('cuda') and _CUDA in onnxruntime.get_available_providers()
    try:
        return OnnxDetector(path, providers=(_CUDA, _CPU) if on_gpu else (_CPU,))
    except (OSError, ValueError) as error:
        raise UsageError(f'det_model={error}') from error


def detect_persons(detector: Callable, image: np.ndarray, classes: Any, bbox_thr: float, nms_thr: float) -> np.ndarray:
    """Detect persons.

    Args:
        detector: Detector of an ONNX file, or mmdet's ``DetInferencer``.
        image: (H, W, 3) uint8 BGR.
        classes: Classes that are persons.
        bbox_thr: Boxes with a lower score are dropped.
        nms_thr: If two boxes overlap by more, only the one with the higher score is kept.

    Returns:
        (N, 5) float32 x1, y1, x2, y2 and score.

    Raises:
        DetectorError: The outputs of an ONNX file are not those of YOLOX or RTMDet.
        UsageError: They are not finite for this image.
    """
    if isinstance(detector, OnnxDetector):
        try:
            return detector(image[..., ::-1], bbox_thr, nms_thr, classes)
        except UnusableDetectorError as error:
            raise DetectorError(f'det_model={error}') from error
        except ValueError as error:
            raise UsageError(f'det_model={error}') from error
    found = detector(image, return_datasamples=True)['predictions'][0].pred_instances.cpu().numpy()
    keep = np.isin(found.labels, classes) & (found.scores > bbox_thr)
    boxes = np.concatenate([found.bboxes, found.scores[:, None]], axis=1)[keep].astype(np.float32)
    return boxes[nms(boxes, nms_thr)]


def whole_image(image: np.ndarray) -> np.ndarray:
    """(1, 5) box of a whole image, with score 1."""
    return np.array([[0, 0, image.shape[1], image.shape[0], 1]], dtype=np.float32)
