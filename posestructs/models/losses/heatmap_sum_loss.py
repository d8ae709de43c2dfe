"""L_G of Adversarial PoseNet for one stack and one kind of map (Chen et al., ICCV 2017, Eq. 1).

::

    L_G = 1/(2MN) sum_n sum_i |y^i - y_n^i|^2 + |z^i - z_n^i|^2

over N stacks and M images; |.|^2 sums over all cells of all K maps. mmpose's ``KeypointMSELoss`` is a mean over the
same numbers: at 16 maps of 64 x 64 cells it is 2 / 65,536 of this one, beside which the adversarial terms with their
alpha = 1/220 and beta = 1/180 would drown the supervision.

Shapes: M images, K joints, H x W cells.
"""

from __future__ import annotations

from mmpose.registry import MODELS
from torch import Tensor, nn


def squared_distances(maps: Tensor, truth: Tensor) -> Tensor:
    """Squared distance of each map to the true one, summed over its cells.

    Args:
        maps: (M, K, H, W) predicted.
        truth: (M, K, H, W) true, float32 or wider, so that half-precision maps are summed in float32.

    Returns:
        Tensor: (M, K).
    """
    # |y^i - y_n^i|^2
    return (maps - truth).square().sum((2, 3))


@MODELS.register_module()
class HeatmapSumLoss(nn.Module):
    """Half the squared distance of maps, summed over cells and joints, divided by the number of images.

    Takes the place of mmpose's ``KeypointMSELoss`` in a head. The number of images counts those without a label too, so
    that ranks and accumulated batches agree.

    Args:
        loss_weight: Factor of the loss, at least 0.

    Raises:
        ValueError: The factor is negative.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        if not loss_weight >= 0:
            raise ValueError(f'HeatmapSumLoss: loss_weight={loss_weight!r}, allowed: a number of at least 0')
        self.loss_weight = loss_weight

    def forward(self, maps: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            maps: (M, K, H, W) predicted.
            truth: (M, K, H, W) true.
            weights: (M, K) weight of each map, 0 to leave it out.

        Returns:
            Tensor: Scalar.

        Raises:
            ValueError: The shapes do not fit each other.
        """
        if maps.shape != truth.shape or weights.shape != maps.shape[:2]:
            raise ValueError(
                f'HeatmapSumLoss: predicted maps {tuple(maps.shape)}, true maps {tuple(truth.shape)} and weights of '
                f'joints {tuple(weights.shape)}; needed: (M, K, H, W) twice and (M, K), one map per joint. Combined '
                'targets (UDPHeatmap with heatmap_type="combined") have three maps per joint and need their own loss'
            )
        # 1/(2M) sum_i |y^i - y_n^i|^2
        return self.loss_weight * (squared_distances(maps, truth) * weights).sum() / (2 * len(maps))
