"""Transforms: those of mmpose, extended to occlusion labels, and those that mmpose lacks."""

from posestructs.datasets.transforms.load_verified_image import LoadVerifiedImage
from posestructs.datasets.transforms.loss_aimed_occluder import LossAimedOccluder
from posestructs.datasets.transforms.occlusion_aware import (
    BottomupRandomCrop,
    FilterAnnotations,
    HandRandomFlip,
    KeypointConverter,
    Mosaic,
    PackPoseInputs,
    RandomFlip,
    RandomFlipAroundRoot,
    SingleHandConverter,
    YOLOXMixUp,
)
from posestructs.datasets.transforms.random_occluder import RandomOccluder
from posestructs.datasets.transforms.random_person_cut import RandomPersonCut
from posestructs.datasets.transforms.random_step_rotation import RandomStepRotation

__all__ = [
    'BottomupRandomCrop',
    'FilterAnnotations',
    'HandRandomFlip',
    'KeypointConverter',
    'LoadVerifiedImage',
    'LossAimedOccluder',
    'Mosaic',
    'PackPoseInputs',
    'RandomFlip',
    'RandomFlipAroundRoot',
    'RandomOccluder',
    'RandomPersonCut',
    'RandomStepRotation',
    'SingleHandConverter',
    'YOLOXMixUp',
]
