"""Logged scalars of an iteration in one process; several ranks are in tests/test_engine/test_network_ddp.py."""

import torch

from posestructs.models.pose_estimators.step_log import StepLog


def test_means_and_weighted_means():
    log = StepLog()
    value = torch.tensor(3.0, requires_grad=True)
    log.add('loss', value)
    log.add_mean('acc', torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[1.0, 1.0, 0.0]]))
    log.add_mean('uncounted', torch.tensor([[1.0]]), torch.tensor([[0.0]]))
    out = log.reduce()
    assert {name: v.item() for name, v in out.items()} == dict(loss=3.0, acc=0.5, uncounted=0.0)
    assert not out['loss'].requires_grad
    assert StepLog().reduce() == {}
