"""Checkpoints in installed packages and behind file addresses."""

import pytest
import torch
from mmengine.runner import CheckpointLoader, load_checkpoint

from posestructs.utils import checkpoint_addresses
from posestructs.utils.checkpoint_addresses import file_in_package, local_copy


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / 'carried_weights'
    (folder / 'models').mkdir(parents=True)
    (folder / '__init__.py').write_text('raise RuntimeError("no code of it is run")')
    torch.save(dict(weight=torch.eye(2), bias=torch.ones(2)), folder / 'models' / 'linear.pth')
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_mmengine_loads_it(package):
    linear = torch.nn.Linear(2, 2)
    load_checkpoint(linear, 'package://carried_weights/models/linear.pth', strict=True)
    assert torch.equal(linear.weight, torch.eye(2)) and torch.equal(linear.bias, torch.ones(2))


@pytest.mark.parametrize(
    ('address', 'error', 'message'),
    [
        ('package://no_such_package/a.pth', FileNotFoundError, 'pip install no_such_package'),
        ('package://carried_weights/b.pth', FileNotFoundError, r'carried_weights is installed, but has no file b\.pth'),
        ('package://carried_weights', ValueError, 'NAME/path/in/it'),
        ('package:///etc/a.pth', ValueError, 'NAME/path/in/it'),
    ],
)
def test_what_is_not_there_is_named(package, address, error, message):
    with pytest.raises(error, match=message):
        file_in_package(address)
    with pytest.raises(error, match=message):
        CheckpointLoader.load_checkpoint(address)


def test_file_addresses_are_paths(tmp_path):
    assert local_copy(f'file://{tmp_path}/a%20b.pth') == tmp_path / 'a b.pth'
    assert local_copy('s3://bucket/a.pth') is None
    with pytest.raises(ValueError, match='three slashes'):
        local_copy('file://data/a.pth')


def test_a_shipped_model_is_found_by_its_name(tmp_path, monkeypatch):
    folder = tmp_path / 'demo' / 'checkpoints'
    folder.mkdir(parents=True)
    torch.save(dict(weight=torch.eye(2), bias=torch.ones(2)), folder / 'net_of-64x64-0123abcd.pth')
    torch.save(dict(), folder / 'net_of-128x128-4567abcd.pth')
    monkeypatch.setattr(checkpoint_addresses, 'config_root', lambda: tmp_path / 'configs')
    assert local_copy('shipped://net_of-64x64') == folder / 'net_of-64x64-0123abcd.pth'
    linear = torch.nn.Linear(2, 2)
    load_checkpoint(linear, 'shipped://net_of-64x64', strict=True)
    assert torch.equal(linear.weight, torch.eye(2))
    with pytest.raises(
        FileNotFoundError, match=r'shipped://net: no such model, shipped are: net_of-128x128, net_of-64'
    ):
        CheckpointLoader.load_checkpoint('shipped://net')
    (folder / 'net_of-64x64-89abcdef.pth').touch()
    with pytest.raises(ValueError, match='2 files of this name'):
        local_copy('shipped://net_of-64x64')
