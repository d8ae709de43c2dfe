"""Pairs of logits by hand."""

import math

import pytest
import torch

from posestructs.models.losses import RelativisticLoss


def test_both_losses_by_hand():
    real, fake = torch.tensor([[2.0, -1.0, 5.0]]), torch.tensor([[0.5, 3.0, 1.0]])
    labels = torch.tensor([[0.0, 0.0, 1.0]])
    loss = RelativisticLoss()
    # log(1 + exp(-(r - f))), and 0 for a joint that is right already
    wanted = [math.log(1 + math.exp(-1.5)), math.log(1 + math.exp(4.0)), 0.0]
    assert loss.pairs(real, fake, labels)[0].tolist() == pytest.approx(wanted)
    wanted = [math.log(1 + math.exp(1.5)), math.log(1 + math.exp(-4.0)), 0.0]
    assert loss.generator_pairs(real, fake, labels)[0].tolist() == pytest.approx(wanted)
