"""Real runs that resume with something changed: extended exactly, warned of, or refused."""

import logging

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from posestructs.engine.hooks import CheckpointCheckHook, SafeCheckpointHook
from posestructs.utils.usage import UsageError

STEPS = dict(type='MultiStepLR', milestones=[2, 3], gamma=0.5)
SAMPLER = dict(type='DefaultSampler', shuffle=False)
ADAM = dict(type='Adam', lr=0.1)


class Line(BaseModel):
    def __init__(self, wide=False, more=0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3 if wide else 2))
        self.others = torch.nn.ParameterList([torch.nn.Parameter(torch.ones(1)) for _ in range(more)])

    def forward(self, x, y, mode='loss'):
        if mode == 'predict':
            return []
        return dict(loss=((torch.stack(x) @ self.weight[:2] - torch.stack(y)) ** 2).mean() + sum(self.others, 0))


class Points(Dataset):
    def __init__(self, count=8):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        x = torch.tensor([i / 8, 1.0])
        return dict(x=x, y=x.sum())


class Rates(Hook):
    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append(runner.optim_wrapper.get_lr()['lr'][0])


def run(folder, epochs, *, model=None, batch_size=2, data=None, schedule=STEPS, optimizer=ADAM, **kwargs):
    """Train, and give the learning rates of all steps and what was warned of."""
    MessageHub._instance_dict.clear()
    rates, config = Rates(), dict(train_dataloader=dict(dataset=dict(points=len(data or Points()))))
    runner = Runner(
        model=model or Line(),
        work_dir=str(folder),
        train_dataloader=dict(dataset=data or Points(), batch_size=batch_size, sampler=SAMPLER),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(optimizer)),
        param_scheduler=schedule and [dict(schedule)],
        custom_hooks=[SafeCheckpointHook(), CheckpointCheckHook(), rates],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        experiment_name=f'{folder}-{epochs}-{len(MMLogger._instance_dict)}',
        cfg=config | dict(train_cfg=dict(max_epochs=epochs)),
        **kwargs,
    )
    records = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: records.append(record.getMessage())
    runner.logger.addHandler(handler)
    runner.train()
    return rates.seen, '\n'.join(records)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp('first')
    run(folder, 2)
    return str(folder / 'epoch_2.pth')


def test_a_longer_run_follows_the_schedule_of_a_straight_one(checkpoint, tmp_path):
    """mmengine keeps the end of the shorter run, and so leaves the second milestone out."""
    straight, _ = run(tmp_path / 'straight', 4)
    resumed, warned = run(tmp_path / 'resumed', 4, load_from=checkpoint, resume=True)
    assert straight == pytest.approx([0.1] * 8 + [0.05] * 4 + [0.025] * 4)
    assert resumed == pytest.approx(straight[8:])
    assert 'train_cfg.max_epochs: 2 -> 4' in warned
    content = [torch.load(tmp_path / name / 'epoch_4.pth', weights_only=True) for name in ('straight', 'resumed')]
    assert torch.equal(*(each['state_dict']['weight'] for each in content))


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(batch_size=4), 'an epoch of the checkpoint has 4 iterations, one of this run 2.*use --load-from'),
        (dict(data=Points(6)), 'an epoch of the checkpoint has 4 iterations, one of this run 3'),
        (dict(schedule=dict(STEPS, gamma=0.1)), r'MultiStepLR gamma: 0.5 -> 0.1.*\(checkpoint -> config\)'),
        (dict(schedule=dict(STEPS, milestones=[1, 3])), 'MultiStepLR milestones'),
        (dict(schedule=dict(type='CosineAnnealingLR', T_max=9)), 'CosineAnnealingLR T_max: not set -> 9'),
        (dict(schedule=None), 'param_scheduler has 1 entries in the checkpoint, 0 now'),
        (dict(optimizer=dict(type='SGD', lr=0.1)), 'the optimizer in the checkpoint is of another class'),
        (dict(model=Line(wide=True)), r'match the model.*of another shape \(1\): weight \(2,\) in the file, \(3,\) in'),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message, checkpoint, tmp_path):
    with pytest.raises(UsageError, match=f'(?s){message}'):
        run(tmp_path, 4, load_from=checkpoint, resume=True, **changes)


@pytest.mark.parametrize(
    'part, message',
    [
        ('optimizer', r'the optimizer in the checkpoint has state\[0\].exp_avg of shape \(3,\), allowed: \(2,\)'),
        ('state_dict', 'holds weights that are all 0'),
    ],
)
def test_damaged_values_are_refused(part, message, checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    if part == 'optimizer':
        content['optimizer']['state'][0]['exp_avg'] = torch.zeros(3)
    else:
        content['state_dict']['weight'].zero_()
    torch.save(content, tmp_path / 'damaged.pth')
    with pytest.raises(UsageError, match=message):
        run(tmp_path / 'run', 4, load_from=str(tmp_path / 'damaged.pth'), resume=True)


def test_a_cosine_of_another_length_is_refused(tmp_path):
    cosine = dict(type='CosineAnnealingLR', begin=0)
    run(tmp_path / 'first', 2, schedule=dict(cosine, T_max=2))
    with pytest.raises(UsageError, match='CosineAnnealingLR'):
        run(
            tmp_path / 'longer', 4, schedule=dict(cosine, T_max=4), load_from=str(tmp_path / 'first' / 'epoch_1.pth'),
            resume=True,
        )  # fmt: skip


def test_a_setting_that_the_checkpoint_overrides_is_told(checkpoint, tmp_path):
    rates, warned = run(tmp_path, 3, optimizer=dict(ADAM, lr=0.7), load_from=checkpoint, resume=True)
    assert 'the checkpoint overrides the config: optimizer lr: 0.1 -> 0.7' in warned
    assert rates[0] == pytest.approx(0.05)


def test_other_data_of_the_same_length_are_told(checkpoint, tmp_path):
    _, warned = run(tmp_path, 2, data=Points(7), load_from=checkpoint, resume=True)
    assert 'train_dataloader.dataset.points: 8 -> 7' in warned
    assert 'nothing is left to train: the checkpoint has 2 epochs' in warned


def test_training_starts_from_another_models_weights_only_where_half_of_them_fit(checkpoint, tmp_path):
    _, warned = run(tmp_path / 'a', 1, model=Line(more=1), load_from=checkpoint)
    assert 'has 50% of the weights of this model; the others keep their initial values (1 of others)' in warned
    assert 'missing in the file (1): others.0' in warned
    with pytest.raises(UsageError, match=r'missing in the file \(2\): others.0, others.1'):
        run(tmp_path / 'b', 1, model=Line(more=2), load_from=checkpoint)


def test_a_test_refuses_another_model(checkpoint, tmp_path):
    runner = Runner(
        model=Line(more=1),
        work_dir=str(tmp_path),
        test_dataloader=dict(dataset=Points(), batch_size=2, sampler=SAMPLER),
        test_cfg=dict(),
        test_evaluator=[],
        custom_hooks=[CheckpointCheckHook()],
        load_from=checkpoint,
        experiment_name='test-of-another-model',
    )
    with pytest.raises(UsageError, match=r'epoch_2.pth does not match the model .*missing in the file \(1\): others.0'):
        runner.test()


def test_a_schedule_that_has_ended_is_told(tmp_path):
    """Without a change of the schedule nothing is refused; the rate is that of the last step."""
    cosine = dict(type='CosineAnnealingLR', T_max=2, begin=0, end=3, eta_min=0)
    run(tmp_path / 'first', 3, schedule=cosine)
    rates, warned = run(
        tmp_path / 'resumed', 5, schedule=cosine, load_from=str(tmp_path / 'first' / 'epoch_3.pth'), resume=True
    )
    assert rates == pytest.approx([0] * 8, abs=1e-9)
    assert 'the schedule of the learning rate has ended: it stays at ' in warned
    assert 'for the remaining 2 epochs (train_cfg.max_epochs=5)' in warned


def test_a_schedule_that_goes_on_is_not_told(checkpoint, tmp_path):
    _, warned = run(tmp_path / 'resumed', 3, load_from=checkpoint, resume=True)
    assert 'has ended' not in warned and 'nothing is left' not in warned
