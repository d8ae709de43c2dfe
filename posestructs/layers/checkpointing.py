"""Gradient checkpointing that updates the running statistics of batch normalisation once.

``torch.utils.checkpoint`` runs a part of the model twice, once for the values and once for the gradients. A
batch-normalisation layer inside would update its running mean and variance both times, so that a model trained with
checkpointing would end with other statistics than one trained without (as mmpose's ResNet does with ``with_cp``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Freeze running statistics while layers in training mode still normalise by the batch.

    Checkpointing requires that both passes save the same tensors, so that the statistics remain arguments of the
    kernel. They are updated with momentum 0: r <- (1 - 0) r + 0 b = r exactly.

    Args:
        module: Module whose batch-normalisation layers are frozen, synchronised ones included.
    """
    layers = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.training and m.track_running_stats]
    before = [(layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer in layers:
        layer.momentum, layer.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for layer, (momentum, count) in zip(layers, before, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, count


def checkpointed(module: nn.Module, *args: Any, function: Callable[..., Any] | None = None) -> Any:
    """Run a module and recompute its activations in the backward pass instead of keeping them.

    Without gradients it just runs. The module must not draw random numbers, since their state is not restored.

    Args:
        module: Module with the batch-normalisation layers.
        args: Arguments.
        function: Function to run; by default the module.

    Returns:
        Any: Return value of the function.
    """
    function = module if function is None else function
    if not torch.is_grad_enabled():
        return function(*args)
    return checkpoint(
        function,
        *args,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=lambda: (nullcontext(), frozen_statistics(module)),
    )
