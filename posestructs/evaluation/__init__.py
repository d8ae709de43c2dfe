"""Metrics, registered into mmpose: strict PCP, PDJ, and PCK over torso, head or box, split by occlusion."""

from posestructs.evaluation.box_pck import BoxPCK
from posestructs.evaluation.coco_metric import CocoMetric
from posestructs.evaluation.error_anatomy import classify_errors, compare_kinds
from posestructs.evaluation.head_pck import HeadPCK
from posestructs.evaluation.keypoint_calibration import KeypointCalibration
from posestructs.evaluation.occlusion import OcclusionSplitPCK, split_masks
from posestructs.evaluation.pck import PCK, JointCounts, joint_counts
from posestructs.evaluation.pdj import PDJ, pdj_curve, write_curves
from posestructs.evaluation.pose_error_anatomy import PoseErrorAnatomy
from posestructs.evaluation.strict_pcp import StickCounts, StrictPCP, strict_pcp
from posestructs.evaluation.tables import format_table, metrics_table
from posestructs.evaluation.torso_pck import TorsoPCK, pair_length, torso_pck
from posestructs.structures.box_size import box_size

__all__ = [
    'PCK',
    'PDJ',
    'BoxPCK',
    'CocoMetric',
    'HeadPCK',
    'JointCounts',
    'KeypointCalibration',
    'OcclusionSplitPCK',
    'PoseErrorAnatomy',
    'StickCounts',
    'StrictPCP',
    'TorsoPCK',
    'box_size',
    'classify_errors',
    'compare_kinds',
    'format_table',
    'joint_counts',
    'metrics_table',
    'pair_length',
    'pdj_curve',
    'split_masks',
    'strict_pcp',
    'torso_pck',
    'write_curves',
]
