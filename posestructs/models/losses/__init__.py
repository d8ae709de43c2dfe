"""Losses of heads and discriminators."""

from posestructs.models.losses.adversarial_loss import AdversarialLoss
from posestructs.models.losses.heatmap_sum_loss import HeatmapSumLoss
from posestructs.models.losses.masked_softmax_loss import MaskedSoftmaxLoss

__all__ = ['AdversarialLoss', 'HeatmapSumLoss', 'MaskedSoftmaxLoss']
