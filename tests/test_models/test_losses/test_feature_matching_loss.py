"""Distances of features by hand."""

import pytest
import torch

from posestructs.models.losses import FeatureMatchingLoss


def test_mean_distance_over_layers_is_divided_among_the_joints():
    real = [torch.zeros(2, 1, 1, 2), torch.ones(2, 2, 1, 1)]
    fake = [
        torch.tensor([[1.0, -3.0], [0.0, 0.0]]).view(2, 1, 1, 2),
        torch.tensor([[1.0, 4.0], [1.0, 0.0]]).view(2, 2, 1, 1),
    ]
    terms = FeatureMatchingLoss().generator_features(real, fake, torch.zeros(2, 4))
    # image 0: (|1|, |-3|) and (0, 3); image 1: (0, 0) and (0, 1)
    assert terms.sum(1).tolist() == pytest.approx([(2 + 1.5) / 2, (0 + 0.5) / 2])
    assert (terms == terms[:, :1]).all()
