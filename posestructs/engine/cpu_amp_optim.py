"""Mixed precision on the CPU, which mmengine's ``AmpOptimWrapper`` refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmpose.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Train in bfloat16 on the CPU; weights, gradients and optimizer states stay float32.

    bfloat16 has the range of float32, so that losses need no scale. The arguments are those of ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Cast the operations that autocast lists to bfloat16.

        Args:
            model: The network that is trained.
        """
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield

    def load_state_dict(self, state_dict: dict) -> None:
        """Load a state, also one of mixed precision on a GPU, whose loss scale is not used.

        Args:
            state_dict: State of an optimizer wrapper.
        """
        super().load_state_dict({key: value for key, value in state_dict.items() if key != 'loss_scaler'})
