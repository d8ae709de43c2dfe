"""Pose discriminator P of Adversarial PoseNet (Chen et al., ICCV 2017, section 3.2).

P scores whether the body is plausible in the image. It reads the image, the pose maps and the occlusion maps, 3 + 2K
channels. How it reads the image is unpublished. Here the image is resized to the size of the maps by averaging over
areas, and concatenated with them. With ``image_stem`` it is resized to ``image_factor`` times the size of the maps, and
convolutions with a stride of 2 reduce it to theirs, so that P sees details that the mean over a cell does not show.

Shapes: N batch, K joints, C channels of the maps (K, or 2K with occlusion), H x W cells, h x w pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmpose.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from posestructs.models.discriminators.map_discriminator import MapDiscriminator
from posestructs.utils.checks import check_choice, check_integer, check_number

IMAGE_FACTORS = (2, 4, 8)


def image_layers(in_channels: int, channels: int, factor: int) -> nn.Sequential:
    """Layers that reduce the image to the size of the maps; the width doubles with each.

    Args:
        in_channels: Number of channels of the image.
        channels: Number of channels of the result.
        factor: Side of the image over that of the result, a power of 2.

    Returns:
        nn.Sequential: Convolutions with a stride of 2, each followed by a ReLU.
    """
    steps = factor.bit_length() - 1
    widths = [in_channels, *(max(channels >> (steps - 1 - i), 1) for i in range(steps))]
    layers: list[nn.Module] = []
    for below, above in zip(widths, widths[1:], strict=False):
        layers += [nn.Conv2d(below, above, 3, stride=2, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


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
        image_stem: Number of channels behind layers of the image's own; ``None`` for no such layers.
        image_factor: Size of the image that these layers read over the size of the maps: 2, 4 or 8. A stride of 4 from
            image to maps makes 4 the whole image. Not used without ``image_stem``.
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
        image_stem: int | None = None,
        image_factor: int = 4,
        **kwargs: Any,
    ) -> None:
        check_integer('PoseDiscriminator.image_channels', image_channels, 1)
        check_integer('PoseDiscriminator.image_stem', image_stem, 1, optional=True)
        extra = image_channels if image_stem is None else image_stem
        super().__init__(num_joints, with_occlusion, extra_channels=extra, **kwargs)
        self.image_scale = check_number('PoseDiscriminator.image_scale', image_scale, 0)
        self.image_factor = check_choice('PoseDiscriminator.image_factor', image_factor, IMAGE_FACTORS)
        self.image_layers: nn.Module | None = None
        if image_stem is not None:
            self.image_layers = image_layers(image_channels, image_stem, image_factor)
            self._finish(self.image_layers)

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
        return self._logits(maps, self._read_images(images, maps))

    def _read_images(self, images: Tensor, maps: Tensor) -> Tensor:
        """(N, 3, h, w) images to (nN, E, H, W) channels beside (nN, C, H, W) maps."""
        self._check(maps)
        if maps.shape[0] % images.shape[0]:
            raise ValueError(
                f'{type(self).__name__}: {len(maps)} sets of maps are not a multiple of {len(images)} images'
            )
        images, size = images.to(maps.dtype), maps.shape[2:]
        if self.image_layers is None:
            images = resize_by_area(images, size)
        else:
            images = self.image_layers(resize_by_area(images, [self.image_factor * side for side in size]))
        images = images if self.image_scale == 1 else images * self.image_scale
        # no repetition of a number of images that is not known, for torch.export
        return images if maps.shape[0] == images.shape[0] else images.repeat(len(maps) // len(images), 1, 1, 1)
