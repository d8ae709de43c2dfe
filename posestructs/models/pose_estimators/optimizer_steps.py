"""Iterations of an optimizer wrapper of one network, with and without a step."""

from __future__ import annotations

from mmengine.optim import OptimWrapper


def finish_step(optim: OptimWrapper) -> None:
    """Step and clear gradients if enough batches are accumulated: ``update_params`` after a ``backward`` of its own.

    Args:
        optim: Wrapper of one network, whose ``backward`` was called.
    """
    if optim.should_update():
        optim.step()
        optim.zero_grad()


def skip_step(optim: OptimWrapper) -> None:
    """Count an iteration without a step; gradients left from an accumulated batch are dropped.

    Args:
        optim: Wrapper of one network.
    """
    optim._inner_count += 1  # mmengine counts calls of ``backward``
    if optim.should_update():
        optim.zero_grad()
