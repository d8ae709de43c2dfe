"""Scalars of one training iteration, reduced over all ranks in one collective call.

All ranks then log the same numbers, and hooks of all ranks take the same decisions. With each rank's own numbers, one
rank could skip a step in which another one waits for its gradients.
"""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor


class StepLog:
    """Scalars to log; they stay on their device, nothing is copied to the host."""

    def __init__(self) -> None:
        self._means: dict[str, Tensor] = {}
        self._ratios: dict[str, tuple[Tensor, Tensor]] = {}

    def add(self, name: str, value: Tensor) -> None:
        """Add a value that is averaged over ranks, such as a loss per image.

        Args:
            name: Key in the log.
            value: Scalar.
        """
        self._means[name] = value.detach()

    def add_mean(self, name: str, values: Tensor, weights: Tensor) -> None:
        """Add values whose weighted mean over all joints of all ranks is logged.

        Args:
            name: Key in the log.
            values: (N, K).
            weights: (N, K).
        """
        self._ratios[name] = ((values.detach() * weights).sum(), weights.sum())

    def reduce(self) -> dict[str, Tensor]:
        """Reduce over ranks; all of them must have added the same names.

        Returns:
            dict[str, Tensor]: Scalars by name; 0 for a mean whose weights are all 0.
        """
        world = get_world_size()
        values = [*self._means.values(), *(part for ratio in self._ratios.values() for part in ratio)]
        if world > 1 and values:
            stacked = torch.stack([value.to(values[0].device, torch.float64) for value in values])
            all_reduce(stacked)
            values = stacked.unbind()
        means, ratios = values[: len(self._means)], values[len(self._means) :]
        out = {name: value / world for name, value in zip(self._means, means, strict=True)}
        sums, counts = ratios[::2], ratios[1::2]
        for name, total, count in zip(self._ratios, sums, counts, strict=True):
            out[name] = total / count.clamp(min=1)
        return out
