"""Checkpointing changes neither values, gradients nor running statistics."""

import copy

import pytest
import torch
from torch import nn

from posestructs.layers.checkpointing import checkpointed, frozen_statistics


def network(momentum=0.1):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, momentum=momentum), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2)
    )


def run(net, x, function):
    x = x.clone().requires_grad_()
    values = function(net, x)
    values.square().sum().backward()
    return [values.detach(), x.grad, *(p.grad for p in net.parameters())], net.state_dict()


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('momentum', [0.1, None])
def test_equal_with_and_without(training, momentum):
    plain = network(momentum).train(training)
    saving = copy.deepcopy(plain)
    x = torch.randn(3, 2, 6, 6)
    for _ in range(2):
        expected, states = run(plain, x, lambda net, x: net(x))
        found, others = run(saving, x, checkpointed)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
        assert all(torch.equal(others[key], states[key]) for key in states)
    assert states['1.num_batches_tracked'] == (2 if training else 0)
    assert saving[1].momentum == momentum


def test_torchs_own_would_move_the_statistics_twice():
    """Plain checkpointing updates the statistics twice; a change in torch would show here."""
    net = network()
    x = torch.randn(3, 2, 6, 6, requires_grad=True)
    torch.utils.checkpoint.checkpoint(net, x, use_reentrant=False).sum().backward()
    assert net[1].num_batches_tracked == 2


def test_it_recomputes_only_for_gradients():
    calls = []
    net = network()
    net.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        checkpointed(net, torch.randn(1, 2, 6, 6))
    assert len(calls) == 1
    checkpointed(net, torch.randn(1, 2, 6, 6, requires_grad=True)).sum().backward()
    assert len(calls) >= 2 and net[1].num_batches_tracked == 2


def test_statistics_are_freed_after_an_error():
    net = network()
    with pytest.raises(RuntimeError, match='stop'), frozen_statistics(net):
        assert net[1].momentum == 0 and net[1].num_batches_tracked is None
        raise RuntimeError('stop')
    assert net[1].momentum == 0.1 and net[1].num_batches_tracked == 0
    assert 'num_batches_tracked' in dict(net[1].named_buffers())
