"""P of Adversarial PoseNet (Chen et al., ICCV 2017, section 3.2): which joints belong to a body that is plausible here.

P sees the image, the pose maps and the occlusion maps, 3 + 2K channels. How it sees the image is unpublished; here the
image is resized to the maps' size by area, so that all come to the encoder-decoder cell by cell.

Shapes: B images, K joints, C channels of the maps (K, or 2K with occlusion), H x W cells, h x w pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmpose.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from posestructs.models.discriminators.map_discriminator import MapDiscriminator


def resize_by_area(images: Tensor, size: Sequence[int]) -> Tensor:
    """Shrink images: each pixel of the result is the mean of those it covers.

    Args:
        images: (B, 3, h, w).
        size: (H, W).

    Returns:
        Tensor: (B, 3, H, W).
    """
    return images if tuple(images.shape[2:]) == tuple(size) else F.interpolate(images, size=tuple(size), mode='area')


@MODELS.register_module()
class PoseDiscriminator(MapDiscriminator):
    """Judge joints by their maps and the image.

    Args:
        num_joints: K.
        with_occlusion: Whether it gets occlusion maps too.
        image_channels: Of the image.
        **kwargs: Of :class:`~posestructs.models.discriminators.map_discriminator.MapDiscriminator`: ``channels``,
            ``depth``, ``num_stacks``, ``pooling``, ``map_size``, ``norm_cfg``, ``spectral_norm``, ``preset``.
    """

    def __init__(self, num_joints: int, with_occlusion: bool = True, image_channels: int = 3, **kwargs: Any) -> None:
        super().__init__(num_joints, with_occlusion, extra_channels=image_channels, **kwargs)

    def forward(self, maps: Tensor, images: Tensor) -> Tensor:
        """Judge maps.

        Args:
            maps: (n B, C, H, W), pose maps first; n sets of maps of the same images, one after the other.
            images: (B, 3, h, w), normalised as for the generator.

        Returns:
            Tensor: (n B, K) logits.

        Raises:
            ValueError: The maps are not as this discriminator was built for, or not a multiple of the images.
        """
        self._check(maps)
        if len(maps) % len(images):
            raise ValueError(f'PoseDiscriminator: {len(maps)} sets of maps are no multiple of {len(images)} images')
        images = resize_by_area(images, maps.shape[2:]).repeat(len(maps) // len(images), 1, 1, 1)
        return self._judge(torch.cat([images.to(maps.dtype), maps], dim=1))
