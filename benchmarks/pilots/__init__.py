"""Training changes behind ``benchmarks/left_right_pilots.py``; importing this package registers its components."""

from benchmarks.pilots.estimators import AuxiliaryPoseEstimator, MirrorConsistentPoseEstimator
from benchmarks.pilots.losses import BoneMapLoss, FacingLoss

__all__ = ['AuxiliaryPoseEstimator', 'BoneMapLoss', 'FacingLoss', 'MirrorConsistentPoseEstimator']
