"""The estimator: its parts, its equality with a plain one at zero weight, its checkpoints, and errors in configs."""

import copy

import pytest
import torch
from mmengine.model import ExponentialMovingAverage, is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner.checkpoint import load_state_dict
from mmpose.models import TopdownPoseEstimator
from mmpose.registry import MODELS

from posestructs.models.discriminators import ConfidenceDiscriminator, PoseDiscriminator


def generator_part(state):
    return {name: value for name, value in state.items() if not name.startswith('discriminators.')}


def plain_config(toy):
    config = toy.config(type='TopdownPoseEstimator')
    for key in ('discriminators', 'adversarial'):
        del config[key]
    return config


@pytest.mark.parametrize('algorithm', ['joint', 'alternating'])
@pytest.mark.parametrize('kind', [torch.optim.SGD, torch.optim.RMSprop])
def test_zero_weights_are_supervised_training(algorithm, kind, toy):
    """Bit by bit equal to mmpose's own estimator with the same weights, although discriminators are trained too."""
    model = toy.build(adversarial=dict(alpha=0, beta=0.0, algorithm=algorithm))
    plain = MODELS.build(plain_config(toy)).double().train()
    assert type(plain) is TopdownPoseEstimator
    plain.load_state_dict(generator_part(model.state_dict()), strict=True)
    before = toy.weights(model)
    optim, own = toy.optimizers(model, kind, lr=1e-2), OptimWrapper(kind(plain.parameters(), lr=1e-2))
    for number in range(3):
        log, own_log = (m.train_step(toy.batch(number), o) for m, o in ((model, optim), (plain, own)))
        assert log['loss'].item() == own_log['loss'].item() and log['acc_pose'].item() == own_log['acc_pose'].item()
    after = toy.weights(model)
    assert all(torch.equal(value, after[name]) for name, value in plain.state_dict().items())
    assert all(not torch.equal(after[n], v) for n, v in before.items() if n.endswith('judge.2.weight'))


def test_without_discriminators_it_is_supervised_training(toy):
    model, plain = toy.build(discriminators=None), MODELS.build(plain_config(toy)).double().train()
    plain.load_state_dict(model.state_dict(), strict=True)
    # like mmpose's estimator it accepts a single optimizer wrapper
    alone = copy.deepcopy(model)
    one, two, three = (
        toy.optimizers(model),
        *(OptimWrapper(torch.optim.SGD(m.parameters(), 0.05)) for m in (alone, plain)),
    )
    logs = [m.train_step(toy.batch(), o) for m, o in ((model, one), (alone, two), (plain, three))]
    assert logs[0].keys() == logs[1].keys() == logs[2].keys()
    for other in (model, alone):
        assert toy.largest_difference(toy.weights(other), toy.weights(plain)) == 0


def test_same_seed_same_generator(toy):
    """Models of an ablation start alike, with and without discriminators, and see images in the same order."""
    states, draws = [], []
    for discriminators in (None, toy.MODEL['discriminators'], dict(pose=toy.MODEL['discriminators']['pose'])):
        torch.manual_seed(3)
        model = MODELS.build(toy.config(discriminators=discriminators))
        model.attach_discriminators()
        model.init_weights()
        draws.append(torch.rand(()).item())
        states.append(generator_part(model.state_dict()))
    for state in states[1:]:
        assert toy.largest_difference(states[0], state) == 0
    assert draws[0] == draws[1] == draws[2]


def test_networks(toy):
    model = MODELS.build(toy.config()).double()
    assert model.discriminators is None and not any('discriminators' in name for name in model.state_dict())
    generator_parameters = list(model.parameters())
    before = model.networks()
    assert list(before) == ['generator', 'pose', 'confidence'] and model.discriminators is None  # a pure query
    model.attach_discriminators()
    networks = model.networks()
    assert networks['pose'] is before['pose'] and list(networks) == list(before)
    assert isinstance(networks['pose'], PoseDiscriminator) and networks['pose'] is model.discriminators['pose']
    assert isinstance(networks['confidence'], ConfidenceDiscriminator)
    assert [id(p) for p in networks['generator'].parameters()] == [id(p) for p in generator_parameters]
    names = [name for name, _ in networks['generator'].named_parameters()]
    assert {name.split('.')[0] for name in names} == {'backbone', 'head'}
    of_discriminators = [p for n in ('pose', 'confidence') for p in networks[n].parameters()]
    assert {p.dtype for p in of_discriminators} == {torch.float64}  # that of the generator
    assert len(list(model.parameters())) == len(generator_parameters) + len(of_discriminators)
    model.attach_discriminators()  # no effect
    assert model.networks()['pose'] is networks['pose']


@pytest.mark.parametrize(
    'discriminators, names',
    [
        (None, []),
        (dict(), []),
        (dict(pose=None, confidence=None), []),
        (dict(pose=dict(), confidence=None), ['pose']),
        (dict(confidence=dict(type='ConfidenceDiscriminator')), ['confidence']),
        (dict(confidence=dict(), pose=dict()), ['pose', 'confidence']),  # the same order on all ranks
    ],
)
def test_variants_by_config_alone(discriminators, names, toy):
    small = toy.MODEL['discriminators']['pose']
    if discriminators is not None:
        discriminators = {n: None if c is None else small | c for n, c in discriminators.items()}
    model = toy.build(discriminators=discriminators)
    assert list(model.networks()) == ['generator', *names]
    log = model.train_step(toy.batch(), toy.optimizers(model))
    assert {name for name in log if '.' in name} == {
        f'{n}.{term}'
        for n in names
        for term in ('loss_real', 'loss_fake', 'score_real', 'score_fake', 'acc_real', 'acc_fake', 'share_right')
    }
    assert {name for name in log if name.startswith('loss_adv')} == {f'loss_adv_{n}' for n in names}


@pytest.mark.parametrize('with_occlusion_maps', [True, False])
def test_single_task(with_occlusion_maps, toy):
    """Pose maps only, from a codec that may encode both kinds."""
    codec = toy.CODEC | dict(with_occlusion=False)
    model = toy.build(backbone=dict(num_branches=1), head=dict(multi_task=False, decoder=codec))
    assert model.discriminators['pose'].map_channels == model.discriminators['confidence'].map_channels == 4
    data = toy.batch()
    if not with_occlusion_maps:
        for sample in data['data_samples']:
            sample.gt_fields.heatmaps = sample.gt_fields.heatmaps[:4]
    before = toy.weights(model)
    model.train_step(data, toy.optimizers(model))
    after = toy.weights(model)
    assert not any(torch.equal(value, after[name]) for name, value in before.items() if name.endswith('.3.weight'))


def test_discriminators_are_built_for_the_head(toy):
    fc = dict(channels=8, depth=1, norm_cfg=toy.GROUPS, pooling='fc')
    model = toy.build(discriminators=dict(pose=fc, confidence=fc | dict(map_size=[8, 8], spectral_norm=True)))
    for net in model.discriminators.values():
        assert (net.num_joints, net.map_channels, net.map_size) == (4, 8, (8, 8))
    log = model.train_step(toy.batch(), toy.optimizers(model))
    assert all(value.isfinite() for value in log.values())


def test_the_scale_of_maps_follows_the_codec(toy):
    scaled = dict(channels=8, depth=1, norm_cfg=toy.GROUPS, map_scale='unit_rms')
    model = toy.build(discriminators=dict(pose=scaled, confidence=scaled | dict(map_sigma=3.0)))
    assert [model.discriminators[name].map_sigma for name in ('pose', 'confidence')] == [1.0, 3.0]


# ---------------------------------------------------------------------------------------------------- checkpoints


def test_names_in_checkpoints(toy):
    """Published checkpoints have these names, and classifiers are called 'judge' in them."""
    names = {name for name in toy.build(**toy.THREE).state_dict() if name.startswith('discriminators.')}
    assert {name.rpartition('.')[0] for name in names if name.startswith('discriminators.limbs.')} == {
        'discriminators.limbs.layers.0',
        'discriminators.limbs.layers.2',
    }
    for discriminator in ('pose', 'confidence'):
        prefix = f'discriminators.{discriminator}.'
        parts = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
        assert {'stem.0.weight', 'stem.1.body.2.weight', 'judge.0.weight', 'judge.2.weight', 'judge.2.bias'} <= parts
        assert {part.split('.')[0] for part in parts} == {'stem', 'stacks', 'judge'}


def test_checkpoint_of_the_generator(toy):
    trained = toy.build(seed=1)
    stripped = generator_part(trained.state_dict())
    for config in (toy.config(discriminators=None), toy.config(), plain_config(toy)):
        model = MODELS.build(config).double()
        model.load_state_dict(stripped, strict=True)
        assert toy.largest_difference(dict(model.state_dict()), stripped) == 0


@pytest.mark.parametrize(
    'load', [lambda m, s: m.load_state_dict(s, strict=True), lambda m, s: load_state_dict(m, s, True)]
)
def test_whole_checkpoint_loads_strictly_with_and_without_discriminators(load, toy):
    whole = toy.build(seed=1).state_dict()
    names = list(whole)
    without = MODELS.build(toy.config(discriminators=None)).double()
    load(without, whole)
    detached = MODELS.build(toy.config()).double()
    load(detached, whole)
    assert list(whole) == names  # the caller's dict is unchanged
    for model in (without, detached):
        assert toy.largest_difference(dict(model.state_dict()), generator_part(whole)) == 0
    # detached discriminators have loaded their weights too
    detached.attach_discriminators()
    assert toy.largest_difference(dict(detached.state_dict()), dict(whole)) == 0
    attached = toy.build(seed=2)
    load(attached, whole)
    assert toy.largest_difference(dict(attached.state_dict()), dict(whole)) == 0
    with pytest.raises(RuntimeError, match='Missing key.*discriminators.pose'):
        attached.load_state_dict(generator_part(whole), strict=True)


def test_other_discriminators_in_a_checkpoint_are_ignored_for_inference(toy):
    wider = dict(channels=16, depth=1, norm_cfg=toy.GROUPS)
    whole = toy.build(seed=1, discriminators=dict(pose=wider)).state_dict()
    model = MODELS.build(toy.config()).double()
    model.load_state_dict(whole, strict=True)
    assert toy.largest_difference(dict(model.state_dict()), generator_part(whole)) == 0


def test_copies_and_averages(toy):
    model = MODELS.build(toy.config()).double()
    copied = copy.deepcopy(model)
    for each in (model, copied):
        each.attach_discriminators()
    assert copied.networks()['pose'] is not model.networks()['pose']
    assert toy.largest_difference(copied.state_dict(), model.state_dict()) == 0
    average = ExponentialMovingAverage(model, momentum=0.5)
    before = toy.weights(model)
    average.update_parameters(model)
    model.train_step(toy.batch(), toy.optimizers(model))
    average.update_parameters(model)
    after, mean = toy.weights(model), average.module.state_dict()
    assert any('discriminators' in name for name in mean)
    for name, value in mean.items():
        torch.testing.assert_close(value, (before[name] + after[name]) / 2)
    assert not is_model_wrapper(model)


# ---------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    'changes, message',
    [
        (
            dict(discriminators=dict(poes=dict())),
            r"discriminators.poes: missing type, which only 'pose', 'confidence' have by default",
        ),
        (
            dict(discriminators=dict(limbs=dict(type='PoseDiscriminator'))),
            r"discriminators.limbs.label_rule=None, allowed: 'p_fake', 'c_fake', 'all_fake'",
        ),
        (
            dict(discriminators=dict(limbs=dict(type='PoseDiscriminator', label_rule='p_fake', depth=1))),
            r"adversarial.weights: missing 'limbs', needed: a number",
        ),
        (dict(discriminators=dict(generator=dict())), "discriminators: name 'generator', allowed: an identifier other"),
        (dict(discriminators={'a.b': dict()}), "discriminators: name 'a.b', allowed: an identifier"),
        (dict(discriminators=dict(items=dict())), "discriminators: name 'items', allowed: an identifier"),
        (
            dict(discriminators=dict(pose=dict(input_maps='occlusion'))),
            r"discriminators.pose.input_maps='occlusion', allowed: 'all', 'pose'",
        ),
        (
            dict(adversarial=dict(weights=dict(limbs=1))),
            r"adversarial.weights.limbs: no such discriminator, the model has 'pose', 'confidence'",
        ),
        (dict(adversarial=dict(weights=dict(pose=1))), "weights.pose: the weight of 'pose' is adversarial.beta"),
        (dict(adversarial=dict(weights=3)), r'adversarial.weights=3, allowed: a dict'),
        (
            dict(discriminators=dict(pose=dict(num_joints=5))),
            'discriminators.pose.num_joints=5, but the maps of head have 4',
        ),
        (
            dict(discriminators=dict(confidence=dict(with_occlusion=False))),
            'discriminators.confidence.with_occlusion=False, but the maps of head have True',
        ),
        (
            dict(discriminators=dict(pose=dict(pooling='fc', map_size=(16, 8)))),
            r'discriminators.pose.map_size=\(16, 8\), but the maps of head have \(8, 8\)',
        ),
        (dict(discriminators=['pose']), r"discriminators=\['pose'\], allowed: a dict or None"),
        (dict(discriminators=dict(pose=True)), 'discriminators.pose=True, allowed: a dict or None'),
        (
            dict(discriminators=dict(pose=dict(channels=8, depth=1, norm_cfg=None, loss=dict(type='KeypointMSELoss')))),
            'discriminators.pose: loss=.*KeypointMSELoss.*, allowed: a loss of discriminators',
        ),
        (
            dict(discriminators=dict(pose=dict(channels=8, depth=1, norm_cfg=None, loss=dict(type='BEGANLoss')))),
            "discriminators.pose: loss='BEGANLoss', allowed with PoseDiscriminator: a loss of log-odds",
        ),
        (dict(discriminators=dict(pose=dict(channels=48))), 'discriminators.pose: norm_cfg: num_groups=32 does not'),
        (
            dict(discriminators=dict(pose=dict(channels=8, depth=4, norm_cfg=None))),
            r'discriminators.pose: its depth needs maps whose sides are multiples of 16, those of head are 8 x 8',
        ),
        (dict(adversarial=dict(alpha=-0.1)), 'adversarial.alpha=-0.1, allowed: a finite number of at least 0'),
        (dict(adversarial=dict(beta=float('inf'))), 'adversarial.beta=inf'),
        (dict(adversarial=dict(alpha=True)), 'adversarial.alpha=True'),
        (dict(adversarial=dict(delta=0)), 'adversarial.delta=0'),
        (
            dict(adversarial=dict(algorithm='both')),
            r"adversarial.algorithm='both', allowed: 'joint', 'alternating', 'li",
        ),
        (
            dict(adversarial=dict(gamma=1, normalize='box')),
            "adversarial: unknown keys 'gamma', 'normalize', allowed: 'alpha', 'beta', 'we",
        ),
    ],
)
def test_impossible_configs(changes, message, toy):
    with pytest.raises(ValueError, match=message):
        MODELS.build(toy.config(**changes))


def test_unknown_argument_of_a_discriminator(toy):
    with pytest.raises(TypeError, match="discriminators.confidence: .*unexpected keyword argument 'channel'"):
        MODELS.build(toy.config(discriminators=dict(confidence=dict(channel=8))))


def test_batch_of_another_number_of_joints(toy):
    """The joints of the codec are those of the data, known with the first batch."""
    model, data = toy.build(), toy.batch()
    for sample in data['data_samples']:
        sample.gt_fields.heatmaps = sample.gt_fields.heatmaps[:6]
    with pytest.raises(
        ValueError, match=r'out_channels=4, multi_task=True give maps of the shape \(8, 8, 8\), the codec'
    ):
        model.train_step(data, toy.optimizers(model))


def test_one_optimizer_for_several_networks(toy):
    model = toy.build()
    with pytest.raises(TypeError, match="constructor='NetworkOptimWrapperConstructor'.* generator, pose, confidence"):
        model.train_step(toy.batch(), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))


@pytest.mark.parametrize('algorithm', ['alternating', 'literal'])
def test_only_joint_accumulates(algorithm, toy):
    model = toy.build(adversarial=dict(algorithm=algorithm))
    with pytest.raises(ValueError, match=f"optim_wrapper.generator.accumulative_counts=2: .*'{algorithm}'"):
        model.check_optim(toy.optimizers(model, counts=2))
    model.check_optim(toy.optimizers(model))


def test_defaults_of_p_and_c_and_those_of_the_paper(toy):
    def settings(**changes):
        found = toy.build(**changes).discriminators
        return {name: (net.map_scale, net.pooling) for name, net in found.items()}

    own = dict(pose=('unit_rms', 'joint'), confidence=(1.0, 'joint'))
    assert settings() == own and toy.build().discriminators['pose'].map_sigma == 1
    assert settings(preset='paper') == dict.fromkeys(own, (1.0, 'global'))
    small = toy.MODEL['discriminators']['pose']
    for changes, expected in (
        (dict(preset='paper'), (1.0, 'global')),
        (dict(map_scale=3.0, pooling='global'), (3.0, 'global')),
    ):
        assert settings(discriminators=dict(toy.MODEL['discriminators'], pose=small | changes)) == own | dict(
            pose=expected
        )
    mixed = dict(toy.MODEL['discriminators'], pose=small | dict(preset=None))
    assert settings(preset='paper', discriminators=mixed) == own | dict(confidence=(1.0, 'global'))
    with pytest.raises(ValueError, match="preset='release', allowed: None, 'paper'"):
        toy.build(preset='release')
