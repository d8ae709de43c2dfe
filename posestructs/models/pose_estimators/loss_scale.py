"""Check that a head's loss has the scale for which the weights of the adversarial terms are chosen."""

from __future__ import annotations

import logging

from mmengine.logging import print_log
from mmpose.models.losses import KeypointMSELoss
from torch import nn


def warn_of_loss_scale(head: nn.Module) -> None:
    """Log a warning if a head's loss is far from the scale of Eq. 1, for which alpha and beta are chosen.

    Args:
        head: Any head; those of mmpose have a ``KeypointMSELoss``, the mean over all cells of all maps.
    """
    loss = getattr(head, 'loss_module', None)
    loss = loss[0] if isinstance(loss, nn.ModuleList) and len(loss) else loss
    size = getattr(getattr(head, 'decoder', None), 'heatmap_size', None)
    channels = getattr(head, 'out_channels', None)
    if not isinstance(loss, KeypointMSELoss) or size is None or not isinstance(channels, int):
        return
    # 1/(2N) sum of squares = K H W / 2 times their mean over N images, K maps and H W cells
    paper = channels * size[0] * size[1] / 2
    if not 0.1 <= loss.loss_weight / paper <= 10:
        print_log(
            f'model.head.loss: KeypointMSELoss(loss_weight={loss.loss_weight:g}) is a mean over the maps. alpha and '
            f'beta are chosen for the sum of Eq. 1, which is loss_weight={paper:g} here (divided by the number of '
            f'stages); with this loss the adversarial terms weigh {paper / max(loss.loss_weight, 1e-12):.3g} times as '
            'much',
            logger='current',
            level=logging.WARNING,
        )
