"""What messages do to one part's score: the quantities that ``message_pictures`` draws.

Chu et al., CVPR 2016, over the bricks of :class:`TreeMessagePassing` and :class:`PartScoreHead`, message by message:

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

from posestructs.codecs.part_decoding import split_parts
from posestructs.models.heads import PartScoreHead
from posestructs.models.necks import TreeMessagePassing

SIDES = dict(up=0, down=1)
"""Where a direction's channels lie in a part's: [A'_k, B'_k]."""


class Trace(NamedTuple):
    """All features and messages of one forward pass.

    Args:
        own: For 'up' and 'down' (N, V, C, h, w), A_k and B_k as messages are added to them.
        heard: The same after the sweeps, A'_k and B'_k.
        messages: (N, C, h, w) by sender and receiver.
        shared: (N, C'', h, w), the map that the neck read.
    """

    own: Mapping[str, Tensor]
    heard: Mapping[str, Tensor]
    messages: Mapping[tuple[int, int], Tensor]
    shared: Tensor


def trace_messages(neck: TreeMessagePassing, feats: Sequence[Tensor]) -> Trace:
    """Run both sweeps part by part and keep everything.

    Args:
        neck (TreeMessagePassing): The neck.
        feats (Sequence[Tensor]): What it gets from the backbone.

    Returns:
        Trace: The features and messages.
    """
    tree, messages, own, heard = neck.tree, {}, {}, {}
    root_first = [k for level in tree.levels for k in level]
    for direction, order in (('up', root_first[::-1]), ('down', root_first)):
        own[direction] = neck.input_features(feats, direction)
        done: dict[int, Tensor] = {}
        for k in order:
            for sender in neighbours(neck, k, direction):
                child = sender if direction == 'up' else k
                messages[sender, k] = neck.transform(done[sender], direction, child)
            sent = [messages[sender, k] for sender in neighbours(neck, k, direction)]
            done[k] = neck.update(own[direction][:, k], sum(sent) if sent else None)
        heard[direction] = torch.stack([done[k] for k in range(tree.num_parts)], dim=1)
    x = feats
    for i in neck.in_index if not isinstance(x, Tensor) else ():
        x = x[i]
    return Trace(own, heard, messages, x)


def neighbours(neck: TreeMessagePassing, part: int, direction: str) -> tuple[int, ...]:
    """Who sends messages to a part in one direction.

    Args:
        neck (TreeMessagePassing): The neck.
        part (int): The part that hears them.
        direction (str): 'up': its children. 'down': its parent.

    Returns:
        tuple[int, ...]: Parts; none where the model has no messages in this direction.
    """
    if neck.direction not in ('both', direction):
        return ()
    parent = neck.tree.parents[part]
    return tuple(neck.tree.children[part]) if direction == 'up' else (() if parent < 0 else (parent,))


def part_probability(head: PartScoreHead, trace: Trace, part: int, with_messages: bool = True) -> Tensor:
    """Probability that a part is at each cell, as the head gives it.

    Args:
        head (PartScoreHead): The head.
        trace (Trace): Of its neck.
        part (int): The part.
        with_messages (bool): False: all parts have their own features only, f(A_k) and f(B_k).

    Returns:
        Tensor: (N, h, w), summed over types.
    """
    maps = trace.heard if with_messages else {key: torch.relu(own) for key, own in trace.own.items()}
    parts = torch.stack([maps['up'], maps['down']], dim=2).flatten(1, 3)
    feats = (parts,) if head.shared_channels is None else (parts, trace.shared)
    return split_parts(head.log_probabilities(feats), head.tree.num_parts)[:, part].logsumexp(dim=1).exp()


def prediction_weights(head: PartScoreHead, part: int) -> Tensor:
    """w_pred^k by type and direction.

    Args:
        head (PartScoreHead): The head.
        part (int): The part.

    Returns:
        Tensor: (T, 2, C), up before down.
    """
    weights = head.prediction.weight.flatten(1).unflatten(0, (head.tree.num_parts, head.num_types))[part]
    return weights.unflatten(1, (2, -1))


def part_logit(head: PartScoreHead, part: int, up: Tensor, down: Tensor) -> Tensor:
    """Score of a part before the softmax, its types taken together.

    Args:
        head (PartScoreHead): The head.
        part (int): The part.
        up (Tensor): (N, C, h, w), A'_k.
        down (Tensor): (N, C, h, w), B'_k.

    Returns:
        Tensor: (N, h, w), the logarithm of the sum over types of exp(z).
    """
    bias = head.prediction.bias.unflatten(0, (head.tree.num_parts, head.num_types))[part]
    # z_k = [A'_k, B'_k] * w_pred^k
    z = torch.einsum('tdc,ndchw->nthw', prediction_weights(head, part), torch.stack([up, down], dim=1))
    return (z + bias[:, None, None]).logsumexp(dim=1)


def evidence(head: PartScoreHead, trace: Trace, part: int, direction: str) -> Tensor:
    """How far a part's features of one direction speak for it: what it knows when it tells its neighbour.

    Args:
        head (PartScoreHead): The head.
        trace (Trace): Of its neck.
        part (int): The part.
        direction (str): 'up' or 'down'.

    Returns:
        Tensor: (N, h, w), the part of its score before the softmax that comes from this direction.
    """
    weights = prediction_weights(head, part)[:, SIDES[direction]]
    return torch.einsum('tc,nchw->nthw', weights, trace.heard[direction][:, part]).logsumexp(dim=1)


def message_effect(head: PartScoreHead, trace: Trace, sender: int, receiver: int) -> Tensor:
    """What one message adds to its receiver's score.

    Args:
        head (PartScoreHead): The head.
        trace (Trace): Of its neck.
        sender (int): The part that sends it.
        receiver (int): The part that hears it.

    Returns:
        Tensor: (N, h, w), the receiver's score before the softmax less what it would be without this message.
    """
    parents = head.tree.parents
    direction = 'up' if parents[sender] == receiver else 'down'
    features = {key: heard[:, receiver] for key, heard in trace.heard.items()}
    # downward there is but one message, the parent's
    siblings = [k for k in head.tree.children[receiver] if k != sender] if direction == 'up' else []
    # A'_k = f(A_k + sum of the other messages)
    without = torch.relu(trace.own[direction][:, receiver] + sum(trace.messages[k, receiver] for k in siblings))
    return part_logit(head, receiver, **features) - part_logit(head, receiver, **(features | {direction: without}))


def reach(neck: TreeMessagePassing) -> int:
    """How many cells a message carries something at most, along a row or column.

    Args:
        neck (TreeMessagePassing): A neck with messages.

    Returns:
        int: Half the side of what a transform sees.
    """
    kernels = neck.up or neck.down
    return max(sum(layer.extent[axis] // 2 for layer in kernels.layers) for axis in range(2))


def impulse_response(neck: TreeMessagePassing, direction: str, child: int, pattern: Tensor) -> Tensor:
    """Answer of a transform to a pattern of channels in one cell: its kernel, for a transform without nonlinearity.

    Args:
        neck (TreeMessagePassing): The neck.
        direction (str): 'up': from the child; 'down': to it.
        child (int): The part at the lower end of the edge.
        pattern (Tensor): (C,) features of the sender in that cell; zeros elsewhere.

    Returns:
        Tensor: (C, side, side), less the answer to zeros; the pattern is in the centre.
    """
    r = reach(neck)
    # more room than the answer needs, since a layer behind another one would see zeros from outside the map in place of
    # what the first one answers there
    x = pattern.new_zeros(2, len(pattern), 4 * r + 1, 4 * r + 1)
    x[0, :, 2 * r, 2 * r] = pattern
    answer, silence = neck.transform(x, direction, child)
    return (answer - silence)[:, r : 3 * r + 1, r : 3 * r + 1]


def effective_kernel(neck: TreeMessagePassing, head: PartScoreHead, sender: int, receiver: int) -> Tensor:
    """Where a sender in the centre puts the receiver, in one map.

    The pattern sent is what features, none below 0, of length 1 speak most for the sender; the answer is read as the
    receiver's prediction reads it. Weights are means over types.

    Args:
        neck (TreeMessagePassing): The neck.
        head (PartScoreHead): The head.
        sender (int): A part.
        receiver (int): Its parent or child.

    Returns:
        Tensor: (side, side); above 0 it speaks for the receiver.
    """
    direction, child = ('up', sender) if head.tree.parents[sender] == receiver else ('down', receiver)
    side = SIDES[direction]
    spoken, read = (prediction_weights(head, part)[:, side].mean(dim=0) for part in (sender, receiver))
    pattern = spoken.relu()
    pattern = pattern / pattern.norm().clamp_min(1e-12)
    return torch.einsum('c,chw->hw', read, impulse_response(neck, direction, child, pattern))
