"""Changes that the fingerprint of weights detects, and those that it ignores."""

import copy

import torch
from torch import nn

from posestructs.utils.model_fingerprint import model_fingerprint


def test_only_weights_of_predictions_count():
    model = nn.Module()
    model.backbone = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    model.head = nn.Linear(2, 2)
    own = model_fingerprint(model)
    other = copy.deepcopy(model)
    other.discriminators = nn.Linear(3, 3)
    other.backbone[1].num_batches_tracked += 5
    assert model_fingerprint(other) == own == model_fingerprint(model.double())
    other.backbone[1].running_mean += 1e-3
    assert model_fingerprint(other) != own
    with torch.no_grad():
        model.head.weight[0, 0] += 1e-3
    assert model_fingerprint(model.float()) != own
