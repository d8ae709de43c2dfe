"""Draw samples of data sets: raw, after the pipeline, or after each of its steps. Images are uint8 RGB."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmpose.structures.bbox import get_warp_matrix

from posestructs.datasets.transforms.occlusion_channel import labelled
from posestructs.utils.dataset_configs import step_name
from posestructs.visualization.contact_sheet import contact_sheet
from posestructs.visualization.pose_drawing import draw_pose, enlarge, enlarged_points

_BOX, _CROP = (255, 255, 255), (255, 220, 0)


class StageRecorder:
    """Recorder of drawings of a sample after each step of its pipeline.

    Args:
        draw: Function that draws an unpacked sample.

    Attributes:
        images: Drawings since the last :meth:`clear`.
        titles: Name of the step before each drawing.
    """

    def __init__(self, draw: Callable[[Mapping], np.ndarray]) -> None:
        self._draw = draw
        self.images: list[np.ndarray] = []
        self.titles: list[str] = []

    def clear(self) -> None:
        """Remove the drawings of the previous sample."""
        self.images, self.titles = [], []

    def after(self, name: str) -> Callable[[dict], dict]:
        """Make a pipeline step that only records a drawing.

        Args:
            name: Name of the step before it.

        Returns:
            The step.
        """

        def look(results: dict) -> dict:
            if 'img' in results:
                self.images.append(self._draw(results))
                self.titles.append(name)
            return results

        return look

    def into(self, pipeline: Sequence[Any]) -> list:
        """Insert a recording step after each step of a pipeline but the last, which packs.

        Args:
            pipeline: Configs of the steps.

        Returns:
            Configs and callables for a data set.
        """
        steps: list[Any] = []
        for step in pipeline[:-1]:
            steps += [step, self.after(step_name(step))]
        return steps + list(pipeline[-1:])

    def sheet(self, columns: int) -> np.ndarray:
        """Combine all drawings.

        Args:
            columns: Number of drawings in a row.

        Returns:
            (H, W, 3) uint8 RGB.
        """
        return contact_sheet(self.images, columns, self.titles)


def draw_results(results: Mapping, metainfo: Mapping, min_side: int = 0) -> np.ndarray:
    """Draw an unpacked sample, with its boxes if the image is not cropped yet.

    Args:
        results: Sample with ``img`` (BGR), at any place of a pipeline.
        metainfo: Metainfo of its data set.
        min_side: Images with a shorter side below this number of pixels are enlarged.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    image = to_rgb(results['img'])
    scale = _scale(image, min_side)
    points = results.get('transformed_keypoints')
    points = results.get('keypoints') if points is None else points
    if points is None or points.ndim < 2:
        points = np.zeros((0, 0, 2))
    image = enlarge(image, scale)
    if results.get('transformed_keypoints') is None:
        for box in _corners_of_boxes(results):
            _draw_outline(image, enlarged_points(box, scale), _BOX)
        for crop in _corners_of_crops(results):
            _draw_outline(image, enlarged_points(crop, scale), _CROP)
    return _draw(image, enlarged_points(points, scale), results, metainfo)


def draw_packed(packed: Mapping, metainfo: Mapping, min_side: int = 0) -> np.ndarray:
    """Draw a packed sample, as the model gets it.

    Args:
        packed: ``inputs`` and ``data_samples``; the latter with ``transformed_keypoints`` where the image was
            cropped (``PackPoseInputs(pack_transformed=True)``).
        metainfo: Metainfo of its data set.
        min_side: Images with a shorter side below this number of pixels are enlarged.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    inputs = packed['inputs']
    image = to_rgb((inputs if inputs.ndim == 3 else inputs[0]).permute(1, 2, 0).numpy())
    instances = packed['data_samples'].gt_instances
    points = instances.get('transformed_keypoints', instances.get('keypoints', np.zeros((0, 0, 2))))
    scale = _scale(image, min_side)
    return _draw(enlarge(image, scale), enlarged_points(np.asarray(points), scale), instances, metainfo)


def describe(sample: Mapping) -> str:
    """Describe a sample in one line: its image, and the numbers of labelled, occluded and unknown joints.

    Args:
        sample: Unpacked results, or a dict of their ``img_path``, ``keypoints_visible`` and
            ``keypoints_occluded``.

    Returns:
        The line.
    """
    text = Path(str(sample.get('img_path') or 'image')).stem
    visible, occluded = sample.get('keypoints_visible'), sample.get('keypoints_occluded')
    if visible is None:
        return text
    known = labelled(np.asarray(visible))
    text += f': {known.sum()} labelled'
    if occluded is None:
        return text
    occluded = np.asarray(occluded)[known]
    text += f', {(occluded > 0).sum()} occluded'
    return text + (f', {(occluded < 0).sum()} not known' if (occluded < 0).any() else '')


def to_rgb(image: Any) -> np.ndarray:
    """Convert an image of a pipeline to uint8 RGB.

    Args:
        image: (H, W, 3) BGR or (H, W), of any number type from 0 to 255; the first of
            several.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    image = image[0] if isinstance(image, list) else image
    image = np.clip(image, 0, 255).astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(image[..., ::-1])


def _scale(image: np.ndarray, min_side: int) -> float:
    return max(1.0, min_side / min(image.shape[:2]))


def _draw(image: np.ndarray, points: np.ndarray, labels: Any, metainfo: Mapping) -> np.ndarray:
    if not points.size:
        return image
    visible, occluded = labels.get('keypoints_visible'), labels.get('keypoints_occluded')
    if len(metainfo.get('keypoint_colors', ())) != points.shape[-2]:
        metainfo = {}  # behind a KeypointConverter in an inner pipeline the joints are not those of the data set
    return draw_pose(image, points, visible, occluded, metainfo)


def _corners_of_boxes(results: Mapping) -> list[np.ndarray]:
    boxes = np.asarray(results.get('bbox', []), dtype=np.float64)
    if boxes.ndim == 3:  # corners, from some of mmpose's bottom-up steps
        return list(boxes)
    return [box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2) for box in boxes.reshape(-1, 4)]


def _corners_of_crops(results: Mapping) -> list[np.ndarray]:
    """Corners of the area that ``TopdownAffine`` crops, apart from the aspect ratio."""
    if 'bbox_center' not in results or 'bbox_scale' not in results:
        return []
    rotations = results.get('bbox_rotation', np.zeros(len(results['bbox_center'])))
    unit = np.array([[[0, 0], [1, 0], [1, 1], [0, 1]]], dtype=np.float64)
    crops = []
    for center, scale, rotation in zip(results['bbox_center'], results['bbox_scale'], rotations, strict=True):
        size = np.maximum(scale, 1)
        matrix = get_warp_matrix(center, scale, rotation, output_size=tuple(size), inv=True)
        crops.append(cv2.transform(unit * size, matrix)[0])
    return crops


def _draw_outline(image: np.ndarray, corners: np.ndarray, color: tuple[int, int, int]) -> None:
    points = np.clip(np.round(corners), -(2**20), 2**20).astype(np.int32)
    cv2.polylines(image, [points], True, color, 1, cv2.LINE_AA)
