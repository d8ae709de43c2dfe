"""Errors of a config's values, met while a real runner is built."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner

from posestructs.utils.build_errors import short_build_errors
from posestructs.utils.usage import UsageError
from tests.helpers.tools import forget_runs


def build(folder, **model):
    forget_runs()
    with short_build_errors(folder):
        folder.mkdir(exist_ok=True, parents=True)
        cfg = dict(model=dict(type='ResNet', depth=18) | model, work_dir=str(folder), default_scope='mmpose')
        Runner.from_cfg(Config(cfg))


@pytest.mark.parametrize(
    'slip, message',
    [
        (dict(dept=18), r"ResNet cannot be built: TypeError: .*unexpected keyword argument 'dept'"),
        (dict(type='ResNett'), r'ResNett cannot be built: KeyError: ResNett is not in the mmpose::model registry'),
        (dict(norm_cfg='x'), r'ResNet cannot be built: '),
        (dict(depth=17), r'ResNet cannot be built: .*17'),
    ],
)
def test_a_slip_is_one_line_and_leaves_nothing(slip, message, tmp_path):
    with pytest.raises(UsageError, match=f'^config: {message}') as error:
        build(tmp_path / 'runs' / 'new', **slip)
    assert '\n' not in str(error.value) and 'Please check' not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_work_dir_that_was_there_stays(tmp_path):
    (tmp_path / 'epoch_1.pth').touch()
    with pytest.raises(UsageError, match='ResNet cannot be built'):
        build(tmp_path, dept=18)
    assert (tmp_path / 'epoch_1.pth').exists()


def test_the_traceback_on_demand(tmp_path, monkeypatch):
    monkeypatch.setenv('POSESTRUCTS_TRACEBACK', '1')
    with pytest.raises(TypeError, match='dept'):
        build(tmp_path / 'new', dept=18)
    assert (tmp_path / 'new').exists()


def test_errors_outside_of_building_pass(tmp_path):
    with pytest.raises(ValueError, match='^of a step$'), short_build_errors(tmp_path):
        raise ValueError('of a step')


class Refuses(Hook):
    """Refuses at one moment of a run."""

    def __init__(self, moment):
        setattr(self, moment, self._refuse)

    def _refuse(self, *args, **kwargs):
        raise UsageError('refused')


class Square(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, inputs, mode='loss'):
        return dict(loss=(self.weight**2).sum())


@pytest.mark.parametrize(
    'moment, left', [('before_run', False), ('before_train', False), ('before_train_iter', True), ('after_train', True)]
)
def test_a_work_dir_is_left_only_by_a_run_that_began(moment, left, tmp_path):
    forget_runs()
    folder = tmp_path / 'new'
    with pytest.raises(UsageError, match='^refused$'), short_build_errors(folder):
        runner = Runner(
            model=Square(),
            work_dir=str(folder),
            train_dataloader=dict(dataset=[dict(inputs=0)], sampler=dict(type='DefaultSampler', shuffle=False)),
            train_cfg=dict(by_epoch=True, max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            custom_hooks=[Refuses(moment)],
        )
        runner.train()
    assert folder.exists() == left
