"""Auto-encoder of heatmaps as discriminator (Chou et al., Self Adversarial Training for Human Pose Estimation, 2017).

The network reconstructs the maps from the maps and the image. Trained on targets alone it reconstructs maps that do not
look like targets, or do not fit the image, less well: the error says how far a map is from a target. The error of a
joint, summed over its map (and its occlusion map), is ``-logit``, so that a greater logit is a better map::

    logit_k = -|y_k - y'_k|^2 - |z_k - z'_k|^2

These are no log-odds: its loss is :class:`~posestructs.models.losses.BEGANLoss`.

Shapes: N batch, K joints, C channels of the maps (K, or 2K with occlusion), H x W cells.
"""

from __future__ import annotations

from typing import Any

from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.models.discriminators.pose_discriminator import PoseDiscriminator


@MODELS.register_module()
class MapAutoEncoder(PoseDiscriminator):
    """Score joints by how well their maps are reconstructed.

    Attributes:
        log_odds: False: its logits are negative errors, as BEGANLoss needs them.

    Args:
        num_joints: K.
        with_occlusion: Read and reconstruct occlusion maps too.
        **kwargs: Arguments of :class:`~posestructs.models.discriminators.PoseDiscriminator`. Inputs are scaled by
            ``map_scale``, reconstructions and errors are not.

    Raises:
        ValueError: A value is not allowed; names the key.
    """

    log_odds = False
    label_rule = 'all_fake'
    default_loss = dict(type='BEGANLoss')

    def __init__(self, num_joints: int, with_occlusion: bool = True, **kwargs: Any) -> None:
        if kwargs.get('pooling', 'global') != 'global':
            raise ValueError(f"MapAutoEncoder.pooling={kwargs['pooling']!r}, allowed: 'global', as nothing is pooled")
        super().__init__(num_joints, with_occlusion, **kwargs)
        width = self.classifier[-1].in_channels
        self.judge[-1] = nn.Conv2d(width, self.map_channels, 1)
        self._finish(self.judge[-1])
        # first reconstructions near 0
        nn.init.normal_(self.judge[-1].weight, std=0.01)

    def reconstruct(self, maps: Tensor, images: Tensor) -> Tensor:
        """Reconstruct maps.

        Args:
            maps: (nN, C, H, W), pose maps first.
            images: (N, 3, h, w).

        Returns:
            Tensor: (nN, C, H, W).
        """
        return self._network(maps, self._read_images(images, maps))

    def forward(self, maps: Tensor, images: Tensor) -> Tensor:
        """Score maps.

        Args:
            maps: (nN, C, H, W), pose maps first: n sets of maps of the same images, one set after the other.
            images: (N, 3, h, w), normalised as for the generator.

        Returns:
            Tensor: (nN, K) negative errors of reconstruction.
        """
        # the sum over 2304 cells is not to be rounded to half precision
        errors = (maps - self.reconstruct(maps, images).to(maps)).square().sum((2, 3))
        return -errors.unflatten(1, (-1, self.num_joints)).sum(1)
