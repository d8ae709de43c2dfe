"""Losses of heads and discriminators."""

from posestructs.models.losses.adversarial_loss import AdversarialLoss
from posestructs.models.losses.heatmap_sum_loss import HeatmapSumLoss
from posestructs.models.losses.masked_softmax_loss import MaskedSoftmaxLoss
from posestructs.models.losses.mirror_tolerant_loss import MirrorTolerantLoss

__all__ = ['AdversarialLoss', 'HeatmapSumLoss', 'MaskedSoftmaxLoss', 'MirrorTolerantLoss']
