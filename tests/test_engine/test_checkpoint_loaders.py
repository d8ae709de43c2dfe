"""mmengine's loaders, scheme by scheme: no address runs code, and good files are loaded."""

import json

import pytest
import torch
from mmengine.model import PretrainedInit
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint

from posestructs.utils.checkpoint_addresses import local_copy
from posestructs.utils.safe_load import UnsafeCheckpointError
from tests.helpers.untrusted import Payload, serve


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A good checkpoint and one with a payload, which creates `executed`."""
    folder = tmp_path_factory.mktemp('served')
    torch.save(dict(state_dict=dict(weight=torch.eye(2), bias=torch.ones(2))), folder / 'good.pth')
    torch.save(dict(state_dict=dict(weight=Payload(folder / 'executed'))), folder / 'payload.pth')
    torch.save({'backbone.weight': Payload(folder / 'executed')}, folder / 'backbone.pth')
    return folder


@pytest.fixture(scope='module')
def address(folder):
    with serve(folder) as address:
        yield address


@pytest.fixture(autouse=True)
def homes(tmp_path, monkeypatch, address, folder):
    """Caches of their own, and lists of models that lead to the server and to a file."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path / 'mmengine'))
    (tmp_path / 'mmengine').mkdir()
    links = dict(served=f'{address}/payload.pth', local=str(folder / 'payload.pth'), good=f'{address}/good.pth')
    (tmp_path / 'mmengine' / 'open_mmlab.json').write_text(json.dumps(links))
    monkeypatch.setattr(mmengine_checkpoint, 'get_torchvision_models', lambda: links)
    monkeypatch.setattr(mmengine_checkpoint, 'get_mmcls_models', lambda: links)


class Backend:
    """A storage client that holds the served folder."""

    def __init__(self, folder):
        self.folder = folder

    def get(self, path):
        return (self.folder / path.rpartition('/')[2]).read_bytes()


SCHEMES = [
    '{folder}/payload.pth',
    'file://{folder}/payload.pth',
    '{address}/payload.pth',
    'torchvision://served',
    'modelzoo://served',
    'open-mmlab://served',
    'openmmlab://local',
    'mmcls://served',
    's3://bucket/payload.pth',
    'petrel://bucket/payload.pth',
]


@pytest.mark.parametrize('scheme', SCHEMES)
def test_no_scheme_runs_a_payload(scheme, folder, address, monkeypatch):
    monkeypatch.setattr(mmengine_checkpoint, 'get_file_backend', lambda *_, **__: Backend(folder))
    name = scheme.format(folder=folder, address=address)
    with pytest.raises(UnsafeCheckpointError, match=r'posix\.mkdir.* was not loaded') as error:
        CheckpointLoader.load_checkpoint(name)
    assert name in str(error.value) and not (folder / 'executed').exists()


def test_every_registered_scheme_is_in_the_list():
    """pavi:// needs a package of its own, package:// has its own tests; both read through the same function."""
    tested = {scheme.partition('://')[0] for scheme in SCHEMES[3:]} | {
        'file',
        'http',
        'https',
        'pavi',
        'package',
        'shipped',
    }
    registered = {prefix.removesuffix('://').removeprefix(r'(\S+\:)?') for prefix in CheckpointLoader._schemes} - {''}
    assert registered == tested


def test_a_fork_that_falls_back_to_unsafe_loading(folder):
    """OneDL's engine loads once more with weights_only=False where the safe way fails; `make test-onedl` has it."""
    torch_of_mmengine = mmengine_checkpoint.torch
    for weights_only in (True, False, None):
        with pytest.raises(UnsafeCheckpointError):
            torch_of_mmengine.load(folder / 'payload.pth', map_location='cpu', weights_only=weights_only)
        if fallback := getattr(mmengine_checkpoint, '_safe_torch_load', None):
            with pytest.raises(UnsafeCheckpointError):
                fallback(folder / 'payload.pth', map_location='cpu', weights_only=weights_only)
    assert not (folder / 'executed').exists()
    assert torch_of_mmengine.nn is torch.nn


def test_weights_of_a_part_of_a_model(folder, address):
    for name in ('payload.pth', 'backbone.pth'):
        with pytest.raises(UnsafeCheckpointError):
            PretrainedInit(f'{address}/{name}', prefix='backbone')(torch.nn.Linear(2, 2))
    assert not (folder / 'executed').exists()


def test_the_config_that_resuming_would_run_is_dropped(tmp_path):
    """mmengine's Runner.resume executes meta.config as a Python file."""
    meta = dict(config=f'import os; os.mkdir({str(tmp_path / "executed")!r})', cfg='a = 1', epoch=1)
    torch.save(dict(meta=meta, state_dict={}), tmp_path / 'a.pth')
    assert CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))['meta'] == dict(cfg='a = 1', epoch=1)


@pytest.mark.parametrize(
    'scheme', ['{folder}/good.pth', 'file://{folder}/good.pth', '{address}/good.pth', 'openmmlab://good']
)
def test_good_files_are_loaded(scheme, folder, address):
    linear = torch.nn.Linear(2, 2)
    mmengine_checkpoint.load_checkpoint(linear, scheme.format(folder=folder, address=address), strict=True)
    assert torch.equal(linear.weight, torch.eye(2)) and torch.equal(linear.bias, torch.ones(2))


def test_the_file_behind_an_address_is_downloaded(folder, address):
    assert local_copy(f'{address}/good.pth').read_bytes() == (folder / 'good.pth').read_bytes()
