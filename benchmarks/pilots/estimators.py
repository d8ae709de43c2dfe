"""Pose estimators with one more term in the loss of the generator. At test time they are the model without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import MODELS
from torch import Tensor

from posestructs.models.pose_estimators import AdversarialPoseEstimator


@MODELS.register_module()
class AuxiliaryPoseEstimator(AdversarialPoseEstimator):
    """Train the features with an auxiliary loss of the joint labels.

    Args:
        auxiliary: Config of the loss, called with features (N, C, H, W), joints (N, K, 2) in cells and labelled joints
            (N, K).
        **kwargs: Arguments of ``AdversarialPoseEstimator``, without discriminators.
    """

    def __init__(self, auxiliary: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.auxiliary = MODELS.build(auxiliary)

    def generator_forward(self, inputs: Tensor, samples: list) -> tuple[dict, None]:
        """Losses of the head and ``loss_auxiliary``."""
        feats = self.extract_feat(inputs)
        labels = [sample.gt_instance_labels for sample in samples]
        cells, weights = (torch.cat([each[key] for each in labels]) for key in ('keypoint_cells', 'keypoint_weights'))
        losses = self.head.loss(feats, samples, train_cfg=self.train_cfg)
        return {**losses, 'loss_auxiliary': self.auxiliary(feats[-1], cells, weights > 0)}, None


@MODELS.register_module()
class MirrorConsistentPoseEstimator(AdversarialPoseEstimator):
    """Ask for the same maps, mirrored, of an image and of its mirror image.

    Args:
        mirror_weight: Factor of 1/(2N) sum |y - m(y')|^2, where y' are the maps of the mirror image, and m mirrors them
            and swaps left and right.
        **kwargs: Arguments of ``AdversarialPoseEstimator``, without discriminators.
    """

    def __init__(self, mirror_weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mirror_weight = mirror_weight

    def generator_forward(self, inputs: Tensor, samples: list) -> tuple[dict, None]:
        """Losses of the head on the images as they are, and ``loss_mirror``."""
        maps = self.head.forward(self.extract_feat(torch.cat([inputs, inputs.flip(-1)])))[-1]
        straight, mirrored = maps.chunk(2)
        losses = self.head.loss_from_maps([straight], samples, self.train_cfg)
        return {
            **losses,
            'loss_mirror': self.mirror_loss(straight, mirrored, samples[0].metainfo['flip_indices']),
        }, None

    def mirror_loss(self, straight: Tensor, mirrored: Tensor, flip_indices: list[int]) -> Tensor:
        """Distance between the maps of images and those of their mirror images.

        Args:
            straight: (N, 2K, H, W).
            mirrored: (N, 2K, H, W).
            flip_indices: (K,) mirror joint of each joint.

        Returns:
            Tensor: Scalar.
        """
        both = [*flip_indices, *(index + len(flip_indices) for index in flip_indices)]
        # cells are points, so that mirrored maps are a cell off; the first column has no counterpart
        back = flip_heatmaps(mirrored, flip_mode='heatmap', flip_indices=both, shift_heatmap=True)
        return self.mirror_weight * (straight - back)[..., 1:].square().sum() / (2 * len(straight))
