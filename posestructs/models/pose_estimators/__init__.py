"""Top-down pose estimators of both methods."""

from posestructs.models.pose_estimators.adversarial_pose_estimator import AdversarialPoseEstimator
from posestructs.models.pose_estimators.calibrated_pose_estimator import CalibratedPoseEstimator
from posestructs.models.pose_estimators.structured_pose_estimator import StructuredPoseEstimator

__all__ = ['AdversarialPoseEstimator', 'CalibratedPoseEstimator', 'StructuredPoseEstimator']
