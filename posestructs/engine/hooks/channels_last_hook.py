"""Store the weights of convolutions channels last, the layout that CPUs and tensor cores compute in."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import nn


def to_channels_last(model: nn.Module) -> nn.Module:
    """Convert the weights of 2-d convolutions in place.

    ``model.to(memory_format=torch.channels_last)`` refuses models with weights of five dimensions, such as the stacked
    kernels of messages, which stay as they are here.

    Args:
        model: Any model.

    Returns:
        The model.
    """
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return model


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Convert a model to ``torch.channels_last`` before it is trained or tested.

    Convolutions hand the layout of their weights on to their outputs, so that images need no conversion. Results are
    the same up to the order in which numbers are summed.
    """

    # before other hooks read the model
    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Convert the model after its weights are drawn, which a seed draws in the order of their storage."""
        to_channels_last(runner.model.module if is_model_wrapper(runner.model) else runner.model)

    def before_val(self, runner: Runner) -> None:
        """Convert the model; it is converted already while it is trained."""
        self.before_train(runner)

    def before_test(self, runner: Runner) -> None:
        """Convert the model."""
        self.before_train(runner)
