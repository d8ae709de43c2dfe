"""Message passing along a kinematic tree (Chu et al., Structured Feature Learning for Pose Estimation, CVPR 2016).

Every part has input features A_k and B_k, one for each of two sweeps. The upward sweep runs from the leaves to the
root, the downward sweep from the root to the leaves. They are independent of each other, so that step s handles one
level of the tree in both::

    upward:    A'_k = f(A_k + sum over children c of T_{c->k}(A'_c))
    downward:  B'_k = f(B_k + T_{parent(k)->k}(B'_parent(k)))

f is a ReLU; T is a learned stack of convolutions for every edge and direction (:mod:`.message_kernels`). In the
authors' release f follows the sum only, also where nothing is added (leaves and root). In the paper A_k and B_k are
rectified beforehand and a part without incoming messages keeps its features; f changes nothing there, so that one rule
serves both.

The file in its order: the schedule (:func:`message_steps`), the sweeps (:func:`pass_messages`), and the two backends
that compute the messages of a step (:func:`compute_messages`). Both give the same values:

- ``loop`` runs one message after the other;
- ``grouped`` runs them as the groups of one convolution, in 18 launches for 100 on LSP's tree.

Shapes: N batch, V parts, C channels of a part, h x w cells, G messages of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

UP, DOWN = 0, 1
"""Indices of the two sweeps."""

# -- the schedule --------------------------------------------------------------------------------------------------


class Message(NamedTuple):
    """One message of a sweep.

    Args:
        sweep: :data:`UP` or :data:`DOWN`.
        sender: Index of the sending part.
        receiver: Index of its parent (up) or of one of its children (down).
    """

    sweep: int
    sender: int
    receiver: int

    @property
    def child(self) -> int:
        """Lower end of the edge, which identifies it."""
        return self.sender if self.sweep == UP else self.receiver


def message_steps(
    parents: Sequence[int], levels: Sequence[Sequence[int]], sweeps: Sequence[int]
) -> tuple[tuple[Message, ...], ...]:
    """Order messages into steps, so that those of one step can be computed at once.

    With D the deepest level, step s holds the messages from level D - s up and those to level s + 1 down, so that every
    sender's incoming messages are complete.

    Args:
        parents: Parent of each of the V parts, -1 for the root.
        levels: Parts by their distance from the root.
        sweeps: Sweeps to run, of :data:`UP` and :data:`DOWN`.

    Returns:
        tuple: D steps.
    """
    deepest = len(levels) - 1
    steps = []
    for s in range(deepest):
        up = [Message(UP, k, parents[k]) for k in levels[deepest - s]] if UP in sweeps else []
        down = [Message(DOWN, parents[k], k) for k in levels[s + 1]] if DOWN in sweeps else []
        steps.append((*up, *down))
    return tuple(step for step in steps if step)


# -- the sweeps ----------------------------------------------------------------------------------------------------


def update(features: Tensor, incoming: Tensor | None = None) -> Tensor:
    """Part features after message aggregation.

    Args:
        features: (N, C, h, w) input features, A_k or B_k.
        incoming: (N, C, h, w) sum of the incoming messages; None without any.

    Returns:
        Tensor: (N, C, h, w) updated features, A'_k or B'_k.
    """
    # A'_k = f(A_k + sum over children c of T_{c->k}(A'_c))
    return torch.relu(features if incoming is None else features + incoming)


def pass_messages(
    features: Sequence[Sequence[Tensor]],
    steps: Sequence[Sequence[Message]],
    send: Callable[[Sequence[Message], list[Tensor]], Sequence[Tensor]],
    to_self: bool = False,
) -> list[list[Tensor]]:
    """Run both sweeps.

    Args:
        features: ``features[sweep][k]``, the (N, C, h, w) input features A_k or B_k.
        steps: Steps from :func:`message_steps`.
        send: Function that computes the messages of a step from these and the (N, C, h, w) updated features of their
            senders.
        to_self: Compute each message from the input features of its receiver, not from the updated features of its
            sender: A'_k = f(A_k + sum over children c of T_{c->k}(f(A_k))). It costs the same and no part learns
            anything about another, which makes it a control for what neighbours contribute.

    Returns:
        list[list[Tensor]]: ``[sweep][k]``, the (N, C, h, w) updated features A'_k or B'_k.
    """
    incoming: list[list[Tensor | None]] = [[None] * len(maps) for maps in features]
    updated: list[list[Tensor | None]] = [[None] * len(maps) for maps in features]
    for step in steps:
        if to_self:
            inputs = [update(features[sweep][k]) for sweep, _, k in step]
        else:
            for sweep, k, _ in step:
                if updated[sweep][k] is None:
                    updated[sweep][k] = update(features[sweep][k], incoming[sweep][k])
            inputs = [updated[message.sweep][message.sender] for message in step]
        sent = send(step, inputs)
        for (sweep, _, k), message in zip(step, sent, strict=True):
            total = incoming[sweep][k]
            incoming[sweep][k] = message if total is None else total + message
    return [
        [update(x, total) if done is None else done for x, total, done in zip(*maps, strict=True)]
        for maps in zip(features, incoming, updated, strict=True)
    ]


# -- the messages of a step ----------------------------------------------------------------------------------------


class Convolution(NamedTuple):
    """One layer of the transforms of G messages: equal sizes, different weights. Maps keep their size.

    Args:
        weights: G tensors (C', C, kh, kw), kh and kw odd.
        biases: G tensors (C',).
        dilation: Spacing of the taps in cells.
        activation: Elementwise function that follows; None for none.
    """

    weights: Sequence[Tensor]
    biases: Sequence[Tensor]
    dilation: int = 1
    activation: Callable[[Tensor], Tensor] | None = None

    @property
    def padding(self) -> tuple[int, int]:
        """Rows and columns to add on each side."""
        kh, kw = self.weights[0].shape[-2:]
        return self.dilation * (kh // 2), self.dilation * (kw // 2)

    def apply(self, x: Tensor, weight: Tensor, bias: Tensor, groups: int = 1) -> Tensor:
        """Convolve maps and apply the activation.

        Args:
            x: (N, groups * C, h, w).
            weight: (groups * C', C, kh, kw).
            bias: (groups * C',).
            groups: Number of messages side by side.

        Returns:
            Tensor: (N, groups * C', h, w).
        """
        x = F.conv2d(x, weight, bias, padding=self.padding, dilation=self.dilation, groups=groups)
        return x if self.activation is None else self.activation(x)


def loop(inputs: Sequence[Tensor], layers: Sequence[Convolution]) -> list[Tensor]:
    """Compute messages one after the other.

    Args:
        inputs: G tensors (N, C, h, w), the updated features of the senders.
        layers: Layers of the transforms.

    Returns:
        list[Tensor]: G messages (N, C', h, w).
    """
    messages = []
    for g, x in enumerate(inputs):
        for layer in layers:
            x = layer.apply(x, layer.weights[g], layer.biases[g])
        messages.append(x)
    return messages


def grouped(inputs: Sequence[Tensor], layers: Sequence[Convolution]) -> list[Tensor]:
    """Compute messages as the groups of one convolution.

    Args:
        inputs: G tensors (N, C, h, w), the updated features of the senders.
        layers: Layers of the transforms.

    Returns:
        list[Tensor]: G messages (N, C', h, w).
    """
    groups = len(inputs)
    x = torch.cat(list(inputs), dim=1)
    for layer in layers:
        x = layer.apply(x, torch.cat(list(layer.weights)), torch.cat(list(layer.biases)), groups)
    return list(x.chunk(groups, dim=1))


BACKENDS: dict[str, Callable[[Sequence[Tensor], Sequence[Convolution]], list[Tensor]]] = dict(
    loop=loop, grouped=grouped
)
"""The two backends by name."""

MODES = ('auto', *BACKENDS)
"""Values of a config's ``mode``: the rule of :func:`choose_backend`, or one backend always."""

_FULL_GPU = 16384
"""Cells (of a batch) from which one message alone occupies a GPU: about 128 cores, tiles of 128 cells each."""

_SMALL_WORK = 10**8
"""Multiply-adds of one message below which groups are faster on a CPU (one core of an AMD EPYC, torch 2.13)."""


def choose_backend(mode: str, inputs: Sequence[Tensor], layers: Sequence[Convolution]) -> str:
    """Select the backend of a step by rule.

    On a CPU the rule follows ``benchmarks/message_passing.py --backends`` (``results/message_passing_backends.json``):
    compared with the loop, groups of square kernels take 0.55 to 1.08 of the time while the work is small and 0.84 to
    1.2 beyond; groups of thin kernels (1 x 1, rows, columns) 0.6 to 3.7. On a GPU it is an estimate. An exported graph
    is always the loop, which serves any batch size.

    Args:
        mode: One of :data:`MODES`.
        inputs: G tensors (N, C, h, w).
        layers: Layers of the transforms.

    Returns:
        str: A key of :data:`BACKENDS`.
    """
    if exporting():
        return 'loop'
    if mode != 'auto':
        return mode
    if len(inputs) == 1:
        return 'loop'
    batch, _, h, w = inputs[0].shape
    if inputs[0].device.type == 'cuda':
        return 'loop' if batch * h * w >= _FULL_GPU else 'grouped'
    square = all(min(layer.weights[0].shape[-2:]) > 1 for layer in layers)
    work = batch * h * w * sum(layer.weights[0].numel() for layer in layers)
    return 'grouped' if square and work < _SMALL_WORK else 'loop'


def compute_messages(mode: str, inputs: Sequence[Tensor], layers: Sequence[Convolution]) -> list[Tensor]:
    """Compute the messages of a step with the backend that a mode selects.

    Args:
        mode: One of :data:`MODES`.
        inputs: G tensors (N, C, h, w), the updated features of the senders.
        layers: Layers of the transforms.

    Returns:
        list[Tensor]: G messages (N, C', h, w).
    """
    return BACKENDS[choose_backend(mode, inputs, layers)](inputs, layers)


def exporting() -> bool:
    """Check whether a graph is being recorded; it must not depend on the sizes of the current inputs.

    Returns:
        bool: True during ``torch.export``, ``torch.onnx.export`` and ``torch.jit.trace``.
    """
    return torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export() or torch.jit.is_tracing()
