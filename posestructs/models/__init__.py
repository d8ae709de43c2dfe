"""Models: importing this package registers them."""

from posestructs.models import backbones, discriminators, heads, losses, necks, pose_estimators

__all__ = ['backbones', 'discriminators', 'heads', 'losses', 'necks', 'pose_estimators']
