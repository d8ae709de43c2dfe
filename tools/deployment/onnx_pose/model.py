"""Model of an ONNX file, from an image and boxes to joints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .crop import crop_boxes, to_image
from .decoding import decode, flip_average
from .second_pass import tighter_box
from .session import open_session

KEY = 'posestructs'
"""The key of the file's metadata under which ``export_onnx.py`` writes json."""
VERSION = 1
"""Version of that json which is read here."""
LARGEST = 1e6
"""Largest coordinate of a box in pixels."""

_KEYS = dict(joints=list, input=dict, crop=dict, flip=dict, codec=dict)


class OnnxPose:
    """Predict the joints of persons.

    Args:
        path: A file written by ``export_onnx.py``.
        threads: Threads of onnxruntime; by default its own choice.
        providers: Execution providers of onnxruntime.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: onnxruntime cannot load it, or it was not written by ``export_onnx.py``, or by another version.
    """

    def __init__(
        self, path: str | Path, threads: int = 0, providers: tuple[str, ...] = ('CPUExecutionProvider',)
    ) -> None:
        self.session = open_session(path, threads, providers)
        properties = self.session.get_modelmeta().custom_metadata_map
        if KEY not in properties:
            raise ValueError(f'{path} does not describe its codec: it was not written by export_onnx.py')
        self.metadata: dict[str, Any] = _read_metadata(path, properties[KEY])
        version = self.metadata.get('version')
        if version != VERSION:
            raise ValueError(
                f'{path} has a description of version {version!r}, this onnx_pose reads {VERSION}: use the onnx_pose '
                'of the export_onnx.py that wrote the file'
            )
        self.joints: list[str] = self.metadata['joints']

    def __call__(
        self,
        image: np.ndarray,
        boxes: np.ndarray | None = None,
        flip_test: bool | None = None,
        second_pass: bool | None = None,
    ) -> dict[str, np.ndarray]:
        """Predict the joints of the persons of an image.

        Args:
            image: (h, w, 3) uint8: red, green, blue.
            boxes: (N, 4) x1, y1, x2, y2 in pixels. By default one, the whole image. N may be 0.
            flip_test: Average with the mirrored image, which takes twice as long. By default as in the config that was
                exported.
            second_pass: Predict again in a crop around the joints that were found, where that is clearly smaller than
                the box; the box of the crop becomes that of the person. By default only without boxes; True for given
                boxes too, False for none.

        Returns:
            The result of :func:`.decoding.decode`, with ``keypoints`` in pixels of the image, and ``bboxes`` (N, 4).
            Of a model that keeps a discriminator also ``keypoints_correct`` (N, K), the probability that each joint is
            right; with ``flip_test`` the mean of those of the image and of the mirrored one. Of a file with a
            calibration likewise ``keypoints_correct``, and perhaps ``keypoints_present``.

        Raises:
            ValueError: The image or a box is not valid, a box is outside the image, the network gives values that are
                not finite or other joints than the description has, or the calibration was fitted with another
                ``flip_test``.
        """
        second_pass = boxes is None if second_pass is None else second_pass
        flip_test = self.metadata['flip'].get('test', False) if flip_test is None else flip_test
        self.check_flip_test(flip_test)
        image, boxes = _checked(image, boxes)
        found = self._predict(image, boxes, flip_test)
        return self._predict_again(image, found, flip_test) if second_pass else found

    def _predict_again(self, image: np.ndarray, found: dict[str, np.ndarray], flip_test: bool) -> dict[str, np.ndarray]:
        """Replace predictions by those of a tighter crop, where there is one."""
        persons = zip(found['keypoints'], found['keypoint_scores'], found['bboxes'], strict=True)
        boxes = {i: tighter_box(*person, image.shape[1::-1]) for i, person in enumerate(persons)}
        again = [i for i, box in boxes.items() if box is not None]
        if again:
            tighter = self._predict(image, np.stack([boxes[i] for i in again]), flip_test)
            for key, values in found.items():
                values[again] = tighter[key]
        return found

    def _predict(self, image: np.ndarray, boxes: np.ndarray, flip_test: bool) -> dict[str, np.ndarray]:
        spec = self.metadata['input']
        crops, window = crop_boxes(image, boxes, spec['size'], **self.metadata['crop'])
        found = self._decoded(crops, flip_test) if len(boxes) else self._no_persons()
        if found['keypoints'].shape[1] != len(self.joints):
            raise ValueError(
                f'the network has {found["keypoints"].shape[1]} joints, the description {len(self.joints)}'
            )
        found['keypoints'] = to_image(found['keypoints'], window, spec['size'])
        return dict(found, bboxes=boxes)

    def check_flip_test(self, flip_test: bool | None) -> None:
        """Refuse a flip test that the calibration in the file was not fitted with.

        Args:
            flip_test: As in the call.

        Raises:
            ValueError: It was fitted with the other.
        """
        flip_test = self.metadata['flip'].get('test', False) if flip_test is None else flip_test
        fitted = (self.metadata.get('calibration') or {}).get('flip_test', flip_test)
        if fitted != flip_test:
            raise ValueError(
                f'the calibration in the file was fitted with flip_test={fitted}, got flip_test={flip_test}: export '
                'without model.test_cfg.calibration'
            )

    def _decoded(self, crops: np.ndarray, flip_test: bool) -> dict[str, np.ndarray]:
        maps, correct = self._run(crops)
        if flip_test:
            mirrored, other = self._run(crops[:, :, ::-1])
            flip = self.metadata['flip']
            maps = flip_average(maps, mirrored, flip)
            if correct is not None:
                correct = (correct + other[:, flip['channels'][: other.shape[1]]]) / 2
        if np.isnan(maps).any():
            raise ValueError('the network gives values that are not finite')
        found = decode(maps, self.metadata)
        return found if correct is None else dict(found, keypoints_correct=correct)

    def _no_persons(self) -> dict[str, np.ndarray]:
        """Empty arrays of the shapes and types that decoding gives."""
        maps = np.ones((1, *self.session.get_outputs()[0].shape[1:]), np.float32)
        found = decode(maps, self.metadata)
        if len(self.session.get_outputs()) > 1:
            found['keypoints_correct'] = found['keypoint_scores']
        return {key: value[:0] for key, value in found.items()}

    def maps(self, crops: np.ndarray) -> np.ndarray:
        """Run the network.

        Args:
            crops: (N, h, w, 3), 0 to 255: red, green, blue.

        Returns:
            (N, C, H, W) maps.
        """
        return self._run(crops)[0]

    def _run(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Maps, and (N, K) probabilities where the file has a discriminator."""
        spec = self.metadata['input']
        if spec['channels'] == 'BGR':
            crops = crops[..., ::-1]
        crops = (crops - np.array(spec['mean'], np.float32)) / np.array(spec['std'], np.float32)
        batch = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
        maps, *others = self.session.run(None, {self.session.get_inputs()[0].name: batch})
        return maps, others[0] if others else None


def _read_metadata(path: Any, text: str) -> dict[str, Any]:
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: its description is damaged: {error}') from error
    if not isinstance(metadata, dict):
        raise ValueError(f'{path}: its description is damaged: it is a {type(metadata).__name__}')
    missing = [key for key in _KEYS if key not in metadata] if metadata.get('version') == VERSION else []
    if missing:
        raise ValueError(f'{path}: its description is damaged: keys {missing} are missing')
    for key, kind in _KEYS.items() if metadata.get('version') == VERSION else ():
        if not isinstance(metadata[key], kind):
            raise ValueError(f'{path}: its description is damaged: {key}={metadata[key]!r}, allowed: a {kind.__name__}')
    return metadata


def _checked(image: np.ndarray, boxes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f'image is {image.dtype} {image.shape}, allowed: uint8 (h, w, 3)')
    height, width = image.shape[:2]
    boxes = check_boxes([[0, 0, width, height]] if boxes is None else boxes)
    outside = (boxes[:, :2] >= (width, height)).any(1) | (boxes[:, 2:] <= 0).any(1)
    if outside.any():
        raise ValueError(
            f'box {boxes[outside][0].tolist()} is outside the image, which is {width} wide and {height} high'
        )
    return image, boxes


def check_boxes(boxes: Any) -> np.ndarray:
    """Check what boxes of any image must be.

    Args:
        boxes: (N, 4) x1, y1, x2, y2 in pixels.

    Returns:
        The same, float32.

    Raises:
        ValueError: They have another form, or one has no size or is too large.
    """
    boxes = np.array(boxes, np.float32)
    if boxes.shape[:1] == (0,):  # also of a list without a box
        boxes = boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f'boxes.shape={boxes.shape}, allowed: (N, 4), x1, y1, x2, y2 of each')
    wrong = ~(np.abs(boxes) <= LARGEST).all(1) | (boxes[:, 2:] <= boxes[:, :2]).any(1)
    if wrong.any():
        raise ValueError(
            f'box={boxes[wrong][0].tolist()}, allowed: x1, y1, x2, y2 with x1 < x2, y1 < y2 and coordinates of at '
            f'most {LARGEST:.0f}'
        )
    small = (boxes[:, 2:] - boxes[:, :2]).max(1) < 1
    if small.any():
        raise ValueError(
            f'box={boxes[small][0].tolist()} is smaller than a pixel, allowed: pixels, not shares of the image'
        )
    return boxes
