"""Experiment on delta and epsilon: its training and test data, and its report."""

import json
import sys
from pathlib import Path

import pytest
from mmpose.registry import DATASETS

from benchmarks import label_thresholds as experiment
from benchmarks.grid.experiment import set_everywhere
from posestructs.utils.usage import UsageError
from tests.helpers import data_root, needs_data


def test_persons_are_on_one_side_each():
    ids = [str(i) for i in range(100)]
    fit, held_out = experiment.split_ids(ids, 20)
    assert len(held_out) == 20 and sorted(fit + held_out, key=int) == ids
    assert fit == sorted(fit, key=int) and held_out != ids[-20:]
    assert (fit, held_out) == experiment.split_ids(ids, 20) != experiment.split_ids(ids, 20, seed=1)
    for wrong in (0, 100):
        with pytest.raises(UsageError, match='--held-out'):
            experiment.split_ids(ids, wrong)


def test_values_are_replaced_wherever_they_stand():
    node = dict(codec=dict(sigma=2, size=(1, 2)), steps=[dict(encoder=(dict(sigma=2),)), 'sigma'], sigma=None)
    set_everywhere(node, dict(sigma=1.5))
    assert node == dict(
        codec=dict(sigma=1.5, size=(1, 2)), steps=[dict(encoder=(dict(sigma=1.5),)), 'sigma'], sigma=1.5
    )


@pytest.fixture
def few_persons(tmp_path):
    """A data folder that differs from the real one in how many persons its lists have."""
    real, folder = data_root() / 'lspet-mini', tmp_path / 'data' / 'lspet-mini'
    folder.mkdir(parents=True)
    for name in ('images', 'joints.mat'):
        (folder / name).symlink_to((real / name).resolve())
    for name in ('train.txt', 'val.txt'):
        (folder / name).write_text('\n'.join((real / name).read_text().split()[:40]))
    return folder.parent


@needs_data
def test_configs_differ_in_persons_size_and_labels_alone(tmp_path, few_persons, monkeypatch):
    monkeypatch.setenv('POSESTRUCTS_DATA', str(few_persons))
    monkeypatch.setattr(sys, 'argv', ['label_thresholds.py', '--size', '32', '--held-out', '16', '--epochs', '2'])
    args = experiment.parse_args()
    base = experiment.base_config(args, tmp_path)
    ids = [set((tmp_path / f'{name}_16.txt').read_text().split()) for name in ('fit', 'held_out')]
    assert len(ids[0]) == 24 and len(ids[1]) == 16 and not ids[0] & ids[1]
    cfg = experiment.with_budget(base, args.epochs, 5e-4)
    for part, persons in (('train', ids[0]), ('val', ids[1]), ('test', ids[1])):
        dataset = DATASETS.build(cfg[f'{part}_dataloader'].dataset)
        names = {f'im{int(i):05d}.jpg' if i.isdigit() else i for i in persons}
        assert {Path(dataset.get_data_info(i)['img_path']).name for i in range(len(dataset))} == names
        assert tuple(dataset[0]['inputs'].shape[1:]) == (32, 32)
    assert cfg.model.head.decoder.sigma == 0.5 and tuple(cfg.model.head.decoder.heatmap_size) == (8, 8)
    rates = {name: cfg.optim_wrapper[name].optimizer.lr for name in ('generator', 'pose', 'confidence')}
    assert rates == pytest.approx(dict(generator=5e-4, pose=1e-4, confidence=1e-4))
    assert [s.end for s in cfg.param_scheduler] == [100, 2] and base.train_cfg.max_epochs == 6
    alone = experiment.without_discriminators(cfg)
    assert alone.model.discriminators is None and cfg.model.discriminators is not None
    assert alone.optim_wrapper.pose is alone.optim_wrapper.confidence is None


def test_shares_are_of_the_whole_run_and_of_its_last_tenth(tmp_path):
    rows = [dict(iter=n, step=n, lr=1.0, **{'pose.share_right': n / 100}) for n in range(1, 21)]
    (tmp_path / 'scalars.json').write_text('\n'.join(json.dumps(row) for row in rows))
    assert experiment.shares(tmp_path) == dict(pose=dict(mean=0.105, last=0.195))


def test_the_table_shows_shares_and_metrics():
    run = dict(name='delta0.2', metrics={'TorsoPCK@0.2': 20.04}, share_of_label_1=dict(pose=dict(mean=0.1, last=0.256)))
    assert experiment.table([run]).splitlines()[-1].split('|')[1:6] == [
        ' delta0.2 ',
        '       26 % ',
        '          - ',
        '         20.0 ',
        '                    - ',
    ]
