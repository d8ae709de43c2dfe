"""Configs are compared as texts, which are never run."""

import torch

from posestructs.utils.resume_check import config_changes, odd_moments, read_config, shortened

OLD = """
custom_imports = dict(imports=['posestructs'])
model = dict(head=dict(sigma=2, sizes=(64, 64)), backbone=dict(init_cfg=None))
train_dataloader = dict(batch_size=4, num_workers=2, dataset=dict(ann_file='a.json', pipeline=[dict(type='A', p=-0.5)]))
train_cfg = dict(max_epochs=2)
work_dir = 'a'
"""


def test_what_matters_is_compared():
    new = (
        OLD.replace('sigma=2', 'sigma=3')
        .replace("'A', p=-0.5", "'A', p=0.5")
        .replace("work_dir = 'a'", "work_dir = 'b'")
    )
    new = (
        new.replace('num_workers=2', 'num_workers=4')
        .replace('(64, 64)', '[64, 64]')
        .replace('max_epochs=2', 'by_epoch=True')
    )
    assert config_changes(OLD, new) == [
        'model.head.sigma: 2 -> 3',
        'train_dataloader.dataset.pipeline.0.p: -0.5 -> 0.5',
        "train_cfg.max_epochs: 2 -> 'not set'",
        "train_cfg.by_epoch: 'not set' -> True",
    ]
    assert config_changes(OLD, OLD) == []


def test_a_config_is_read_without_being_run(tmp_path):
    marker = tmp_path / 'executed'
    text = f"import os\na = os.mkdir('{marker}')\nb = dict(c=[dict(d=1), float('inf')])\nc: int = 3\n"
    assert read_config(text) == {'a': f"os.mkdir('{marker}')", 'b': dict(c=[dict(d=1), "float('inf')"])}
    assert not marker.exists()
    assert config_changes('not = python', OLD) == ['the config in the checkpoint cannot be read']


def test_many_changes_are_counted():
    assert shortened([f'{i}' for i in range(7)]) == '0; 1; 2; 3; 4; and 2 more'


def test_moments_have_the_shape_of_their_weights():
    new = [dict(params=[torch.zeros(2, 3)]), dict(params=[torch.zeros(4)])]
    old = [dict(params=[0]), dict(params=[1])]
    good = {0: dict(step=torch.tensor(3.0), exp_avg=torch.ones(2, 3)), 1: dict(momentum_buffer=None)}
    assert odd_moments(good, old, new) == [] == odd_moments({}, old, new)
    odd = {0: dict(exp_avg=torch.ones(3, 2), exp_avg_sq=7), 1: 'text'}
    assert odd_moments(odd, old, new) == [
        'state[0].exp_avg of shape (3, 2), allowed: (2, 3)',
        'state[0].exp_avg_sq of int, allowed: (2, 3)',
        'state[1] of type str, allowed: a dict',
    ]
