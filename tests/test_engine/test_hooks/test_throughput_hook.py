"""Images per second, against a clock of its own."""

import time

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from posestructs.engine.hooks import ThroughputHook
from posestructs.engine.hooks.throughput_hook import batch_length


class Slow(Dataset):
    def __len__(self):
        return 22

    def __getitem__(self, i):
        time.sleep(0.004)
        return dict(inputs=torch.ones(1))


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, mode='loss'):
        if mode == 'loss':
            return dict(loss=(torch.stack(inputs) * self.weight).sum())
        time.sleep(0.3)
        return [0]


class Clock(Hook):
    """Notes the images so far and the time after each iteration, and the time when an epoch begins."""

    def __init__(self):
        self.ends, self.images, self.start = [], [], None

    def before_train_epoch(self, runner):
        self.start = time.perf_counter()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.ends.append(time.perf_counter())
        self.images.append(len(data_batch['inputs']))


def train(tmp_path, clock, hook, **loop):
    MessageHub._instance_dict.clear()
    run = Runner(
        model=Model(),
        work_dir=str(tmp_path),
        train_dataloader=dict(dataset=Slow(), batch_size=4, sampler=dict(type='DefaultSampler', shuffle=False)),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        custom_hooks=[hook, clock],
        default_hooks=dict(checkpoint=None, logger=None),
        experiment_name=tmp_path.name,
        **loop,
    )
    run.train()
    return run.message_hub.get_scalar('train/images_per_second').data[0]


def test_windowed_rate_of_one_epoch(tmp_path):
    clock = Clock()
    values = train(tmp_path, clock, ThroughputHook(window=3), train_cfg=dict(by_epoch=True, max_epochs=1))
    assert clock.images == [4, 4, 4, 4, 4, 2]
    begin = [clock.start, *clock.ends]
    expected = [sum(clock.images[max(0, i - 2) : i + 1]) / (begin[i + 1] - begin[max(0, i - 2)]) for i in range(6)]
    assert values == pytest.approx(expected, rel=0.05)
    assert 100 < values[2] < 250  # 4 ms an image and a little more


def test_validation_between_iterations_does_not_count(tmp_path):
    loop = dict(
        train_cfg=dict(by_epoch=False, max_iters=4, val_interval=2),
        val_cfg=dict(),
        val_dataloader=dict(dataset=Slow(), batch_size=11, sampler=dict(type='DefaultSampler', shuffle=False)),
        val_evaluator=Evaluator([]),
    )
    clock = Clock()
    values = train(tmp_path, clock, ThroughputHook(window=1), **loop)
    assert clock.ends[2] - clock.ends[1] > 0.6  # two batches of validation lie between
    assert values[2] > 4 / 0.3


def test_batch_length():
    assert batch_length(dict(inputs=torch.zeros(3, 2))) == batch_length(dict(inputs=[1, 2, 3])) == 3
    assert batch_length([1, 2]) == 2
    assert batch_length(None) == batch_length(dict()) == 0


def test_window_is_checked():
    with pytest.raises(ValueError, match='window=0'):
        ThroughputHook(window=0)
