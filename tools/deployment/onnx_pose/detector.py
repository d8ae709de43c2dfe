"""Detect persons with an ONNX file of YOLOX or RTMDet, as mmdeploy and YOLOX export them and rtmlib uses them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .detections import read_outputs, suppress
from .letterbox import letterbox
from .session import open_session

FAMILIES = ('yolox', 'rtmdet')
SIZE = 640
"""Width and height of inputs whose size the file leaves open."""
# of blue, green, red; YOLOX takes the pixels as they are
_MEAN = np.array([103.53, 116.28, 123.675], np.float32)
_STD = np.array([57.375, 57.12, 58.395], np.float32)
_TYPES = {'tensor(float)': np.float32, 'tensor(float16)': np.float16}


class UnusableDetectorError(ValueError):
    """An ONNX file is no detector that can be used, whatever the image."""


class OnnxDetector:
    """Detector of persons, or of other classes.

    Args:
        path: ONNX file. Its name, or that of a folder that it is in, contains ``yolox`` or ``rtmdet``: the pixels are
            normalised for RTMDet only, and the file does not say which of both it is.
        threads: Threads of onnxruntime; by default its own choice.
        providers: Execution providers of onnxruntime.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: onnxruntime cannot load it, its input is not one image, or its family is not known.
    """

    def __init__(
        self, path: str | Path, threads: int = 0, providers: Sequence[str] = ('CPUExecutionProvider',)
    ) -> None:
        self.path = str(path)
        self.session = open_session(path, threads, providers)
        self.family = family_of(path)
        inputs = self.session.get_inputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or inputs[0].type not in _TYPES:
            found = ', '.join(f'{one.name} {one.type} {one.shape}' for one in inputs)
            raise ValueError(
                f'{path} has the inputs {found}, allowed for a detector: one of (1, 3, height, width), float or float16'
            )
        height, width = (side if isinstance(side, int) else SIZE for side in shape[2:])
        self.size = width, height
        self._works = False

    def __call__(
        self, image: np.ndarray, score_thr: float = 0.3, nms_thr: float = 0.3, classes: int | Sequence[int] = 0
    ) -> np.ndarray:
        """Detect persons.

        Args:
            image: (H, W, 3) uint8: red, green, blue.
            score_thr: Boxes with a lower score are dropped.
            nms_thr: If two boxes overlap by more, only the one with the higher score is kept.
            classes: Numbers of the classes that are persons.

        Returns:
            (N, 5) float32 x1, y1, x2, y2 in pixels of the image, and scores, by descending score.

        Raises:
            UnusableDetectorError: The outputs are not those of YOLOX or RTMDet, or are not finite, at the first image.
            ValueError: They are not finite at a later one.
        """
        padded, ratio = letterbox(image[..., ::-1], self.size)
        try:
            found = read_outputs(self._outputs(padded), self.size)
        except ValueError as error:
            kind = ValueError if self._works else UnusableDetectorError
            raise kind(f'{self.path}: {error}') from error
        self._works = True
        limits = image.shape[1::-1] * 2
        boxes = (found.boxes.astype(np.float32) / ratio).clip(0, limits)
        keep = (found.scores > score_thr) & np.isin(found.classes, classes) & (boxes[:, 2:] > boxes[:, :2]).all(1)
        boxes, scores = boxes[keep], found.scores[keep].astype(np.float32)
        return np.concatenate([boxes, scores[:, None]], 1)[suppress(boxes, scores, nms_thr)]

    def _outputs(self, padded: np.ndarray) -> list[np.ndarray]:
        """Outputs of the network for (h, w, 3) blue, green, red."""
        values = padded.astype(np.float32)
        if self.family == 'rtmdet':
            values = (values - _MEAN) / _STD
        spec = self.session.get_inputs()[0]
        batch = np.ascontiguousarray(values.transpose(2, 0, 1)[None], _TYPES[spec.type])
        try:
            return self.session.run(None, {spec.name: batch})
        except Exception as error:  # onnxruntime's errors have no class in common
            raise ValueError(f'onnxruntime cannot run it ({error})') from error


def family_of(path: str | Path) -> str:
    """Recognise the family of a detector by the name of its file, or else of the folders that it is in.

    Args:
        path: The file.

    Returns:
        One of ``FAMILIES``.

    Raises:
        ValueError: No name contains exactly one of them.
    """
    for name in reversed(Path(path).resolve().parts):
        found = [family for family in FAMILIES if family in name.lower()]
        if len(found) == 1:
            return found[0]
    raise ValueError(
        f'{path}: is it YOLOX or RTMDet? allowed: a file or folder whose name contains one of {", ".join(FAMILIES)}'
    )
