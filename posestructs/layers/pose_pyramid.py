"""Choosing among the sizes of an image pyramid: the best-scoring pose wins.

Sizes are 2^(1/10) apart in Chu et al., Structured Feature Learning for Pose Estimation, CVPR 2016. Scores at different
sizes can be compared: each cell's is a (log) probability over what is in that cell, and deformation is counted in cells
at every size.

Shapes: L levels of the pyramid, N images.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

STEP = 2 ** (1 / 10)
"""Ratio of two sizes next to each other, of the paper."""


def pyramid_scales(smaller: int, larger: int = 0, step: float = STEP) -> list[float]:
    """Sizes of a pyramid, from the largest to the smallest.

    Args:
        smaller (int): How many below 1.
        larger (int): How many above 1.
        step (float): Ratio of two sizes next to each other, above 1.

    Returns:
        list[float]: ``larger + 1 + smaller`` factors, 1 among them.

    Raises:
        ValueError: A count below 0, or a step of at most 1.
    """
    if smaller < 0 or larger < 0 or not step > 1:
        raise ValueError(
            f'pyramid_scales: smaller={smaller}, larger={larger}, step={step}, allowed: counts from 0, a step above 1'
        )
    return [step**-i for i in range(-larger, smaller + 1)]


def best_of_pyramid(scores: Sequence[Tensor], *results: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Each image's results at the level where its pose scores best; the first of equal ones.

    Args:
        scores (Sequence[Tensor]): L of (N,) scores of poses. One that is not a number never wins.
        *results (Sequence[Tensor]): Each L tensors of (N, ...), such as joints in a frame that all levels share.

    Returns:
        tuple[Tensor, ...]: (N,) level that won, (N,) its score, and of each of the results the winner's, (N, ...).

    Raises:
        ValueError: No level, or results for another number of levels.
    """
    counts = [len(levels) for levels in (scores, *results)]
    if not scores or len(set(counts)) > 1:
        raise ValueError(f'best_of_pyramid: {counts} levels of scores and results, allowed: as many of each, from 1')
    stacked = torch.stack(tuple(scores))
    # a comparison with NaN is false, but argmax takes NaN for the greatest
    level = stacked.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf).argmax(0)
    image = torch.arange(stacked.shape[1], device=stacked.device)
    return level, stacked[level, image], *(torch.stack(tuple(levels))[level, image] for levels in results)
