"""Trace the messages of a forward pass and their effect on part scores, for ``message_drawing``.

The equations of Chu et al., CVPR 2016, with the modules of :class:`TreeMessagePassing` and :class:`PartScoreHead`,
message by message:

    upward      A'_k = f(A_k + sum over children c of T_{c->k}(A'_c))
    downward    B'_k = f(B_k + T_{parent(k)->k}(B'_parent(k)))
    score       z_k = [A'_k, B'_k] * w_pred^k

Shapes: N images, V parts, T types, C channels of a part and direction, h x w cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from posestructs.layers.part_maps import split_parts
from posestructs.models.heads import PartScoreHead
from posestructs.models.necks import TreeMessagePassing

SIDES = dict(up=0, down=1)
"""Position of a direction's channels within those of a part: [A'_k, B'_k]."""


class Trace(NamedTuple):
    """All features and messages of one forward pass.

    Attributes:
        inputs: Input features A_k and B_k of the parts, (N, V, C, h, w) for 'up' and 'down'.
        updated: Updated features A'_k and B'_k, in the same form.
        messages: (N, C, h, w) by sender and receiver.
        shared: (N, C'', h, w) map that the neck reads.
    """

    inputs: Mapping[str, Tensor]
    updated: Mapping[str, Tensor]
    messages: Mapping[tuple[int, int], Tensor]
    shared: Tensor


def trace_messages(
    neck: TreeMessagePassing, feats: Tensor | Sequence[Tensor], without: tuple[int, int] | None = None
) -> Trace:
    """Run both sweeps part by part and keep all features and messages.

    Args:
        neck: The neck.
        feats: Outputs of the backbone.
        without: Sender and receiver of a message to leave out; what depends on it is computed without it.

    Returns:
        Features and messages.

    Raises:
        ValueError: The messages of the neck do not come from other parts.
    """
    if neck.direction == 'self':
        raise ValueError("neck.direction='self': each part's messages come from itself, allowed: both, up, down, none")
    tree, messages, inputs, updated = neck.tree, {}, {}, {}
    root_first = [k for level in tree.levels for k in level]
    for direction, order in (('up', root_first[::-1]), ('down', root_first)):
        inputs[direction] = neck.input_features(feats, direction)
        done: dict[int, Tensor] = {}
        for k in order:
            senders = [sender for sender in neighbours(neck, k, direction) if (sender, k) != without]
            for sender in senders:
                child = sender if direction == 'up' else k
                messages[sender, k] = neck.transform(done[sender], direction, child)
            sent = [messages[sender, k] for sender in senders]
            done[k] = neck.update(inputs[direction][:, k], sum(sent) if sent else None)
        updated[direction] = torch.stack([done[k] for k in range(tree.num_parts)], dim=1)
    x = feats
    for i in neck.in_index if not isinstance(x, Tensor) else ():
        x = x[i]
    return Trace(inputs, updated, messages, x)


def neighbours(neck: TreeMessagePassing, part: int, direction: str) -> tuple[int, ...]:
    """Parts that send messages to a part in one direction.

    Args:
        neck: The neck.
        part: The receiver.
        direction: 'up': its children. 'down': its parent.

    Returns:
        Senders; none if the model has no messages in this direction.
    """
    if neck.direction not in ('both', direction):
        return ()
    parent = neck.tree.parents[part]
    return tuple(neck.tree.children[part]) if direction == 'up' else (() if parent < 0 else (parent,))


def part_probability(head: PartScoreHead, trace: Trace, part: int, with_messages: bool = True) -> Tensor:
    """Probability of a part at each cell, as predicted by the head.

    Args:
        head: The head.
        trace: Trace of its neck.
        part: The part.
        with_messages: Whether messages are used. Without them all parts have their input features only, f(A_k) and
            f(B_k).

    Returns:
        (N, h, w), summed over types.
    """
    maps = trace.updated if with_messages else {key: torch.relu(value) for key, value in trace.inputs.items()}
    parts = torch.stack([maps['up'], maps['down']], dim=2).flatten(1, 3)
    feats = (parts,) if head.shared_channels is None else (parts, trace.shared)
    return split_parts(head.log_probabilities(feats), head.tree.num_parts)[:, part].logsumexp(dim=1).exp()


def prediction_weights(head: PartScoreHead, part: int) -> Tensor:
    """Prediction weights w_pred^k by type and direction.

    Args:
        head: The head.
        part: The part.

    Returns:
        (T, 2, C), up before down.
    """
    weights = head.prediction.weight.flatten(1).unflatten(0, (head.tree.num_parts, head.num_types))[part]
    return weights.unflatten(1, (2, -1))


def part_logit(head: PartScoreHead, part: int, up: Tensor, down: Tensor) -> Tensor:
    """Score of a part before the softmax, summed over its types.

    Args:
        head: The head.
        part: The part.
        up: (N, C, h, w), A'_k.
        down: (N, C, h, w), B'_k.

    Returns:
        (N, h, w), the logarithm of the sum over types of exp(z).
    """
    bias = head.prediction.bias.unflatten(0, (head.tree.num_parts, head.num_types))[part]
    # z_k = [A'_k, B'_k] * w_pred^k
    z = torch.einsum('tdc,ndchw->nthw', prediction_weights(head, part), torch.stack([up, down], dim=1))
    return (z + bias[:, None, None]).logsumexp(dim=1)


def evidence(head: PartScoreHead, trace: Trace, part: int, direction: str) -> Tensor:
    """Score of a part from its features of one direction, which it sends on to its neighbour.

    Args:
        head: The head.
        trace: Trace of its neck.
        part: The part.
        direction: 'up' or 'down'.

    Returns:
        (N, h, w) contribution of this direction to its score before the softmax.
    """
    weights = prediction_weights(head, part)[:, SIDES[direction]]
    return torch.einsum('tc,nchw->nthw', weights, trace.updated[direction][:, part]).logsumexp(dim=1)


def message_effect(head: PartScoreHead, trace: Trace, sender: int, receiver: int) -> Tensor:
    """Effect of one message on the score of its receiver.

    Args:
        head: The head.
        trace: Trace of its neck.
        sender: Part that sends it.
        receiver: Part that receives it.

    Returns:
        (N, h, w) score of the receiver before the softmax minus its score without this message.
    """
    parents = head.tree.parents
    direction = 'up' if parents[sender] == receiver else 'down'
    features = {key: value[:, receiver] for key, value in trace.updated.items()}
    # downward there is only one message, from the parent
    siblings = [k for k in head.tree.children[receiver] if k != sender] if direction == 'up' else []
    # A'_k = f(A_k + sum of the other messages)
    without = torch.relu(trace.inputs[direction][:, receiver] + sum(trace.messages[k, receiver] for k in siblings))
    return part_logit(head, receiver, **features) - part_logit(head, receiver, **(features | {direction: without}))


def reach(neck: TreeMessagePassing) -> int:
    """Largest distance that a message covers, in cells along a row or column.

    Args:
        neck: Neck with messages.

    Returns:
        Half the side of a transform's receptive field.
    """
    kernels = neck.up or neck.down
    return max(sum(layer.extent[axis] // 2 for layer in kernels.layers) for axis in range(2))


def impulse_response(neck: TreeMessagePassing, direction: str, child: int, pattern: Tensor) -> Tensor:
    """Response of a transform to a pattern of channels in one cell; for a linear transform its kernel.

    Args:
        neck: The neck.
        direction: 'up' (from the child) or 'down' (to it).
        child: Part at the lower end of the edge.
        pattern: (C,) features of the sender in that cell; all others are zero.

    Returns:
        (C, side, side) minus the response to zeros; the pattern is in the centre.
    """
    r = reach(neck)
    # a margin, since a second layer would otherwise see zeros outside the map instead of the first layer's response
    x = pattern.new_zeros(2, len(pattern), 4 * r + 1, 4 * r + 1)
    x[0, :, 2 * r, 2 * r] = pattern
    response, baseline = neck.transform(x, direction, child)
    return (response - baseline)[:, r : 3 * r + 1, r : 3 * r + 1]


def effective_kernel(neck: TreeMessagePassing, head: PartScoreHead, sender: int, receiver: int) -> Tensor:
    """Effect of a sender in the centre on the score of the receiver, as one map.

    The pattern sent is the non-negative feature vector of length 1 with the highest score of the sender; the response
    is weighted as in the receiver's prediction. Weights are means over types.

    Args:
        neck: The neck.
        head: The head.
        sender: Sending part.
        receiver: Its parent or child.

    Returns:
        (side, side); positive values raise the score of the receiver.
    """
    direction, child = ('up', sender) if head.tree.parents[sender] == receiver else ('down', receiver)
    side = SIDES[direction]
    sent, weights = (prediction_weights(head, part)[:, side].mean(dim=0) for part in (sender, receiver))
    pattern = sent.relu()
    pattern = pattern / pattern.norm().clamp_min(1e-12)
    return torch.einsum('c,chw->hw', weights, impulse_response(neck, direction, child, pattern))
