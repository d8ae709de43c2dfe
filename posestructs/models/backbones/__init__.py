"""Backbones that compute feature maps from images."""

from posestructs.models.backbones.efficientnet_lite import EfficientNetLite0
from posestructs.models.backbones.fcn_vgg import FCNVGG
from posestructs.models.backbones.movenet import MoveNetBackbone
from posestructs.models.backbones.stacked_pose_generator import StackedPoseGenerator

__all__ = ['EfficientNetLite0', 'FCNVGG', 'MoveNetBackbone', 'StackedPoseGenerator']
