"""The metrics inside mmengine's training loop: config strings, the log, and the best checkpoint."""

import json

import numpy as np
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner


class Offset(BaseModel):
    """Predicts the ground truth, off by a parameter that training lowers: later epochs are better."""

    def __init__(self):
        super().__init__()
        self.offset = torch.nn.Parameter(torch.tensor(40.0))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'loss':
            return dict(loss=self.offset * len(inputs) / len(inputs))
        for s in data_samples:
            s.pred_instances.keypoints = s.gt_instances.keypoints + self.offset.item()
        return data_samples


class Persons(torch.utils.data.Dataset):
    def __init__(self, samples, metainfo):
        self.samples, self.metainfo = samples, metainfo

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        return dict(inputs=torch.zeros(1), data_samples=self.samples[i])


def test_training_logs_every_metric_and_keeps_the_best(tmp_path, lsp_meta, samples_of):
    gt = np.random.default_rng(0).random((8, 14, 2)) * 300
    persons = Persons(samples_of(gt, gt, keypoints_occluded=np.tile([0.0, 1.0], (8, 7))), lsp_meta)
    loader = dict(dataset=persons, batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False))
    runner = Runner(
        model=Offset(),
        work_dir=str(tmp_path),
        train_dataloader=loader,
        val_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=2),
        val_cfg=dict(),
        val_evaluator=[
            dict(type='TorsoPCK'),
            dict(type='StrictPCP'),
            dict(type='PDJ', out_dir=str(tmp_path / 'curves')),
            dict(type='OcclusionSplitPCK', base=dict(type='TorsoPCK')),
        ],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=8.0)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', save_best='TorsoPCK@0.2', rule='greater')),
        default_scope='mmpose',
        experiment_name='metrics',
    )
    runner.train()
    log = [json.loads(line) for line in next(tmp_path.rglob('scalars.json')).read_text().splitlines()]
    first, second = (row for row in log if 'TorsoPCK@0.2' in row)
    # the offset is 24 px (2 steps of 8) after the first epoch, 8 px after the second
    lengths = np.linalg.norm(gt[:, 9] - gt[:, 2], axis=-1)
    for row, offset in ((first, 24), (second, 8)):
        expected = 100 * (np.hypot(offset, offset) <= 0.2 * lengths).mean()
        assert row['TorsoPCK@0.2'] == expected == row['occluded/TorsoPCK@0.2'] == row['visible/TorsoPCK@0.2/knee']
        assert row['TorsoPCK@0.2/joints'] == 112 and row['StrictPCP@0.5/sticks'] == 80
    assert first['TorsoPCK@0.2'] < second['TorsoPCK@0.2']
    assert (tmp_path / 'curves' / 'pdj.png').is_file()
    assert [p.name for p in tmp_path.glob('best_*')] == ['best_TorsoPCK@0.2_epoch_2.pth']
