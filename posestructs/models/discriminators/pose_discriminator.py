"""Pose discriminator P of Adversarial PoseNet (Chen et al., ICCV 2017, section 3.2).

P scores whether the body is plausible in the image. It reads the image, the pose maps and the occlusion maps, 3 + 2K
channels. How it reads the image is unpublished. Here the image is resized to the size of the maps by averaging over
areas, and concatenated with them.

Shapes: N batch, K joints, C channels of the maps (K, or 2K with occlusion), H x W cells, h x w pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmpose.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from posestructs.models.discriminators.map_discriminator import MapDiscriminator
from posestructs.utils.checks import check_integer, check_number


def resize_by_area(images: Tensor, size: Sequence[int]) -> Tensor:
    """Downscale images: each pixel of the result is the mean of those that it covers.

    Args:
        images: (N, 3, h, w).
        size: (H, W).

    Returns:
        Tensor: (N, 3, H, W).
    """
    return images if tuple(images.shape[2:]) == tuple(size) else F.interpolate(images, size=tuple(size), mode='area')


@MODELS.register_module()
class PoseDiscriminator(MapDiscriminator):
    """Score joints by their maps and the image.

    Args:
        num_joints: K.
        with_occlusion: Read occlusion maps too.
        image_channels: Number of channels of the image.
        image_scale: Factor of the image at the first layer; ``map_scale`` is that of the maps.
        **kwargs: Other arguments of :class:`~posestructs.models.discriminators.map_discriminator.MapDiscriminator`:
            ``channels``, ``depth``, ``num_stacks``, ``pooling``, ``map_size``, ``map_scale``, ``map_sigma``,
            ``norm_cfg``, ``spectral_norm``, ``preset``.

    Raises:
        ValueError: A value is not allowed; names the key.
    """

    def __init__(
        self,
        num_joints: int,
        with_occlusion: bool = True,
        image_channels: int = 3,
        image_scale: float = 1.0,
        **kwargs: Any,
    ) -> None:
        check_integer('PoseDiscriminator.image_channels', image_channels, 1)
        super().__init__(num_joints, with_occlusion, extra_channels=image_channels, **kwargs)
        self.image_scale = check_number('PoseDiscriminator.image_scale', image_scale, 0)

    def forward(self, maps: Tensor, images: Tensor) -> Tensor:
        """Score maps.

        Args:
            maps: (nN, C, H, W), pose maps first: n sets of maps of the same images, one set after the other.
            images: (N, 3, h, w), normalised as for the generator.

        Returns:
            Tensor: (nN, K) logits.

        Raises:
            ValueError: The maps are not those of this discriminator, or their number is not a multiple of the images'.
        """
        self._check(maps)
        if len(maps) % len(images):
            raise ValueError(f'PoseDiscriminator: {len(maps)} sets of maps are not a multiple of {len(images)} images')
        images = resize_by_area(images, maps.shape[2:]).repeat(len(maps) // len(images), 1, 1, 1).to(maps.dtype)
        return self._logits(maps, images if self.image_scale == 1 else images * self.image_scale)
