"""Resumed training against uninterrupted training, sample by sample, and the random states that surround it."""

import random

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import posestructs  # noqa: F401
from posestructs.datasets import StickFigureDataset

SIZE = (32, 32)
PIPELINE = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomBBoxTransform'),
    dict(type='TopdownAffine', input_size=SIZE),
    dict(type='RandomOccluder', prob=0.7),
    dict(type='PackPoseInputs'),
]
FIGURES = dict(type='StickFigureDataset', num_samples=6, image_size=64, pipeline=PIPELINE)


class Recorder(BaseModel):
    """Keeps the index and pixel sums of every sample it is trained on, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.seen = torch.nn.Parameter(torch.zeros(1)), []

    def forward(self, inputs, data_samples, mode):
        self.seen += [(s.metainfo['id'], int(x.sum())) for s, x in zip(data_samples, inputs, strict=True)]
        return dict(loss=self.weight.sum())


def train(folder, workers=0, epochs=4, dataset=FIGURES, **kwargs):
    runner = Runner(
        model=Recorder(),
        work_dir=str(folder),
        default_scope='mmpose',
        train_dataloader=dict(
            batch_size=2,
            num_workers=workers,
            persistent_workers=workers > 0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            dataset=dataset,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        custom_hooks=[dict(type='SampleSeedHook'), dict(type='SafeCheckpointHook')],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        experiment_name=f'{folder.name}{workers}{random.random()}',
        **kwargs,
    )
    runner.train()
    return runner.model.seen


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp('straight')
    return folder, train(folder, randomness=dict(seed=3, diff_rank_seed=True))


@pytest.mark.parametrize('workers', [0, 2])
def test_a_resumed_run_sees_the_samples_of_an_uninterrupted_one(tmp_path, straight, workers):
    folder, seen = straight
    # no seed is named: that of the checkpoint counts, not this run's own
    resumed = train(tmp_path, workers, load_from=str(folder / 'epoch_2.pth'), resume=True)
    assert len(seen) == 24 and resumed == seen[12:]


def test_epochs_and_seeds_augment_differently(tmp_path, straight):
    _, seen = straight
    epochs = [dict(seen[i : i + 6]) for i in range(0, 24, 6)]
    assert all(len(epoch) == 6 for epoch in epochs)
    for person in epochs[0]:
        assert len({epoch[person] for epoch in epochs}) > 1
    assert train(tmp_path, epochs=1, randomness=dict(seed=4)) != seen[:6]


def test_a_checkpoint_to_start_from_sets_no_seed(tmp_path, straight):
    folder, seen = straight
    fresh = train(tmp_path, epochs=1, randomness=dict(seed=4), load_from=str(folder / 'epoch_2.pth'))
    assert fresh != seen[:6] and fresh != seen[12:18]


def test_members_of_a_union_and_data_sets_of_others(tmp_path, caplog):
    union = dict(type='ConcatDataset', datasets=[FIGURES, dict(FIGURES, start_index=6)])
    first = train(tmp_path / 'a', epochs=2, dataset=union, randomness=dict(seed=3))
    resume = dict(load_from=str(tmp_path / 'a' / 'epoch_1.pth'), resume=True)
    assert train(tmp_path / 'b', 2, epochs=2, dataset=union, **resume) == first[12:]
    repeated = dict(type='RepeatDataset', times=2, dataset=FIGURES)
    caplog.clear()
    train(tmp_path / 'c', epochs=2, dataset=repeated, **resume)
    log = next((tmp_path / 'c').glob('*/*.log')).read_text()
    assert 'random augmentation of RepeatDataset goes on from new random states' in log


def test_the_states_around_a_sample_are_kept():
    init_default_scope('mmpose')
    dataset = StickFigureDataset(**{k: v for k, v in FIGURES.items() if k != 'type'})
    dataset.sample_seeds.set(5, 1)
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    expected = random.random(), np.random.rand(), float(torch.rand(1))
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    first = dataset[2]['inputs']
    assert (random.random(), np.random.rand(), float(torch.rand(1))) == expected
    assert torch.equal(dataset[2]['inputs'], first)
