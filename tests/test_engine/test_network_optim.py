"""One optimizer wrapper per network, from a config to the log."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import MessageHub
from mmengine.optim import AmpOptimWrapper, OptimWrapper, build_optim_wrapper
from mmpose.registry import MODELS
from torch import nn

from posestructs.engine import NetworkOptimWrapperDict
from posestructs.engine.network_optim import NetworkOptimWrapperConstructor
from posestructs.models.pose_estimators.optimizer_steps import finish_step, skip_step
from tests.helpers import adversarial_toy as toy


class TwoNetworks(nn.Module):
    """The smallest model that the constructor accepts."""

    def __init__(self):
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
        self.pose = nn.Linear(2, 1, bias=False)

    def networks(self):
        return dict(generator=self.generator, pose=self.pose)


def build(model=None, **members):
    cfg = ConfigDict(constructor='NetworkOptimWrapperConstructor', **members)
    return build_optim_wrapper(TwoNetworks() if model is None else model, cfg)


SGD = dict(optimizer=dict(type='SGD', lr=0.1))


def test_each_network_has_its_own():
    model = TwoNetworks()
    optim = build(
        model,
        pose=dict(optimizer=dict(type='RMSprop', lr=0.2, momentum=0.5), accumulative_counts=3),
        generator=dict(
            optimizer=dict(type='SGD', lr=0.1, weight_decay=0.4),
            paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys={'0.bias': dict(lr_mult=10.0)}),
        ),
    )
    assert isinstance(optim, NetworkOptimWrapperDict) and list(optim.keys()) == ['generator', 'pose']
    assert isinstance(optim['pose'].optimizer, torch.optim.RMSprop) and optim['pose']._accumulative_counts == 3
    settings = {}
    for group in optim['generator'].optimizer.param_groups:
        for p in group['params']:
            settings[id(p)] = (group['lr'], group['weight_decay'])
    linear, norm = model.generator
    assert settings == {
        id(linear.weight): (0.1, 0.4),
        id(linear.bias): (1.0, 0.4),
        id(norm.weight): (0.1, 0.0),
        id(norm.bias): (0.1, 0.0),
    }
    assert [id(p) for g in optim['pose'].optimizer.param_groups for p in g['params']] == [id(model.pose.weight)]
    assert optim.get_lr()['pose.lr'] == [0.2] and 'generator.lr' in optim.get_lr()


def test_clipping_per_network_and_its_name_in_the_log():
    hub = MessageHub.get_instance('clipping')
    model = TwoNetworks()
    shared = dict(type='norm', max_norm=0.5)  # mmengine pops the type
    before = copy.deepcopy(shared)
    optim = build(
        model, generator=dict(SGD, clip_grad=shared), pose=dict(SGD, clip_grad=dict(type='value', clip_value=0.25))
    )
    assert shared == before
    for member in optim.values():
        member.message_hub = hub
    with torch.no_grad():
        model.pose.weight.fill_(0.0)
    (model.pose.weight * torch.tensor([[1.0, 0.1]])).sum().backward()
    (3 * model.generator[0].weight[0, 0] + 4 * model.generator[0].bias[1]).backward()
    old = [p.clone() for p in (model.generator[0].weight, model.generator[0].bias)]
    optim['generator'].step()
    optim['pose'].step()
    # a gradient of norm 5 is clipped to 0.5, one of (1, 0.1) to (0.25, 0.1)
    assert (model.generator[0].weight - old[0])[0, 0].item() == pytest.approx(-0.1 * 0.3)
    assert (model.generator[0].bias - old[1])[1].item() == pytest.approx(-0.1 * 0.4)
    torch.testing.assert_close(model.pose.weight, torch.tensor([[-0.025, -0.01]]))
    assert hub.get_scalar('train/generator.grad_norm').current() == pytest.approx(5)
    assert list(hub.log_scalars) == ['train/generator.grad_norm']  # mmengine logs no norm when it clips values
    assert optim['pose'].grad_name == 'pose.grad_value'


def test_one_clipping_config_for_both():
    shared = dict(max_norm=0.5)
    optim = build(generator=dict(SGD, clip_grad=shared), pose=dict(SGD, clip_grad=shared))
    names = {name: member.grad_name for name, member in optim.items()}
    assert names == dict(generator='generator.grad_norm', pose='pose.grad_norm')
    assert optim['generator'].clip_grad_kwargs == optim['pose'].clip_grad_kwargs == shared


def test_counts_reach_each_member():
    """mmengine's own dict does not pass on counts: the last, incomplete batch would be lost."""
    model = TwoNetworks()
    optim = build(model, generator=dict(SGD, accumulative_counts=2), pose=dict(SGD, accumulative_counts=3))
    optim.initialize_count_status(model, 0, 5)
    before = model.pose.weight.detach().clone()
    steps = []
    for _ in range(5):
        optim['pose'].update_params(model.pose.weight.sum())
        steps.append((before - model.pose.weight.detach())[0, 0].item())
    # after 3 batches, and after the last two
    assert steps == pytest.approx([0, 0, 0.1, 0.1, 0.2])
    assert (optim['generator']._max_counts, optim['generator'].inner_count) == (5, 0)


def test_finish_and_skip():
    model = TwoNetworks()
    optim = build(model, generator=SGD, pose=dict(SGD, accumulative_counts=2))['pose']
    optim.initialize_count_status(model.pose, 0, 6)
    before = model.pose.weight.detach().clone()

    def half_batch():
        optim.backward(optim.scale_loss(model.pose.weight.sum()))
        finish_step(optim)

    half_batch()
    assert torch.equal(model.pose.weight, before) and model.pose.weight.grad[0, 0] == 0.5
    half_batch()
    torch.testing.assert_close(model.pose.weight.detach(), before - 0.1)
    assert model.pose.weight.grad is None
    half_batch()
    skip_step(optim)  # drops the accumulated half
    assert optim.inner_count == 4 and model.pose.weight.grad is None
    torch.testing.assert_close(model.pose.weight.detach(), before - 0.1)
    skip_step(optim)
    skip_step(optim)
    assert optim.inner_count == 6


def test_states_by_name():
    one, two = build(generator=SGD, pose=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9))), None
    member = one['pose']
    member.update_params(member.optimizer.param_groups[0]['params'][0].sum())
    state = one.state_dict()
    assert set(state) == {'generator', 'pose'} and state['pose']['state'][0]['momentum_buffer'].tolist() == [[1.0, 1.0]]
    two = build(generator=SGD, pose=dict(optimizer=dict(type='SGD', lr=0.7, momentum=0.9)))
    two.load_state_dict(copy.deepcopy(state))
    assert two['pose'].state_dict()['state'][0]['momentum_buffer'].tolist() == [[1.0, 1.0]]
    assert two.get_lr()['pose.lr'] == [0.1]
    with pytest.raises(
        KeyError, match=r"optimizers of \['generator'\], this run of \['generator', 'pose'\]: resume with"
    ):
        two.load_state_dict(dict(generator=state['generator']))


def test_state_of_a_network_that_has_grown():
    """As with a neck added between training and resuming: refused before any state is loaded."""
    grown = TwoNetworks()
    grown.pose = nn.Linear(2, 1)
    state = build(generator=dict(optimizer=dict(type='SGD', lr=0.7)), pose=SGD).state_dict()
    optim = build(grown, generator=SGD, pose=SGD)
    message = (
        r"checkpoint's optimizer of pose is for 1 parameter tensors \(per group: \[1\]\), this run's for 2 "
        r'parameter tensors \(per group: \[2\]\): resume with the same pose network .* load_from'
    )
    with pytest.raises(ValueError, match=message):
        optim.load_state_dict(copy.deepcopy(state))
    assert optim.get_lr()['generator.lr'] == [0.1]
    # as many parameters, in other groups
    optim = build(generator=dict(SGD, paramwise_cfg=dict(bias_lr_mult=2.0)), pose=SGD)
    with pytest.raises(ValueError, match=r'of generator is for 4 .*: \[4\]\), .* for 4 .*: \[1, 1, 1, 1\]\): resume'):
        optim.load_state_dict(copy.deepcopy(state))


def test_none_is_ignored():
    optim = build(generator=SGD, pose=SGD, confidence=None)
    assert list(optim.keys()) == ['generator', 'pose']


@pytest.mark.parametrize(
    ('discriminators', 'names'),
    [
        (None, []),
        (dict(pose=None, confidence=None), []),
        (dict(confidence=None, pose=dict(channels=8, depth=1, norm_cfg=dict(type='GN', num_groups=2))), ['pose']),
    ],
)
def test_a_network_that_the_model_sets_to_none_needs_no_second_edit(discriminators, names):
    model = toy.build(discriminators=discriminators)
    optim = build(model, generator=SGD, pose=SGD, confidence=SGD)
    assert list(optim.keys()) == list(model.networks()) == ['generator', *names]
    with pytest.raises(ValueError, match='optim_wrapper.poes: no such network'):
        build(model, generator=SGD, pose=SGD, confidence=SGD, poes=SGD)
    optim.initialize_count_status(model, 0, 10)
    assert all(value.isfinite() for value in model.train_step(toy.batch(), optim).values())


def test_a_network_missing_in_the_model_is_an_error():
    """Otherwise a forgotten ``discriminators`` would train without them."""
    without = toy.config()
    pose = without.pop('discriminators')['pose']
    with pytest.raises(ValueError, match='optim_wrapper.pose: no such network in the model, which has generator'):
        build(MODELS.build(without), generator=SGD, pose=SGD, confidence=SGD)
    one = MODELS.build(dict(without, discriminators=dict(pose=pose)))
    with pytest.raises(ValueError, match='optim_wrapper.confidence: no such network .* generator, pose'):
        build(one, generator=SGD, pose=SGD, confidence=SGD)


@pytest.mark.parametrize(
    'members, message',
    [
        (dict(generator=SGD), r'optim_wrapper has no pose; the networks of the model are generator, pose'),
        (dict(generator=SGD, pose=None), r'optim_wrapper has no pose'),
        (
            dict(generator=SGD, pose=SGD, confidence=SGD),
            r'optim_wrapper.confidence: no such network .* generator, pose',
        ),
        (dict(generator=SGD, pose=SGD, type='OptimWrapper'), r'optim_wrapper.type: no such network .*_delete_=True'),
        (dict(generator=SGD, pose=dict(type='OptimWrapper')), r'optim_wrapper.pose=.*, needed: a dict with optimizer='),
        (
            dict(generator=SGD, pose=SGD, paramwise_cfg=dict(norm_decay_mult=0)),
            'optim_wrapper.paramwise_cfg: set it in',
        ),
    ],
)
def test_config_that_does_not_fit_the_networks(members, message):
    with pytest.raises(ValueError, match=message):
        build(**members)


def test_a_model_of_one_network_is_refused():
    with pytest.raises(TypeError, match='for a model of several networks, and Linear is a single one'):
        build(nn.Linear(1, 1), generator=SGD)


def test_model_may_refuse():
    model = toy.build(adversarial=dict(algorithm='literal'))
    members = dict(generator=SGD, pose=dict(SGD, accumulative_counts=2), confidence=SGD)
    with pytest.raises(ValueError, match='optim_wrapper.pose.accumulative_counts=2'):
        build(model, **members)
    assert len(build(model, **members | dict(pose=SGD))) == 3
    constructor = NetworkOptimWrapperConstructor(members | dict(pose=SGD))
    assert isinstance(constructor(model)['generator'], OptimWrapper)


@pytest.mark.gpu
def test_mixed_precision_per_network():
    model = toy.build().float().cuda()
    mixed = dict(type='AmpOptimWrapper', loss_scale=128.0, optimizer=dict(type='SGD', lr=1e-3))
    members = dict(generator=dict(mixed), pose=dict(mixed, loss_scale='dynamic'), confidence=SGD)
    optim = build(model, **members)
    assert isinstance(optim['pose'], AmpOptimWrapper) and not isinstance(optim['confidence'], AmpOptimWrapper)
    seen = {}
    for name, network in dict(generator=model.head, **model.discriminators).items():
        convolution = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
        convolution.register_forward_hook(lambda m, args, out, n=name: seen.setdefault(n, out.dtype))
    before = toy.weights(model)
    data = toy.batch()
    data['inputs'] = data['inputs'].float()
    log = model.train_step(data, optim)
    assert seen == dict(generator=torch.float16, pose=torch.float16, confidence=torch.float32)
    assert all(value.isfinite() for value in log.values())
    assert log['pose.loss_real'].dtype == log['loss'].dtype == torch.float32
    after = toy.weights(model)
    assert all(not torch.equal(after[n], v) for n, v in before.items() if n.endswith(('judge.2.weight', '.3.weight')))
    # as in full precision, to half precision's accuracy
    full = toy.build().float().cuda()
    full.train_step(data, toy.optimizers(full, lr=1e-3))
    steps = [torch.cat([(w - before[n]).flatten() for n, w in toy.weights(m).items()]) for m in (model, full)]
    assert torch.nn.functional.cosine_similarity(*steps, dim=0) > 0.9
    assert optim.state_dict()['pose']['loss_scaler']['scale'] > 0
