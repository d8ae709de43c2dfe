"""Gradient checkpointing that leaves the running statistics of batch normalisation alone when it recomputes.

``torch.utils.checkpoint`` runs a part of the model twice, once for the values and once for the gradients. A
batch-normalisation layer inside would move its running mean and variance at both, so that a model trained with
checkpointing ends with other statistics than one trained without (as mmpose's ResNet does with ``with_cp``).
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
    """Keep running statistics as they are while layers in training mode still normalise by the batch.

    The statistics stay arguments of the kernel, as checkpointing requires that both passes save the same tensors: the
    update is made with the weight 0, so that r <- (1 - 0) r + 0 b = r exactly.

    Args:
        module: Its batch-normalisation layers are meant, synchronised ones included.
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
    """Run a module, keep its inputs in place of its activations, and recompute these for the backward pass.

    Without gradients it just runs. The part must not draw random numbers: their state is not restored.

    Args:
        module: Owner of the batch-normalisation layers.
        args: Its arguments.
        function: What to run, by default the module.

    Returns:
        Any: What it returns.
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
