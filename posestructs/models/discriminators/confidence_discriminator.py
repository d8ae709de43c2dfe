"""Confidence discriminator C of Adversarial PoseNet (Chen et al., ICCV 2017, section 3.3).

C scores whether the maps are as confident as targets. It reads the pose maps and the occlusion maps, 2K channels, and
no image.
"""

from __future__ import annotations

from typing import Any

from mmpose.registry import MODELS

from posestructs.models.discriminators.map_discriminator import MapDiscriminator


@MODELS.register_module()
class ConfidenceDiscriminator(MapDiscriminator):
    """Score joints by their maps only.

    Args:
        num_joints: K.
        with_occlusion: Read occlusion maps too.
        **kwargs: Other arguments of :class:`~posestructs.models.discriminators.map_discriminator.MapDiscriminator`:
            ``channels``, ``depth``, ``num_stacks``, ``pooling``, ``map_size``, ``map_scale``, ``map_sigma``,
            ``norm_cfg``, ``spectral_norm``, ``preset``.
    """

    def __init__(self, num_joints: int, with_occlusion: bool = True, **kwargs: Any) -> None:
        super().__init__(num_joints, with_occlusion, **kwargs)
