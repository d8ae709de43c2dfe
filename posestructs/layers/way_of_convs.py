"""Which of the three ways of :mod:`posestructs.layers.parallel_convs` is fastest here: by rule, or tried out.

The rule for a CPU is measured by ``benchmarks/message_passing.py --ways`` (``results/message_passing_ways.json``).

On a GPU that depends on the model, on cuDNN's version and its settings, on the type and the sizes; there the ways are
timed at the first call of a kind, as cuDNN does for its own algorithms with ``cudnn_benchmark``; the best is kept.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from posestructs.layers.parallel_convs import WAYS, Convolution

MODES = ('auto', 'measure', *WAYS)
"""``auto``: the rule on a CPU, ``measure`` on a GPU; ``measure``: try the ways out; else always this one. An exported
graph is the loop, whatever the mode."""

_FILLED_CELLS = 16384
"""Cells from which on a GPU one message by itself keeps all cores busy: about 128 cores, tiles of 128 cells each."""

_SMALL_WORK = 10**8
"""Multiply-adds of one message up to which groups are faster on a CPU (one core of an AMD EPYC, torch 2.13)."""

_tried: dict[tuple, str] = {}


def choose_way(mode: str, inputs: Sequence[Tensor], layers: Sequence[Convolution]) -> str:
    """Name the way in which to work out the messages of a step.

    Args:
        mode: One of :data:`MODES`.
        inputs: G times (N, C, h, w).
        layers: Of all messages.

    Returns:
        str: A key of :data:`posestructs.layers.parallel_convs.WAYS`.
    """
    if exporting():
        return 'loop'  # the plainest graph, and one for any batch
    if mode in WAYS:
        return mode
    if len(inputs) == 1:
        return 'loop'
    if _cannot_try(inputs[0]) or (mode == 'auto' and inputs[0].device.type != 'cuda'):
        return way_by_rule(inputs, layers)
    key = _kind(inputs, layers)
    if key not in _tried:
        seconds = try_ways(inputs, layers)
        _tried[key] = min(seconds, key=seconds.get)
    return _tried[key]


def way_by_rule(inputs: Sequence[Tensor], layers: Sequence[Convolution]) -> str:
    """The way that is fastest by experience; arguments as in :func:`choose_way`.

    Returns:
        str: Its name.
    """
    batch, _, h, w = inputs[0].shape
    if inputs[0].device.type == 'cuda':
        # not measured: one message alone leaves most of a GPU idle until its cells fill the cores
        return 'loop' if batch * h * w >= _FILLED_CELLS else 'grouped'
    # measured, in times of the loop's: groups of square kernels 0.55 to 1.08 while the work is small, 0.84 to 1.2
    # beyond; of thin kernels (1 x 1, rows, columns) 0.6 to 3.7; matrix products 1.02 to 9
    square = all(min(layer.weights[0].shape[-2:]) > 1 for layer in layers)
    work = batch * h * w * sum(layer.weights[0].numel() for layer in layers)
    return 'grouped' if square and work < _SMALL_WORK else 'loop'


def try_ways(inputs: Sequence[Tensor], layers: Sequence[Convolution], repeats: int = 3) -> dict[str, float]:
    """Time all ways, forward and, where gradients are on, backward.

    Args:
        inputs: As in :func:`choose_way`.
        layers: As in :func:`choose_way`.
        repeats: Timed runs of each; the best counts.

    Returns:
        dict[str, float]: Seconds; a way that ran out of memory is left out unless all did.
    """
    backward = _wants_gradients(inputs, layers)
    inputs = [_copy(x, backward) for x in inputs]
    layers = [
        layer._replace(
            weights=[_copy(w, backward) for w in layer.weights], biases=[_copy(b, backward) for b in layer.biases]
        )
        for layer in layers
    ]
    seconds = {}
    for name, way in WAYS.items():
        try:
            for _ in range(2):
                _run(way, inputs, layers, backward)
            seconds[name] = min(_run(way, inputs, layers, backward) for _ in range(repeats))
        except torch.OutOfMemoryError:
            continue
    return seconds or dict(loop=0.0)


def _run(way: Any, inputs: Sequence[Tensor], layers: Sequence[Convolution], backward: bool) -> float:
    leaves = [*inputs, *(tensor for layer in layers for tensor in (*layer.weights, *layer.biases))]
    _wait(inputs[0])
    start = time.perf_counter()
    outputs = way(inputs, layers)
    if backward:
        torch.autograd.grad(outputs, leaves, [torch.ones_like(y) for y in outputs])
    _wait(inputs[0])
    return time.perf_counter() - start


def _copy(tensor: Tensor, gradient: bool) -> Tensor:
    return tensor.detach().requires_grad_(gradient)


def _wait(tensor: Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)


def _wants_gradients(inputs: Sequence[Tensor], layers: Sequence[Convolution]) -> bool:
    tensors = (*inputs, *(weight for layer in layers for weight in layer.weights))
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def _kind(inputs: Sequence[Tensor], layers: Sequence[Convolution]) -> tuple:
    """All that a time depends on."""
    x, device = inputs[0], inputs[0].device.type
    autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    sizes = tuple((layer.weights[0].shape, layer.dilation) for layer in layers)
    last = x.is_contiguous(memory_format=torch.channels_last)
    where = x.device, torch.get_num_threads()
    return where, len(inputs), x.shape, x.dtype, autocast, last, sizes, _wants_gradients(inputs, layers)


def exporting() -> bool:
    """Tell whether a graph for other sizes is being recorded, which must not depend on those of this call.

    Returns:
        bool: During ``torch.export``, ``torch.onnx.export`` and ``torch.jit.trace``.
    """
    return torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export() or torch.jit.is_tracing()


def _cannot_try(x: Tensor) -> bool:
    """Whether there is no time to take, or taking it would make runs differ that are to be the same."""
    if torch.compiler.is_compiling() or torch.are_deterministic_algorithms_enabled():
        return True
    return x.is_cuda and (torch.backends.cudnn.deterministic or torch.cuda.is_current_stream_capturing())
