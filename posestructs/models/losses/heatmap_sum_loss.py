"""L_G of Adversarial PoseNet for one stack and one kind of map (Chen et al., ICCV 2017, Eq. 1).

::

    L_G = 1/(2MN) sum_n sum_i |y^i - y_n^i|^2 + |z^i - z_n^i|^2

over N stacks and M images; |.|^2 sums over all cells of all K maps. mmpose's ``KeypointMSELoss`` is the mean of the
same numbers: with 16 maps of 64 x 64 cells it is 2 / 65,536 of this loss, so small that the adversarial terms with
alpha = 1/220 and beta = 1/180 would dominate it.

Shapes: N batch (the paper's M), K joints, H x W cells.
"""

from __future__ import annotations

from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.utils.checks import check_number


def squared_distances(maps: Tensor, targets: Tensor) -> Tensor:
    """Squared distance of each map to its target, summed over cells.

    Args:
        maps: (N, K, H, W) predicted maps.
        targets: (N, K, H, W) target maps, float32 or wider, so that half-precision maps are summed in float32.

    Returns:
        Tensor: (N, K).
    """
    # |y^i - y_n^i|^2
    return (maps - targets).square().sum((2, 3))


@MODELS.register_module()
class HeatmapSumLoss(nn.Module):
    """Half the squared distance of maps, summed over cells and joints, divided by the number of images.

    A replacement for mmpose's ``KeypointMSELoss`` in a head. Images without labels are included in the number of
    images, so that ranks and accumulated batches agree.

    Args:
        loss_weight: Factor of the loss, at least 0.

    Raises:
        ValueError: The factor is negative.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = check_number('HeatmapSumLoss.loss_weight', loss_weight, 0)

    def forward(self, maps: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            maps: (N, K, H, W) predicted maps.
            targets: (N, K, H, W) target maps.
            weights: (N, K) weight of each map, 0 to leave it out.

        Returns:
            Tensor: Scalar.

        Raises:
            ValueError: The shapes do not match.
        """
        self.check_shapes(maps, targets, weights)
        # 1/(2N) sum_i |y^i - y_n^i|^2
        return self.loss_weight * (squared_distances(maps, targets) * weights).sum() / (2 * len(maps))

    def check_shapes(self, maps: Tensor, targets: Tensor, weights: Tensor) -> None:
        """Refuse targets or weights that do not fit the maps."""
        if maps.shape != targets.shape or weights.shape != maps.shape[:2]:
            raise ValueError(
                f'{type(self).__name__}: predicted maps {tuple(maps.shape)}, target maps {tuple(targets.shape)} and '
                f'weights {tuple(weights.shape)}; needed: (N, K, H, W) twice and (N, K), one map per joint. Combined '
                'targets (UDPHeatmap with heatmap_type="combined") have three maps per joint and need their own loss'
            )
