"""Track persons through the frames of a video with norfair, and smooth their joints with the One Euro filter."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from mmengine.structures import InstanceData

from posestructs.utils.usage import UsageError
from posestructs.visualization.tags import draw_tag

_PACKAGES = dict(norfair='norfair-enough', OneEuroFilter='OneEuroFilter')
_MAX_DISTANCE = 0.8  # 1 - intersection over union of a box and where its track is expected
_MEMORY_SECONDS = 1.0
# cutoff in Hz of a joint that rests, and its growth per speed in sizes of the person per second
_MIN_CUTOFF, _BETA = 1.0, 5.0


class PersonTracker:
    """Give persons track ids, and smooth their joints along the tracks.

    Boxes are matched to the boxes that a Kalman filter with constant velocity predicts for each track, by intersection
    over union. A track without a box for a second ends.

    Args:
        fps: Frames per second.
        smooth: Smooth the joints. The filter's cutoff grows with the speed, measured in sizes of the person.

    Raises:
        UsageError: A package of the extra ``track`` is missing.
    """

    def __init__(self, fps: float, smooth: bool = False) -> None:
        missing = [package for module, package in _PACKAGES.items() if importlib.util.find_spec(module) is None]
        if missing:
            raise UsageError(f'track and smooth need {" and ".join(missing)}: pip install "posestructs[track]"')
        from norfair import Tracker

        self._tracker = Tracker(
            'iou', _MAX_DISTANCE, hit_counter_max=max(1, round(fps * _MEMORY_SECONDS)), initialization_delay=0
        )
        self._fps = fps
        self._smoothers: dict[int, _JointSmoother] | None = {} if smooth else None
        self._frame = 0

    def update(self, persons: InstanceData) -> None:
        """Add ``track_ids`` to the persons of the next frame, and smooth their ``keypoints``.

        Args:
            persons: mmpose's ``pred_instances``; changed in place.
        """
        persons.track_ids = self._match(np.asarray(persons.bboxes, float))
        if self._smoothers is None:
            return
        alive = {track.id for track in self._tracker.tracked_objects}
        self._smoothers = {key: one for key, one in self._smoothers.items() if key in alive}
        keypoints = np.array(persons.keypoints)
        for i, key in enumerate(persons.track_ids):
            if key not in self._smoothers:
                size = float(np.ptp(persons.bboxes[i].reshape(2, 2), axis=0).max())
                self._smoothers[key] = _JointSmoother(self._fps, size)
            keypoints[i] = self._smoothers[key](keypoints[i])
        persons.keypoints = keypoints

    def _match(self, boxes: np.ndarray) -> np.ndarray:
        """(N,) track ids of (N, 4) boxes."""
        from norfair import Detection

        self._frame += 1
        self._tracker.update([Detection(box.reshape(2, 2), data=(self._frame, i)) for i, box in enumerate(boxes)])
        tracks = {track.last_detection.data: track.id for track in self._tracker.tracked_objects}
        return np.array([tracks[self._frame, i] for i in range(len(boxes))], int)


def write_ids(image: np.ndarray, persons: InstanceData) -> np.ndarray:
    """Write track ids above the boxes of persons, on dark tags.

    Args:
        image: (H, W, 3) uint8.
        persons: Result of :meth:`PersonTracker.update`.

    Returns:
        A copy of the image.
    """
    image = np.ascontiguousarray(image).copy()
    scale = max(0.5, min(image.shape[:2]) / 800)
    for box, number in zip(persons.bboxes, persons.track_ids, strict=True):
        draw_tag(image, str(number), (max(0, box[0]), box[1]), scale, above=True)
    return image


class _JointSmoother:
    """One Euro filters of the joints of one person, in units of the person's size."""

    def __init__(self, fps: float, size: float) -> None:
        self._fps, self._size = fps, size
        self._filters: list[Any] = []

    def __call__(self, keypoints: np.ndarray) -> np.ndarray:
        from OneEuroFilter import OneEuroFilter

        values = keypoints.reshape(-1) / self._size
        if not self._filters:
            self._filters = [OneEuroFilter(self._fps, _MIN_CUTOFF, _BETA) for _ in values]
        smoothed = [one(float(value)) for one, value in zip(self._filters, values, strict=True)]
        return np.reshape(smoothed, keypoints.shape).astype(keypoints.dtype) * self._size
