"""Misspelt top-level keys are refused; variables of a config's files are not."""

import pytest
from mmengine.config import Config

from posestructs.utils.cli import load_config, merge_options
from posestructs.utils.usage import UsageError

BASE = """
codec = dict(type='MSRAHeatmap', sigma=2)
data_root = 'data/mpii/'
model = dict(head=dict(decoder=codec))
train_dataloader = dict(batch_size=8, dataset=dict(data_root=data_root))
val_dataloader = dict(batch_size=4, num_workers=0)
"""


@pytest.mark.parametrize(
    'line, key, near',
    [
        ('train_dataloder = dict(batch_size=4)', 'train_dataloder', 'train_dataloader'),
        ('modle = dict(head=dict(out_channels=5))', 'modle', 'model'),
        ("works_dir = 'runs/'", 'works_dir', 'work_dir'),
        ('resum = True', 'resum', 'resume'),
        ("param_schedulers = [dict(type='LinearLR')]", 'param_schedulers', 'param_scheduler'),
    ],
)
def test_a_misspelt_key_is_refused(line, key, near, tmp_path):
    (tmp_path / 'c.py').write_text(BASE + line)
    with pytest.raises(UsageError, match=f'nothing reads the key {key}, did you mean {near}.*rename it to _{key}'):
        load_config(str(tmp_path / 'c.py'))


@pytest.mark.parametrize(
    'lines',
    [
        'train_dataset = dict(type="A")',  # near to nothing
        '_train_dataloder = dict(batch_size=4)',
        'train_loader = dict(num_workers=3, pin_memory=True)\ntrain_dataloader = dict(**train_loader, batch_size=4)',
        'evaluator = [dict(type="EPE")]\nval_evaluator = evaluator',
        'custom_hook = [dict(type="A")]\ncustom_hooks = [*custom_hook, dict(type="B")]',
        'work_dirs = "runs/all"\nwork_dir = f"{work_dirs}/first"',
    ],
)
def test_variables_work(lines, tmp_path):
    (tmp_path / 'c.py').write_text(BASE + lines)
    assert load_config(str(tmp_path / 'c.py')).codec.sigma == 2


def test_a_key_that_the_command_line_adds_has_not_been_used():
    """The value stands elsewhere by chance: the validation has the same batch size."""
    config = dict(train_dataloader=dict(batch_size=8), val_dataloader=dict(batch_size=4))
    with pytest.raises(UsageError, match='did you mean train_dataloader'):
        merge_options(Config(config), {'train_dataloder.batch_size': 4})
