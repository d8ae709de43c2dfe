"""Contexts in which a network runs without being trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import nn


@contextmanager
def inference(network: nn.Module) -> Iterator[None]:
    """Run a network without a graph and without updating running statistics.

    Args:
        network: The network.
    """
    with _eval_mode(network), torch.no_grad():
        yield


@contextmanager
def fixed_weights(network: nn.Module, eval_mode: bool) -> Iterator[None]:
    """Exclude a network's weights from the graph, so that their gradients are left unchanged.

    Args:
        network: The network; gradients still pass through it to its inputs.
        eval_mode: Do not update running statistics either.
    """
    trained = [p for p in network.parameters() if p.requires_grad]
    for p in trained:
        p.requires_grad_(False)
    try:
        with _eval_mode(network) if eval_mode else nullcontext():
            yield
    finally:
        for p in trained:
            p.requires_grad_(True)


@contextmanager
def _eval_mode(network: nn.Module) -> Iterator[None]:
    """Evaluation mode; each module's own mode is restored, as some, such as frozen norm layers, never train."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
