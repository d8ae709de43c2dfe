"""Losses of heads and discriminators."""

from posestructs.models.losses.adversarial_loss import AdversarialLoss
from posestructs.models.losses.began_loss import BEGANLoss
from posestructs.models.losses.correctness_loss import CorrectnessLoss
from posestructs.models.losses.feature_matching_loss import FeatureMatchingLoss
from posestructs.models.losses.heatmap_sum_loss import HeatmapSumLoss
from posestructs.models.losses.masked_softmax_loss import MaskedSoftmaxLoss
from posestructs.models.losses.mirror_tolerant_loss import MirrorTolerantLoss
from posestructs.models.losses.relativistic_loss import RelativisticLoss

__all__ = [
    'AdversarialLoss',
    'BEGANLoss',
    'CorrectnessLoss',
    'FeatureMatchingLoss',
    'HeatmapSumLoss',
    'MaskedSoftmaxLoss',
    'MirrorTolerantLoss',
    'RelativisticLoss',
]
