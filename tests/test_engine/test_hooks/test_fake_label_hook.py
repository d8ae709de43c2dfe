"""delta or epsilon that make every label equal: told once, with the share, in a real run."""

import logging

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from posestructs.engine.hooks import FakeLabelHook


class Toy(BaseModel):
    def __init__(self, shares):
        super().__init__()
        self.layer, self.shares, self.done = nn.Linear(1, 1), shares, 0

    def forward(self, *args, **kwargs):
        raise NotImplementedError

    def train_step(self, data, optim_wrapper):
        self.done += 1
        log = {}
        for name, values in self.shares.items():
            value = values[self.done - 1]
            if value is None:  # the discriminator is not run
                continue
            counts = value >= 0  # whether any joint counts: all is 0 where none does
            log[f'{name}.share_right'] = torch.tensor(max(value, 0.0))
            log[f'{name}.loss_real'] = torch.tensor(5.0 * counts)
            log[f'{name}.acc_real'] = torch.tensor(0.0)
        return log


def warnings_of(shares, tmp_path, caplog, window=2):
    runner = Runner(
        Toy(shares),
        str(tmp_path),
        train_dataloader=DataLoader([0.0] * 6),
        train_cfg=dict(by_epoch=False, max_iters=6),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(logger=None, checkpoint=None),
        custom_hooks=[FakeLabelHook(window)],
        experiment_name=tmp_path.name,
        log_level='WARNING',
    )
    told = []
    runner.logger.addFilter(lambda record: told.append(record.getMessage()) or True)
    runner.logger.setLevel(logging.WARNING)
    runner.train()
    return [text for text in told if 'in the last' in text]


def test_all_alike_is_told_once(tmp_path, caplog):
    shares = dict(pose=[0.0] * 6, confidence=[0.5, 0.5, 1.0, 1.0, 1.0, 1.0])
    told = warnings_of(shares, tmp_path, caplog)
    assert len(told) == 2
    assert told[0].startswith('pose: in the last 2 iterations 0% of') and 'adversarial.delta' in told[0]
    assert 'larger values do' in told[0]
    assert told[1].startswith('confidence: in the last 2 iterations 100% of') and 'adversarial.epsilon' in told[1]
    assert 'smaller values do' in told[1]


def test_a_few_of_the_other_kind_are_enough(tmp_path, caplog):
    assert not warnings_of(dict(pose=[0.0, 0.01] * 3, confidence=[1.0, 0.99] * 3), tmp_path, caplog)


def test_a_warm_up_is_no_part_of_the_window(tmp_path, caplog):
    shares = dict(pose=[None, 0.0, 0.0, 0.5, 0.0, 0.5], confidence=[None] * 5 + [0.0])
    assert not warnings_of(shares, tmp_path, caplog)
    (told,) = warnings_of(dict(pose=[None, 0.0, 0.0, 0.0, 0.5, 0.5]), tmp_path / 'other', caplog)
    assert told.startswith('pose: in the last 2')


def test_no_joint_that_counts(tmp_path, caplog):
    (told,) = warnings_of(dict(pose=[-1.0] * 6, confidence=[0.5] * 6), tmp_path, caplog)
    assert told.startswith('pose: in the last 2 iterations no joint counted, so it learns nothing')
    assert 'normalize of the codec' in told


@pytest.mark.parametrize('window', [0, 2.0, True])
def test_impossible_window(window):
    with pytest.raises(ValueError, match=rf'window={window}, allowed: an integer of at least 1'):
        FakeLabelHook(window)
