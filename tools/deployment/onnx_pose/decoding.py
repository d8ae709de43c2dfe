"""Decode the maps of the network to joints, by the codec described in the file.

Shapes: N images, C channels, K joints, H x W cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .calibration import calibrated
from .heatmaps import dark, dark_udp, occlusion, peaks, quarter
from .parts import decode_parts


def decode(maps: np.ndarray, metadata: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Decode the joints of each image.

    Args:
        maps: (N, C, H, W) outputs of the network.
        metadata: Metadata of the file.

    Returns:
        ``keypoints`` (N, K, 2) in pixels of the network's input; ``keypoint_scores`` (N, K);
        ``keypoints_occluded`` (N, K) probabilities, where the network has occlusion maps; ``pose_scores`` (N,), where
        it has maps of parts; ``keypoints_correct`` and perhaps ``keypoints_present`` (N, K) probabilities, where the
        metadata holds a calibration.

    Raises:
        ValueError: The codec is not implemented here.
    """
    codec, size = metadata['codec'], metadata['input']['size']
    if codec['decode'] is None:
        raise ValueError(f'the codec {codec["type"]} is not part of onnx_pose: decode the maps yourself')
    parts = 'parents' in codec
    found = decode_parts(maps, codec, size) if parts else _decode_heatmaps(maps, codec, size)
    if metadata.get('calibration') is not None:
        found |= calibrated(maps[:, : found['keypoint_scores'].shape[1]], found, metadata['calibration'])
    return found


def _decode_heatmaps(maps: np.ndarray, codec: Mapping[str, Any], size: tuple[int, int]) -> dict[str, np.ndarray]:
    count = maps.shape[1] // 2 if codec['occlusion'] else maps.shape[1]
    pose = maps[:, :count]
    cells, scores = peaks(pose)
    if codec['decode'] == 'quarter':
        cells = quarter(pose, cells)
    elif codec['decode'] in ('dark', 'udp'):
        cells = (dark if codec['decode'] == 'dark' else dark_udp)(pose, cells, codec['kernel'])
    extent = np.array(maps.shape[:1:-1])
    if codec['decode'] == 'udp':
        keypoints = cells / (extent - 1) * np.array(size)
    else:
        keypoints = cells * (np.array(size) / extent).astype(np.float32)
    found = dict(keypoints=keypoints, keypoint_scores=scores)
    if codec['occlusion']:
        found['keypoints_occluded'] = occlusion(pose, maps[:, count:])
    return found


def flip_average(maps: np.ndarray, mirrored: np.ndarray, flip: Mapping[str, Any]) -> np.ndarray:
    """Average the maps of an image with those of its mirror image.

    Args:
        maps: (N, C, H, W).
        mirrored: (N, C, H, W) maps of the mirrored images.
        flip: The entry ``flip`` of the file's metadata.

    Returns:
        (N, C, H, W).
    """
    mirrored = mirrored[:, flip['channels'], :, ::-1]
    if flip['shift']:
        mirrored = np.concatenate([mirrored[..., :1], mirrored[..., :-1]], -1)
    if flip['logarithms']:
        return np.logaddexp(maps, mirrored) - np.float32(np.log(2))
    return (maps + mirrored) * np.float32(0.5)
