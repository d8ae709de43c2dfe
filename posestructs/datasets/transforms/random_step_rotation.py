"""Rotation by multiples of a fixed step, drawn uniformly over the full circle."""

from __future__ import annotations

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmpose.datasets.transforms import RandomBBoxTransform
from mmpose.registry import TRANSFORMS

from posestructs.utils.checks import check_integer, invalid_value


@TRANSFORMS.register_module()
class RandomStepRotation(RandomBBoxTransform):
    """Rotate each bounding box by a random multiple of ``step`` degrees.

    The code release of Chu et al. (CVPR 2016) rotates each training image by every 9 degrees of the full circle. Here
    one of these angles is drawn for each sample, all with the same probability. ``RandomBBoxTransform``, in contrast,
    draws angles from a truncated normal distribution. Position and size of the box do not change.

    Required keys: ``bbox_center``, ``bbox_scale``. Added key: ``bbox_rotation`` (degrees).

    Args:
        step: Degrees between neighbouring angles, a divisor of 360.

    Raises:
        ValueError: ``step`` is not allowed.
    """

    def __init__(self, step: int = 9) -> None:
        if 360 % check_integer('step', step, 1, 360):
            raise invalid_value('step', step, 'a divisor of 360')
        super().__init__(shift_prob=0.0, scale_prob=0.0, rotate_factor=180.0, rotate_prob=1.0)
        self.step = step

    @cache_randomness
    def _get_transform_params(self, num_bboxes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Offsets (N, 2) of 0, scales (N, 1) of 1 and random angles (N,) of N boxes."""
        angles = self.step * np.random.randint(360 // self.step, size=num_bboxes)
        return np.zeros((num_bboxes, 2)), np.ones((num_bboxes, 1)), angles.astype(np.float32)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(step={self.step})'
