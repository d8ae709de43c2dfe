"""Distributed training of a model whose networks take separate optimizer steps.

Plain ``DistributedDataParallel`` around such a model waits for the gradients of networks that a step leaves out.
``MMSeparateDistributedDataParallel`` renames the entries of checkpoints, which then resume wrongly without an error.
Here the model keeps its names, and each network has a DDP view of its own, which averages gradients over ranks.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.registry import MODEL_WRAPPERS
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from posestructs.engine.network_optim import training_networks

# each rank keeps its own buffers in training, as with mmengine's wrapper; torch 2.13 renamed the option
_SYNC_BUFFERS = next(
    name
    for name in ('forward_sync_buffers', 'broadcast_buffers')
    if name in inspect.signature(DistributedDataParallel).parameters
)


# in mmengine's own registry, the only one in which its runner looks for wrappers
@MODEL_WRAPPERS.register_module()
class NetworkDistributedDataParallel(nn.Module):
    """Wrap a model and a DDP view of each of its networks.

    The views are created at the first training step, when all ranks have the same weights; testing needs none.

    Args:
        module: Model with the methods ``networks()``, which returns its networks by name, and ``train_step(data,
            optim_wrapper, networks)``.
        find_unused_parameters: As in DDP, for all networks.
        **kwargs: Arguments of :class:`torch.nn.parallel.DistributedDataParallel`, for all networks.

    Raises:
        TypeError: The model has no method ``networks``.
    """

    def __init__(self, module: nn.Module, find_unused_parameters: bool = False, **kwargs: Any) -> None:
        super().__init__()
        if not hasattr(module, 'networks'):
            raise TypeError(
                f"model_wrapper_cfg.type='NetworkDistributedDataParallel' is for a model of several networks, and "
                f'{type(module).__name__} is a single one: leave model_wrapper_cfg out'
            )
        self.module = module
        default = {} if 'broadcast_buffers' in kwargs else {_SYNC_BUFFERS: False}
        self._options = default | dict(find_unused_parameters=find_unused_parameters) | kwargs
        # a plain dict, so that nn.Module does not register the parameters a second time
        self._views: dict[str, nn.Module] = {}

    @property
    def views(self) -> Mapping[str, nn.Module]:
        """DDP views by name; a network without trainable parameters is not wrapped."""
        if not self._views:
            for name, network in training_networks(self.module).items():
                trained = any(p.requires_grad for p in network.parameters())
                self._views[name] = DistributedDataParallel(network, **self._options) if trained else network
        return self._views

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The model's forward pass, without averaging gradients."""
        return self.module(*args, **kwargs)

    def train_step(self, data: Any, optim_wrapper: Any) -> dict:
        """The model's training step, with the views."""
        return self.module.train_step(data, optim_wrapper, networks=self.views)

    def val_step(self, data: Any) -> list:
        """The model's validation step."""
        return self.module.val_step(data)

    def test_step(self, data: Any) -> list:
        """The model's test step."""
        return self.module.test_step(data)
