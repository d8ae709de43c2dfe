"""Map the maps of persons' crops back onto the image.

Shapes: K joints (or channels of any kind), h x w cells of a crop's map, H x W pixels of the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from mmpose.structures import PoseDataSample

from posestructs.utils.arrays import to_array

LONGEST_SIDE = 256
_NAMES = dict(occlusion_heatmaps='occlusion')


def crop_matrix(crop: Mapping[str, Any], size: Sequence[int], centred: bool = False) -> np.ndarray:
    """Affine transform from cells of a crop's map to the image, as the estimator places its joints.

    Args:
        crop: Meta information of the sample: ``input_center``, ``input_scale``, ``input_size``.
        size: Width and height of the map, or of the crop itself for its pixels.
        centred: True if a cell stands for the centre of the pixels that it covers, as in part scores; False if it
            stands for its upper left pixel, as in heatmaps.

    Returns:
        (2, 3) affine matrix, cells to pixels.
    """
    scale, center, pixels = (
        np.asarray(crop[key], np.float64).reshape(2) for key in ('input_scale', 'input_center', 'input_size')
    )
    step = scale / np.asarray(size, np.float64)
    offset = center - scale / 2 + (0.5 * (step - scale / pixels) if centred else 0)
    return np.array([[step[0], 0, offset[0]], [0, step[1], offset[1]]])


def maps_of_image(samples: Sequence[PoseDataSample], centred: bool = False) -> dict[str, np.ndarray]:
    """Map the maps of all persons onto the image; where they overlap, the greater value is kept.

    Args:
        samples: One sample for each person, with ``pred_fields``.
        centred: See :func:`crop_matrix`.

    Returns:
        ``heatmaps`` and, if the head outputs them, ``occlusion`` or ``part_scores`` (of all parts of its tree and of
        the background), (K, h, w) float32 each. The grid covers the whole image and is at most 256 cells long; cell
        (x, y) lies at pixel (x, y) * W / w. Values outside the crops are 0.
    """
    maps: dict[str, np.ndarray] = {}
    for sample in samples:
        if 'pred_fields' not in sample:
            continue
        height, width = sample.metainfo['ori_shape'][:2]
        shrink = min(1.0, LONGEST_SIDE / max(height, width))
        grid = max(1, round(width * shrink)), max(1, round(height * shrink))
        for key, value in sorted(sample.pred_fields.items()):
            cells = np.ascontiguousarray(to_array(value), dtype=np.float32)
            matrix = crop_matrix(sample.metainfo, cells.shape[:0:-1], centred)
            matrix *= np.divide(grid, (width, height))[:, None]
            laid = np.stack([cv2.warpAffine(one, matrix, grid, flags=cv2.INTER_LINEAR) for one in cells])
            name = _NAMES.get(key, key)
            maps[name] = np.maximum(maps[name], laid) if name in maps else laid
    return maps
