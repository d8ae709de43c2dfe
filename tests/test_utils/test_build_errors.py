"""Errors of a config's values, met while a real runner is built."""

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from posestructs.utils.build_errors import short_build_errors
from posestructs.utils.usage import UsageError
from tests.helpers.tools import forget_runs


def build(folder, **model):
    forget_runs()
    with short_build_errors(folder):
        folder.mkdir(exist_ok=True)
        cfg = dict(model=dict(type='ResNet', depth=18) | model, work_dir=str(folder), default_scope='mmpose')
        Runner.from_cfg(Config(cfg))


@pytest.mark.parametrize(
    'slip, message',
    [
        (dict(dept=18), r"ResNet cannot be built: TypeError: .*unexpected keyword argument 'dept'"),
        (dict(type='ResNett'), r'ResNett cannot be built: KeyError: ResNett is not in the mmpose::model registry'),
        (dict(depth=17), r'ResNet cannot be built: .*17'),
    ],
)
def test_a_slip_is_one_line_and_leaves_nothing(slip, message, tmp_path):
    with pytest.raises(UsageError, match=f'^config: {message}') as error:
        build(tmp_path / 'new', **slip)
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
