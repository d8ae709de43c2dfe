"""A loss that is no number stops a real run, by name, and costs no checkpoint."""

import math

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from posestructs.engine.hooks import AtomicCheckpointHook, FiniteLossHook


class Toy(BaseModel):
    """Logs the given losses; ``spoil`` is the iteration whose step makes a weight infinite."""

    def __init__(self, terms, spoil=None):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.terms, self.spoil, self.done = terms, spoil, 0

    def forward(self, *args, **kwargs):
        raise NotImplementedError

    def train_step(self, data, optim_wrapper):
        self.done += 1
        if self.done == self.spoil:
            self.layer.weight.data.fill_(math.inf)
        return {name: torch.tensor(values[self.done - 1]) for name, values in self.terms.items()}


def run(work_dir, terms, keep=-1, **cfg):
    hooks = dict(checkpoint=AtomicCheckpointHook(interval=1, by_epoch=False, max_keep_ckpts=keep))
    model = Toy(terms, **cfg)
    Runner(
        model,
        str(work_dir),
        train_dataloader=DataLoader([0.0] * 5),
        train_cfg=dict(by_epoch=False, max_iters=4),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=hooks,
        custom_hooks=[FiniteLossHook()],
        experiment_name=work_dir.name,
        log_level='WARNING',
    ).train()
    return model


NAN, INF = math.nan, math.inf
FINE = [1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    'terms, reported',
    [
        (dict(loss=[1.0, 1.0, NAN], loss_kpt=[1.0, 1.0, NAN]), r'iteration 3: loss_kpt is nan\. The'),
        (dict(loss=[1.0, 1.0, -INF]), r'iteration 3: loss is -inf\.'),
        (
            {'loss': FINE, 'loss_kpt': FINE, 'pose.loss_real': FINE, 'pose.loss_fake': [1.0, 1.0, INF]},
            r'iteration 3: loss_fake of network pose is inf\.',
        ),
        (
            {'loss': [1.0, 1.0, NAN], 'loss_kpt': [1.0, 1.0, NAN], 'confidence.loss_real': [1.0, 1.0, NAN]},
            r'iteration 3: loss_kpt of network generator is nan; loss_real of network confidence is nan\.',
        ),
    ],
)
def test_loss_is_named_and_the_last_good_checkpoint_stays(terms, reported, tmp_path):
    last = tmp_path / 'iter_2.pth'
    with pytest.raises(FloatingPointError, match=rf'{reported}.*last good checkpoint is {last}$|^{reported}'):
        run(tmp_path, terms)
    assert sorted(f.name for f in tmp_path.glob('*.pth')) == ['iter_1.pth', 'iter_2.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(last)


def test_before_the_first_checkpoint(tmp_path):
    with pytest.raises(FloatingPointError, match=r'iteration 1: loss is nan\. There is no checkpoint yet'):
        run(tmp_path, dict(loss=[NAN]))


def test_other_numbers_may_be_anything(tmp_path):
    run(tmp_path, dict(loss=FINE, acc_pose=[NAN] * 4, score=[INF] * 4))
    assert (tmp_path / 'iter_4.pth').is_file()


@pytest.mark.parametrize('keep, left', [(-1, ['iter_1.pth', 'iter_2.pth']), (1, ['iter_2.pth'])])
def test_weights_that_no_loss_tells_of_yet_are_not_saved(keep, left, tmp_path):
    """A step after a finite loss can make them infinite; the loss says so one iteration later."""
    with pytest.raises(
        FloatingPointError, match=r'iteration 3: layer.weight holds NaN .* good checkpoint is .*iter_2.pth'
    ):
        run(tmp_path, dict(loss=FINE), keep, spoil=3)
    assert sorted(f.name for f in tmp_path.glob('*.pth')) == left
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_2.pth')
