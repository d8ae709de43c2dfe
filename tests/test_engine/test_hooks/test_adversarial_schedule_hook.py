"""The schedule in runs of a tiny adversarial model in float64: values set, their effect on weights, resuming."""

import pytest
import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from posestructs.engine.hooks import AdversarialScheduleHook, SafeCheckpointHook
from posestructs.engine.hooks.adversarial_schedule_hook import ramp_factor
from tests.helpers import adversarial_toy as toy

BATCHES = 3  # per epoch
NAMES = ('pose', 'confidence')


class Notes(Hook):
    """Record weights of the terms, frozen networks and all parameters in each iteration."""

    priority = 'LOWEST'

    def __init__(self):
        self.set, self.outputs, self.weights = [], [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        model = runner.model
        self.set.append((model.alpha, model.beta, frozenset(model.frozen)))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.outputs.append(set(outputs))
        self.weights.append(toy.weights(runner.model))


def train(folder, hooks, epochs=3, resume=False, iterations=None, optimizers=None, **changes):
    MessageHub._instance_dict.clear()
    model = toy.build(**changes)
    loop = dict(by_epoch=True, max_epochs=epochs) if iterations is None else dict(by_epoch=False, max_iters=iterations)
    # a single epoch for iterations, as mmengine sleeps between two
    batches = [toy.batch(2 * (number % BATCHES), 2) for number in range(iterations or BATCHES)]
    notes = Notes()
    runner = Runner(
        model=model,
        work_dir=str(folder),
        train_dataloader=DataLoader(batches, batch_size=1, collate_fn=lambda batches: batches[0]),
        train_cfg=loop,
        optim_wrapper=toy.optimizers(model, kind=torch.optim.Adam, lr=1e-3, **(optimizers or {})),
        custom_hooks=[notes, SafeCheckpointHook(), *hooks],
        default_hooks=dict(checkpoint=CheckpointHook(interval=1), logger=None),
        resume=resume,
        default_scope='mmpose',
        experiment_name=f'{folder.name}-{resume}',
    )
    runner.train()
    return runner, notes


def changed(before, after, network):
    """Check for a changed weight or buffer of a network."""
    prefixes = ('backbone.', 'head.') if network == 'generator' else (f'discriminators.{network}.',)
    return any(name.startswith(prefixes) and not torch.equal(before[name], after[name]) for name in before)


def test_factors_by_hand():
    assert [ramp_factor(n, 0, 0) for n in range(3)] == [1, 1, 1]
    assert [ramp_factor(n, 2, 0) for n in range(4)] == [0, 0, 1, 1]
    assert [ramp_factor(n, 1, 3) for n in range(6)] == pytest.approx([0, 1 / 4, 2 / 4, 3 / 4, 1, 1])


def test_warm_up_equals_supervised_training_and_then_all_networks_train(tmp_path):
    runner, notes = train(tmp_path / 'a', [AdversarialScheduleHook(warmup=1, ramp=1)])
    _, alone = train(tmp_path / 'b', [AdversarialScheduleHook(warmup=1)], discriminators=None)
    both = frozenset(NAMES)
    assert notes.set == [(0, 0, both)] * 3 + [(0.25, 0.35, frozenset())] * 3 + [(0.5, 0.7, frozenset())] * 3
    # the model without discriminators is not changed
    assert alone.set == [(0.5, 0.7, frozenset())] * 9
    for mine, theirs in zip(notes.weights[:BATCHES], alone.weights, strict=False):
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert changed(notes.weights[3], alone.weights[3] | notes.weights[0], 'generator')
    for name in NAMES:
        assert not any(key.startswith(f'{name}.') for outputs in notes.outputs[:3] for key in outputs)
        assert not changed(notes.weights[0], notes.weights[2], name)
        assert changed(notes.weights[2], notes.weights[3], name)
    hub = runner.message_hub
    assert hub.get_scalar('train/alpha').data[0].tolist() == [alpha for alpha, _, _ in notes.set]
    assert hub.get_scalar('train/beta').data[0].tolist() == [beta for _, beta, _ in notes.set]
    assert (runner.model.alpha, runner.model.beta, runner.model.frozen) == (0.5, 0.7, set())


@pytest.mark.parametrize('network', ['generator', 'pose'])
def test_a_frozen_network_keeps_every_weight_and_buffer(tmp_path, network):
    hook = AdversarialScheduleHook(by_epoch=False, freeze={network: (2, 5)})
    norm = dict(norm_cfg=dict(type='BN'))
    runner, notes = train(tmp_path, [hook], iterations=7, backbone=norm, head=norm)
    moved = {
        name: [changed(a, b, name) for a, b in zip(notes.weights, notes.weights[1:], strict=False)]
        for name in ('generator', *NAMES)
    }
    assert moved.pop(network) == [True, False, False, False, True, True]
    assert all(all(steps) for steps in moved.values())
    # it is still scored
    assert all('pose.acc_real' in outputs for outputs in notes.outputs)


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    hook = dict(warmup=1, ramp=2, freeze=dict(confidence=(2, None)))
    straight, notes = train(tmp_path / 'straight', [AdversarialScheduleHook(**hook)], epochs=4)
    train(tmp_path / 'resumed', [AdversarialScheduleHook(**hook)], epochs=2)
    resumed, rest = train(tmp_path / 'resumed', [AdversarialScheduleHook(**hook)], epochs=4, resume=True)
    assert rest.set == notes.set[6:]
    assert [alpha for alpha, _, _ in rest.set] == pytest.approx([1 / 3] * 3 + [1 / 2] * 3)
    assert rest.set[0][2] == {'confidence'}
    straight, resumed = (toy.weights(runner.model) for runner in (straight, resumed))
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_a_third_discriminator_is_scheduled_too(tmp_path):
    hook = AdversarialScheduleHook(by_epoch=False, warmup=1, ramp=1, freeze=dict(limbs=(3, None)))
    runner, notes = train(tmp_path, [hook], iterations=5, **toy.THREE)
    logged = {key: runner.message_hub.get_scalar(f'train/{key}').data[0].tolist() for key in ('alpha', 'limbs.weight')}
    assert logged == dict(alpha=[0, 0.25, 0.5, 0.5, 0.5], **{'limbs.weight': [0, 0.3, 0.6, 0.6, 0.6]})
    moved = [changed(a, b, 'limbs') for a, b in zip(notes.weights, notes.weights[1:], strict=False)]
    assert moved == [True, True, False, False]
    assert runner.model.adversarial_weights == dict(confidence=0.5, pose=0.7, limbs=0.6)
    assert all(('limbs.acc_fake' in outputs) == (number > 0) for number, outputs in enumerate(notes.outputs))


def test_freezing_starts_with_an_accumulated_batch(tmp_path):
    hook = AdversarialScheduleHook(by_epoch=False, freeze=dict(pose=(1, 3)))
    _, notes = train(tmp_path, [hook], iterations=6, optimizers=dict(counts=2))
    assert ['pose' in frozen for _, _, frozen in notes.set] == [False, False, True, True, False, False]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(warmup=-1), 'AdversarialScheduleHook.warmup=-1, allowed: an integer of at least 0'),
        (dict(ramp=0.5), 'ramp=0.5'),
        (dict(freeze=3), r'freeze=3, allowed: a dict of \(begin, end\) by network'),
        (dict(freeze=dict(pose=3)), r"freeze\['pose'\]=3, allowed: \(begin, end\)"),
        (dict(freeze=dict(pose=(5, 5))), 'end above begin'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdversarialScheduleHook(**arguments)


def test_mismatch_with_the_run_is_an_error_before_training(tmp_path):
    with pytest.raises(ValueError, match='freeze names confidence, but the model has generator, pose'):
        one = dict(pose=toy.MODEL['discriminators']['pose'], confidence=None)
        train(tmp_path, [AdversarialScheduleHook(freeze=dict(confidence=(0, 1)))], discriminators=one)
    with pytest.raises(ValueError, match='by_epoch=True, but train_cfg.by_epoch=False counts iterations'):
        train(tmp_path, [AdversarialScheduleHook(warmup=1)], iterations=1)
    # without a count it fits any loop
    _, notes = train(tmp_path, [AdversarialScheduleHook()], iterations=1)
    assert notes.set == [(0.5, 0.7, frozenset())]


def test_a_model_without_networks_is_refused(tmp_path):
    class Other:
        model = torch.nn.Linear(1, 1)

    with pytest.raises(TypeError, match='controls AdversarialPoseEstimator, and model.type is Linear: leave the hook'):
        AdversarialScheduleHook().before_train(Other())
