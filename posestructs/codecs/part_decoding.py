"""Poses decoded from part score maps.

Shapes: N batch, K joints, V parts.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Poses:
    """Decoded poses of a batch, on the device of the scores.

    Args:
        keypoints: (N, K, 2) joints in input pixels.
        keypoint_scores: (N, K) in [0, 1], probability that the joint's part is in the cell where it was found: the
            softmax at that cell, summed over the part's types.
        scores: (N,) scores that the poses maximise, comparable between poses of one model.
        part_cells: (N, V, 2) int64 cells of all parts, not refined.
        part_types: (N, V) int64.
    """

    keypoints: Tensor
    keypoint_scores: Tensor
    scores: Tensor
    part_cells: Tensor
    part_types: Tensor
