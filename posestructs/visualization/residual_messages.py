"""Effect of messages on the heatmaps of models with :class:`~posestructs.models.necks.ResidualMessagePassing`.

The neck adds the updated part features to a feature map that the head reads as a whole, so that a joint has no score of
its own before the head. An effect is therefore measured on the whole network, by leaving a message out: the heatmap of
the receiver minus its heatmap without the message, where everything that depends on the message is computed anew.
Messages are those of Chu et al., CVPR 2016; the residual is of this project.

Shapes: N images, C channels, h x w cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from posestructs.models.necks import ResidualMessagePassing
from posestructs.utils.arrays import to_array
from posestructs.visualization import message_trace as tracing
from posestructs.visualization.message_drawing import NeighbourMaps, PartMaps

_CAPTION = (
    'Heatmap of {part} before messages: the same network without any message; after: with all of them. Both are on one '
    'scale; numbers are their maxima. Below, for each neighbour: its own heatmap; the heatmap of {part} if only the '
    'message of this neighbour is left out; and the effect of this message, which is the heatmap after all messages '
    'minus that one: it raises red cells and lowers blue ones.'
)


@torch.no_grad()
def joint_maps(
    neck: ResidualMessagePassing, head: nn.Module, feats: Tensor | Sequence, joint: int, image: int = 0
) -> PartMaps:
    """Heatmaps of a joint with and without messages.

    Args:
        neck: The neck.
        head: A heatmap head; the first K channels of its last stack are the heatmaps of the joints.
        feats: Outputs of the backbone.
        joint: Index of the joint.
        image: Index of the image in the batch.

    Returns:
        Maps for :func:`~posestructs.visualization.message_drawing.draw_messages`. Neighbours that are virtual parts
        have no heatmap: theirs is zero.
    """
    tree, part = neck.tree, neck.tree.joint_parts[joint]
    reduced = neck.reduced_map(feats)
    trace = tracing.trace_messages(neck, reduced)
    unmessaged = {key: neck.update(value) for key, value in trace.inputs.items()}
    after = _heatmaps(neck, head, feats, trace.updated)[image]
    before = _heatmaps(neck, head, feats, unmessaged)[image]
    neighbours = []
    for direction in tracing.SIDES:
        for sender in tracing.neighbours(neck, part, direction):
            updated = tracing.trace_messages(neck, reduced, without=(sender, part)).updated
            without = _heatmaps(neck, head, feats, updated)[image, joint]
            joints = tree.joint_parts
            own = after[joints.index(sender)] if sender in joints else torch.zeros_like(without)
            effect = after[joint] - without
            neighbours.append(
                NeighbourMaps(tree.names[sender], direction, to_array(own), None, to_array(effect), to_array(without))
            )
    return PartMaps(tree.names[part], to_array(before[joint]), to_array(after[joint]), tuple(neighbours), _CAPTION)


def _heatmaps(
    neck: ResidualMessagePassing, head: nn.Module, feats: Tensor | Sequence, updated: Mapping[str, Tensor]
) -> Tensor:
    """(N, channels, h, w) output of the head for features of the parts, (N, V, C, h, w) by direction."""
    parts = torch.stack([updated['up'], updated['down']], dim=2)[:, list(neck.out_parts)].flatten(1, 3)
    maps = head(neck.add_parts(feats, parts))
    return maps[-1] if isinstance(maps, (list, tuple)) else maps
