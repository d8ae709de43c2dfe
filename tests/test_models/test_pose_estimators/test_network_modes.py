"""Networks that run without being trained."""

import pytest
import torch
from torch import nn

from posestructs.models.pose_estimators.network_modes import fixed_weights, inference


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.9), nn.Linear(2, 1)).train()
    network[0].requires_grad_(False)
    network[2].eval()  # by the user
    return network


def state(network):
    flags = [p.requires_grad for p in network.parameters()], [m.training for m in network.modules()]
    return [value.tolist() for value in network.state_dict().values()], flags


def test_inference(network):
    before = state(network)
    with inference(network):
        assert not network(torch.rand(3, 2)).requires_grad
    assert state(network) == before


@pytest.mark.parametrize('eval_mode', [True, False])
def test_fixed_weights_pass_gradients_to_the_inputs(network, eval_mode):
    """Modes and flags are restored after an error too; only training mode updates the running mean."""
    (values, flags), x = state(network), torch.rand(3, 2, requires_grad=True)
    with pytest.raises(KeyError), fixed_weights(network, eval_mode):
        network(x).square().sum().backward()
        raise KeyError
    assert x.grad.abs().sum() > 0 and all(p.grad is None for p in network.parameters())
    assert state(network)[1] == flags
    assert (state(network)[0] == values) == eval_mode
