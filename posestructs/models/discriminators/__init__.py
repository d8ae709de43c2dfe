"""Discriminators of Adversarial PoseNet."""

from posestructs.models.discriminators.confidence_discriminator import ConfidenceDiscriminator
from posestructs.models.discriminators.map_discriminator import MapDiscriminator
from posestructs.models.discriminators.pose_discriminator import PoseDiscriminator

__all__ = ['ConfidenceDiscriminator', 'MapDiscriminator', 'PoseDiscriminator']
