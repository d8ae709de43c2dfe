"""A network of an ONNX file, from image and boxes to joints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .crop import crop_boxes, to_image
from .decoding import decode, flip_average

KEY = 'posestructs'
"""The key of the file's metadata under which ``export_onnx.py`` writes json."""
VERSION = 1
"""Of that json, which is what is read here."""


class OnnxPose:
    """Find the joints of people.

    Args:
        path: A file of ``export_onnx.py``.
        threads: Of onnxruntime; by default its own choice.
        providers: Of onnxruntime.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: onnxruntime cannot load it, or it is not one of ``export_onnx.py``, or of another version of that.
    """

    def __init__(
        self, path: str | Path, threads: int = 0, providers: tuple[str, ...] = ('CPUExecutionProvider',)
    ) -> None:
        import onnxruntime  # here: decoding alone needs numpy only

        if not Path(path).is_file():
            raise FileNotFoundError(f'{path}: no such file')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=list(providers))
        except Exception as error:  # onnxruntime's errors have no class in common
            raise ValueError(f'{path}: onnxruntime cannot load it ({error})') from error
        properties = self.session.get_modelmeta().custom_metadata_map
        if KEY not in properties:
            raise ValueError(f'{path} says nothing of its codec: it was not written by export_onnx.py')
        self.metadata: dict[str, Any] = json.loads(properties[KEY])
        version = self.metadata.get('version')
        if version != VERSION:
            raise ValueError(
                f'{path} has a description of version {version!r}, this onnx_pose reads {VERSION}: take the one that '
                'lies beside the export_onnx.py which wrote the file'
            )
        self.joints: list[str] = self.metadata['joints']

    def __call__(
        self, image: np.ndarray, boxes: np.ndarray | None = None, flip_test: bool = False
    ) -> dict[str, np.ndarray]:
        """Find the joints of the people of an image.

        Args:
            image: (h, w, 3) uint8: red, green, blue.
            boxes: (N, 4) x1, y1, x2, y2 in pixels; by default one, the whole image. N may be 0.
            flip_test: Average with the mirrored image: better and twice as slow.

        Returns:
            dict[str, np.ndarray]: As :func:`.decoding.decode`, with ``keypoints`` in pixels of the image; and
            ``bboxes`` (N, 4).

        Raises:
            ValueError: The image or a box is not one, or a box shows nothing of the image.
        """
        image, boxes = _checked(image, boxes)
        asked = self.metadata['input']
        crops, window = crop_boxes(image, boxes, asked['size'], **self.metadata['crop'])
        found = self._decoded(crops, flip_test) if len(boxes) else self._nobody()
        found['keypoints'] = to_image(found['keypoints'], window, asked['size'])
        return dict(found, bboxes=boxes)

    def _decoded(self, crops: np.ndarray, flip_test: bool) -> dict[str, np.ndarray]:
        maps = self.maps(crops)
        if flip_test:
            maps = flip_average(maps, self.maps(crops[:, :, ::-1]), self.metadata['flip'])
        return decode(maps, self.metadata)

    def _nobody(self) -> dict[str, np.ndarray]:
        """What decoding gives, of no person: none of the one that it makes of flat maps."""
        maps = np.ones((1, *self.session.get_outputs()[0].shape[1:]), np.float32)
        return {key: value[:0] for key, value in decode(maps, self.metadata).items()}

    def maps(self, crops: np.ndarray) -> np.ndarray:
        """What the network gives.

        Args:
            crops: (N, h, w, 3), 0 to 255: red, green, blue.

        Returns:
            np.ndarray: (N, C, H, W).
        """
        asked = self.metadata['input']
        if asked['channels'] == 'BGR':
            crops = crops[..., ::-1]
        crops = (crops - np.array(asked['mean'], np.float32)) / np.array(asked['std'], np.float32)
        batch = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
        return self.session.run(None, {self.session.get_inputs()[0].name: batch})[0]


def _checked(image: np.ndarray, boxes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f'image must be uint8 (h, w, 3), got {image.dtype} {image.shape}')
    height, width = image.shape[:2]
    boxes = np.array([[0, 0, width, height]] if boxes is None else boxes, np.float32)
    if boxes.shape[:1] == (0,):  # also of a list without a box
        boxes = boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f'boxes must be (N, 4): x1, y1, x2, y2 of each, got the shape {boxes.shape}')
    wrong = ~np.isfinite(boxes).all(1) | (boxes[:, 2:] <= boxes[:, :2]).any(1)
    if wrong.any():
        raise ValueError(f'a box must be x1, y1, x2, y2 with x1 < x2 and y1 < y2, got {boxes[wrong][0].tolist()}')
    outside = (boxes[:, :2] >= (width, height)).any(1) | (boxes[:, 2:] <= 0).any(1)
    if outside.any():
        raise ValueError(
            f'box {boxes[outside][0].tolist()} is outside the image, which is {width} wide and {height} high'
        )
    return image, boxes
