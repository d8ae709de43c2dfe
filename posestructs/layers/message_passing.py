"""Passing messages along a tree of parts (Chu et al., Structured Feature Learning for Pose Estimation, CVPR 2016).

Every part has features of its own for each of two sweeps. The upward sweep runs from the leaves to the root, the
downward one from the root to the leaves; neither reads the other, so that both go side by side, a level at a step::

    upward:    A'_k = f(A_k + sum over children c of T_{c->k}(A'_c))
    downward:  B'_k = f(B_k + T_{parent(k)->k}(B'_parent(k)))

f rectifies, T is a learned stack of convolutions for every edge and direction. In the authors' release A_k and B_k
come as they are and f follows the sum, also where nothing is added (leaves and root). In the paper they come rectified,
and a part that gets no message keeps its features; f changes nothing there, so one rule does for both.

Pure functions: how messages are ordered, and the two sweeps. What a message is, is the caller's business.

Shapes: N batch, V parts, C channels of a part, h x w cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

UP, DOWN = 0, 1
"""The two sweeps."""


class Message(NamedTuple):
    """What one part tells a neighbour.

    Args:
        sweep: :data:`UP` or :data:`DOWN`.
        sender: Index of a part.
        receiver: Its parent (up) or one of its children (down).
    """

    sweep: int
    sender: int
    receiver: int

    @property
    def child(self) -> int:
        """The lower end, which names the edge."""
        return self.sender if self.sweep == UP else self.receiver


def message_steps(
    parents: Sequence[int], levels: Sequence[Sequence[int]], sweeps: Sequence[int]
) -> tuple[tuple[Message, ...], ...]:
    """Order messages, so that each step's can be worked out at once.

    Step s carries the messages from level D - s up and those to level s + 1 down, D the deepest level: all that a
    sender hears has then arrived.

    Args:
        parents: V, -1 for the root.
        levels: Parts by their distance from the root.
        sweeps: Some of :data:`UP` and :data:`DOWN`.

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


def update(own: Tensor, summed: Tensor | None = None) -> Tensor:
    """Features of a part once it has heard its neighbours.

    Args:
        own: A_k or B_k.
        summed: Sum of the messages to it, of the same shape; None: there is none.

    Returns:
        Tensor: A'_k or B'_k.
    """
    # A'_k = f(A_k + sum over children c of T_{c->k}(A'_c))
    return torch.relu(own if summed is None else own + summed)


def pass_messages(
    own: Sequence[Sequence[Tensor]],
    steps: Sequence[Sequence[Message]],
    send: Callable[[Sequence[Message], list[Tensor]], Sequence[Tensor]],
) -> list[list[Tensor]]:
    """Run both sweeps.

    Args:
        own: ``own[sweep][k]``: (N, C, h, w), A_k or B_k.
        steps: Of :func:`message_steps`.
        send: Gets the messages of a step and the (N, C, h, w) features of their senders; gives as many messages.

    Returns:
        list[list[Tensor]]: ``[sweep][k]``: (N, C, h, w), A'_k or B'_k.
    """
    summed: list[list[Tensor | None]] = [[None] * len(maps) for maps in own]
    heard: list[list[Tensor | None]] = [[None] * len(maps) for maps in own]
    for step in steps:
        for sweep, k, _ in step:
            if heard[sweep][k] is None:
                heard[sweep][k] = update(own[sweep][k], summed[sweep][k])
        sent = send(step, [heard[message.sweep][message.sender] for message in step])
        for (sweep, _, k), message in zip(step, sent, strict=True):
            before = summed[sweep][k]
            summed[sweep][k] = message if before is None else before + message
    return [
        [update(a, m) if done is None else done for a, m, done in zip(*maps, strict=True)]
        for maps in zip(own, summed, heard, strict=True)
    ]
