"""Select the best level of an image pyramid for each image.

Neighbouring levels differ in size by 2^(1/10) in Chu et al., Structured Feature Learning for Pose Estimation, CVPR
2016. Scores of different levels are comparable: each cell's is a (log) probability over the contents of that cell, and
deformation is counted in cells at every level.

Shapes: L levels, N batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def best_of_pyramid(scores: Sequence[Tensor], *results: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Pick each image's results from the level whose pose scores best, the first of equal ones.

    Args:
        scores: L tensors (N,), the scores of poses; NaN never wins.
        *results: Further outputs, each L tensors (N, ...), such as joints in coordinates that all levels share.

    Returns:
        tuple[Tensor, ...]: (N,) selected levels, (N,) their scores, and the selected part of each of the results,
        (N, ...).

    Raises:
        ValueError: There is no level, or the numbers of levels differ.
    """
    counts = [len(levels) for levels in (scores, *results)]
    if not scores or len(set(counts)) > 1:
        raise ValueError(f'best_of_pyramid: {counts} levels of scores and results, allowed: as many of each, from 1')
    stacked = torch.stack(tuple(scores))
    # arg-max would select NaN
    level = stacked.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf).argmax(0)
    image = torch.arange(stacked.shape[1], device=stacked.device)
    return level, stacked[level, image], *(torch.stack(tuple(levels))[level, image] for levels in results)
