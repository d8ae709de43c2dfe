"""Decode maps of parts and types to joints, as ``posestructs.codecs.PartScoreMap`` does.

Shapes: N images, K joints, V parts, T types, H x W cells; channels are part-major, type inner, background last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .heatmaps import argmax, at
from .max_sum import max_sum


def decode_parts(log_probs: np.ndarray, codec: Mapping[str, Any], size: tuple[int, int]) -> dict[str, np.ndarray]:
    """Find the best pose of each image.

    Args:
        log_probs: (N, V * T + 1, H, W).
        codec: The entry ``codec`` of the file's metadata.
        size: (w, h) of the input.

    Returns:
        ``keypoints`` (N, K, 2) in pixels of the input, ``keypoint_scores`` (N, K) and
        ``pose_scores`` (N,), the score that the pose maximises.
    """
    height, width = log_probs.shape[2:]
    typed = log_probs[:, :-1].reshape(len(log_probs), len(codec['parents']), -1, height, width)
    parts = logsumexp(typed)
    if codec['decode'] == 'max_sum':
        unary = np.exp(typed) if codec['scores'] == 'probability' else typed
        found = [max_sum(image, codec['parents'], codec['offsets'], codec['weights']) for image in unary]
        cells = np.stack([placement.positions for placement in found])
        pose_scores = np.array([placement.score for placement in found], np.float32)
    else:
        unary = np.exp(parts) if codec['scores'] == 'probability' else parts
        cells = argmax(parts)
        pose_scores = at(unary, cells).sum(1)
    joints = codec['joint_parts']
    maps, cells = parts[:, joints], cells[:, joints]
    places = refine(maps, cells, codec['refine'])
    return dict(
        # cell c covers the pixels from c * s to (c + 1) * s - 1
        keypoints=(places + 0.5) * (np.array(size) / (width, height)) - 0.5,
        keypoint_scores=np.exp(at(maps, cells)).clip(0, 1),
        pose_scores=pose_scores,
    )


def logsumexp(typed: np.ndarray) -> np.ndarray:
    """Logarithm of the sum of probabilities over types, (N, V, T, H, W) to (N, V, H, W)."""
    greatest = typed.max(2)
    finite = np.where(np.isfinite(greatest), greatest, 0)
    with np.errstate(divide='ignore'):
        return finite + np.log(np.exp(typed - finite[:, :, None]).sum(2))


def refine(log_maps: np.ndarray, cells: np.ndarray, method: str | None) -> np.ndarray:
    """Positions between cells.

    Args:
        log_maps: (N, K, H, W).
        cells: (N, K, 2) int.
        method: 'parabola', 'quarter' or None, as ``PartScoreMap(refine=...)``.

    Returns:
        (N, K, 2) float32.
    """
    if method is None:
        return cells.astype(np.float32)
    shifts = []
    for axis, length in enumerate((log_maps.shape[3], log_maps.shape[2])):
        step = np.zeros_like(cells)
        step[..., axis] = (cells[..., axis] > 0) & (cells[..., axis] < length - 1)
        before, centre, after = (at(log_maps, cells + d * step) for d in (-1, 0, 1))
        slope = after - before
        if method == 'quarter':
            shift = np.sign(slope) / 4
        else:
            # x = (f(1) - f(-1)) / (2 (2 f(0) - f(1) - f(-1)))
            shift = (slope / (2 * np.maximum(2 * centre - after - before, 1e-6))).clip(-0.5, 0.5)
        shifts.append(np.where(np.isfinite(slope), shift, 0))
    return (cells + np.stack(shifts, -1)).astype(np.float32)
