"""Numbers of one training iteration, brought together over all ranks in one collective call.

Every rank then logs, and every hook of every rank decides from, the same numbers: decided from a rank's own, one rank
would skip a step in which another waits for its gradients.
"""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor


class StepLog:
    """Collects scalars on the device; nothing is copied to the host."""

    def __init__(self) -> None:
        self._means: dict[str, Tensor] = {}
        self._ratios: dict[str, tuple[Tensor, Tensor]] = {}

    def add(self, name: str, value: Tensor) -> None:
        """Note a value whose mean over ranks is logged, such as a loss per image.

        Args:
            name: Key of the log.
            value: Scalar.
        """
        self._means[name] = value.detach()

    def add_mean(self, name: str, values: Tensor, weights: Tensor) -> None:
        """Note values whose weighted mean over all joints of all ranks is logged.

        Args:
            name: Key of the log.
            values: (B, K).
            weights: (B, K).
        """
        self._ratios[name] = ((values.detach() * weights).sum(), weights.sum())

    def reduce(self) -> dict[str, Tensor]:
        """Bring the ranks' numbers together; all ranks must have noted the same names.

        Returns:
            dict[str, Tensor]: Scalars; 0 for a mean without any weight.
        """
        world = get_world_size()
        values = [*self._means.values(), *(part for ratio in self._ratios.values() for part in ratio)]
        if world > 1 and values:
            together = torch.stack([value.to(values[0].device, torch.float64) for value in values])
            all_reduce(together)
            values = together.unbind()
        means, ratios = values[: len(self._means)], values[len(self._means) :]
        out = {name: value / world for name, value in zip(self._means, means, strict=True)}
        sums, counts = ratios[::2], ratios[1::2]
        for name, total, count in zip(self._ratios, sums, counts, strict=True):
            out[name] = total / count.clamp(min=1)
        return out
