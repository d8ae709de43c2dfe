"""Thresholds that make all labels equal: one warning, with the share of labels, in a run."""

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
            counts = value >= 0  # all values are 0 if no joint counts
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
    warnings = []
    runner.logger.addFilter(lambda record: warnings.append(record.getMessage()) or True)
    runner.logger.setLevel(logging.WARNING)
    runner.train()
    return [text for text in warnings if 'in the last' in text]


def test_equal_labels_are_reported_once(tmp_path, caplog):
    shares = dict(pose=[0.0] * 6, confidence=[0.5, 0.5, 1.0, 1.0, 1.0, 1.0])
    warnings = warnings_of(shares, tmp_path, caplog)
    assert len(warnings) == 2
    assert warnings[0].startswith('pose: in the last 2 iterations 0% of') and 'adversarial.delta' in warnings[0]
    assert 'try a larger value' in warnings[0]
    assert (
        warnings[1].startswith('confidence: in the last 2 iterations 100% of') and 'adversarial.epsilon' in warnings[1]
    )
    assert 'try a smaller value' in warnings[1]


def test_a_few_of_the_other_kind_are_enough(tmp_path, caplog):
    assert not warnings_of(dict(pose=[0.0, 0.01] * 3, confidence=[1.0, 0.99] * 3), tmp_path, caplog)


def test_a_warm_up_is_not_part_of_the_window(tmp_path, caplog):
    shares = dict(pose=[None, 0.0, 0.0, 0.5, 0.0, 0.5], confidence=[None] * 5 + [0.0])
    assert not warnings_of(shares, tmp_path, caplog)
    (warning,) = warnings_of(dict(pose=[None, 0.0, 0.0, 0.0, 0.5, 0.5]), tmp_path / 'other', caplog)
    assert warning.startswith('pose: in the last 2')


def test_no_joint_that_counts(tmp_path, caplog):
    (warning,) = warnings_of(dict(pose=[-1.0] * 6, confidence=[0.5] * 6), tmp_path, caplog)
    assert warning.startswith('pose: in the last 2 iterations no joint counted, so that it is not trained')
    assert "codec's normalize" in warning


def test_discriminators_of_any_name(tmp_path, caplog, monkeypatch):
    """Thresholds by the model's label rules; labels that have none are not checked."""
    monkeypatch.setattr(Toy, 'label_thresholds', dict(limbs='delta', coder=None), raising=False)
    (warning,) = warnings_of(dict(limbs=[0.0] * 6, coder=[0.0] * 6), tmp_path, caplog)
    assert warning.startswith('limbs: in the last 2 iterations 0% of') and 'adversarial.delta' in warning


@pytest.mark.parametrize('window', [0, 2.0, True])
def test_impossible_window(window):
    with pytest.raises(ValueError, match=rf'window={window}, allowed: an integer of at least 1'):
        FakeLabelHook(window)
