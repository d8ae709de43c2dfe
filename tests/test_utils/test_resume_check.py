"""Configs are compared as texts, which are never run."""

from posestructs.utils.resume_check import config_changes, read_config, shortened

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
