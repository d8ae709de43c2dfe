"""The scale of a head's loss against that of Eq. 1."""

import logging

import pytest
import torch
from mmpose.models.losses import KeypointMSELoss
from mmpose.registry import MODELS

from posestructs.models.pose_estimators import loss_scale
from tests.helpers.msra_samples import HEATMAP


@pytest.mark.parametrize('weight, factor', [(1.0, '120'), (2.0, '60'), (1e4, '0.012')])
def test_warning_of_the_scale_of_a_mean_loss(weight, factor, toy, caplog, monkeypatch):
    logged = []
    monkeypatch.setattr(loss_scale, 'print_log', lambda text, logger, level: logged.append((text, level)))
    head = HEATMAP['head'] | dict(loss=dict(type='KeypointMSELoss', loss_weight=weight))
    loss_scale.warn_of_loss_scale(MODELS.build(head))
    ((text, level),) = logged
    assert level == logging.WARNING
    assert 'loss_weight=120 here' in text and f'weigh {factor} times as much' in text


def test_scale_is_that_of_eq_1(toy, monkeypatch):
    """The weight that the warning names converts the mean to the sum of squares over 2 N, for one stage."""
    logged = []
    monkeypatch.setattr(loss_scale, 'print_log', lambda *args, **kwargs: logged.append(args))
    maps, targets = torch.rand(3, 5, 6, 8).double(), torch.rand(3, 5, 6, 8).double()
    by_mmpose = KeypointMSELoss(loss_weight=120.0)(maps, targets)
    assert by_mmpose.item() == pytest.approx((maps - targets).square().sum().item() / 6)
    for head in (MODELS.build(HEATMAP['head']), toy.build(discriminators=None).head):
        loss_scale.warn_of_loss_scale(head)
    assert not logged
