"""Discriminators of Adversarial PoseNet, and others."""

from posestructs.models.discriminators.confidence_discriminator import ConfidenceDiscriminator
from posestructs.models.discriminators.map_auto_encoder import MapAutoEncoder
from posestructs.models.discriminators.map_discriminator import MapDiscriminator
from posestructs.models.discriminators.pose_discriminator import PoseDiscriminator
from posestructs.models.discriminators.pose_vector_discriminator import PoseVectorDiscriminator

__all__ = [
    'ConfidenceDiscriminator',
    'MapAutoEncoder',
    'MapDiscriminator',
    'PoseDiscriminator',
    'PoseVectorDiscriminator',
]
