"""Balanced losses by hand."""

import math

import pytest
import torch

from posestructs.models.losses import CorrectnessLoss


def test_right_and_wrong_joints_weigh_the_same():
    logits = torch.tensor([[2.0, -1.0, 0.5, 3.0]])
    labels = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    loss = CorrectnessLoss().fake(logits, labels)
    # -log D of three right joints with 1 / (2 * 3/4) each, -log(1 - D) of a wrong one with 1 / (2 * 1/4)
    wanted = [math.log(1 + math.exp(-s)) * 2 / 3 for s in (2, -1, 0.5)] + [math.log(1 + math.exp(3)) * 2]
    assert loss[0].tolist() == pytest.approx(wanted)
    even = CorrectnessLoss().fake(torch.zeros(1, 4), labels)
    assert float(even[labels > 0].sum()) == pytest.approx(float(even[labels == 0].sum()))


def test_a_batch_of_one_kind_is_finite_and_targets_do_not_count():
    logits = torch.tensor([[2.0, -1.0]], requires_grad=True)
    loss = CorrectnessLoss()
    assert loss.fake(logits, torch.ones(1, 2)).sum() < 2 and loss.fake(logits, torch.zeros(1, 2)).isfinite().all()
    loss.real(logits).sum().backward()
    assert logits.grad.tolist() == [[0, 0]]


def test_the_generator_raises_the_score_of_wrong_joints_alone():
    logits = torch.tensor([[0.5, 0.5]], requires_grad=True)
    loss = CorrectnessLoss().generator(logits, torch.tensor([[1.0, 0.0]]))
    loss.sum().backward()
    assert loss[0].tolist() == pytest.approx([0, math.log(1 + math.exp(-0.5))])
    assert logits.grad[0, 0] == 0 and logits.grad[0, 1] < 0
