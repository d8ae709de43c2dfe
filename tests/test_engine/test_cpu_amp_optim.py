"""Mixed precision on the CPU against float32: an adversarial model with three networks, and a state from a GPU."""

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmpose.registry import OPTIM_WRAPPERS

from posestructs.engine import CPUAmpOptimWrapper, NetworkOptimWrapperDict
from tests.helpers import adversarial_toy as toy


def step(kind):
    """Changes of all weights in one training step, by name, and whether a convolution ran in bfloat16."""
    model = toy.build().float()
    seen = set()
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _, __, output: seen.add(output.dtype))
    before = toy.weights(model)
    members = {n: kind(torch.optim.SGD(m.parameters(), lr=0.05)) for n, m in model.networks().items()}
    wrappers = NetworkOptimWrapperDict(**members)
    wrappers.initialize_count_status(model, 0, 10)
    batch = toy.batch()
    batch['inputs'] = batch['inputs'].float()
    for sample in batch['data_samples']:
        sample.gt_fields.heatmaps = sample.gt_fields.heatmaps.float()
    losses = model.train_step(batch, wrappers)
    changes = {name: value - before[name] for name, value in toy.weights(model).items()}
    return changes, {name: float(value) for name, value in losses.items() if 'loss' in name}, seen


def test_a_step_of_several_networks_is_near_that_in_float32():
    exact, losses, _ = step(OptimWrapper)
    mixed, near_losses, dtypes = step(CPUAmpOptimWrapper)
    assert torch.bfloat16 in dtypes and all(value.dtype == torch.float32 for value in mixed.values())
    assert near_losses == pytest.approx(losses, rel=0.05)
    for network in ('backbone', 'discriminators.pose', 'discriminators.confidence'):
        one, other = (
            torch.cat([value.flatten() for name, value in changes.items() if name.startswith(network)])
            for changes in (exact, mixed)
        )
        # bfloat16 has 8 bits of mantissa, and the toy's maps have few cells to average over
        assert torch.cosine_similarity(one, other, dim=0) > 0.95, network
        assert other.norm().item() == pytest.approx(one.norm().item(), rel=0.1), network


def test_the_state_of_a_run_on_a_gpu_is_loaded():
    parameter = torch.nn.Parameter(torch.ones(2))
    wrapper = OPTIM_WRAPPERS.build(
        dict(type='CPUAmpOptimWrapper', optimizer=torch.optim.SGD([parameter], lr=0.1, momentum=0.9))
    )
    state = dict(wrapper.state_dict(), loss_scaler=dict(scale=65536.0))
    state['param_groups'] = [dict(state['param_groups'][0], momentum=0.5)]
    wrapper.load_state_dict(state)
    assert wrapper.optimizer.param_groups[0]['momentum'] == 0.5
