"""C of Adversarial PoseNet (Chen et al., ICCV 2017, section 3.3): which joints' maps are as confident as true ones.

C sees the pose maps and the occlusion maps, 2K channels, and no image.
"""

from __future__ import annotations

from typing import Any

from mmpose.registry import MODELS

from posestructs.models.discriminators.map_discriminator import MapDiscriminator


@MODELS.register_module()
class ConfidenceDiscriminator(MapDiscriminator):
    """Judge joints by their maps alone.

    Args:
        num_joints: K.
        with_occlusion: Whether it gets occlusion maps too.
        **kwargs: Of :class:`~posestructs.models.discriminators.map_discriminator.MapDiscriminator`: ``channels``,
            ``depth``, ``num_stacks``, ``pooling``, ``map_size``, ``norm_cfg``, ``spectral_norm``, ``preset``.
    """

    def __init__(self, num_joints: int, with_occlusion: bool = True, **kwargs: Any) -> None:
        super().__init__(num_joints, with_occlusion, **kwargs)
