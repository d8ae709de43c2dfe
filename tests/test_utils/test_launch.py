"""Ranks without a GPU; that they train together is shown by tests/test_tools/test_dist.py."""

import pytest
import torch
from mmengine.config import Config

from posestructs.utils.launch import has_accelerator, set_up_ranks
from posestructs.utils.usage import UsageError


def test_accelerator():
    if torch.cuda.is_available():
        assert has_accelerator()
    else:
        assert not has_accelerator()


def test_one_process_needs_nothing():
    cfg = Config(dict(launcher='none'))
    set_up_ranks(cfg)
    assert cfg.to_dict() == dict(launcher='none')


@pytest.mark.parametrize(
    'launcher, missing',
    [
        ('pytorch', 'RANK and WORLD_SIZE'),
        ('slurm', 'SLURM_PROCID and SLURM_NTASKS'),
        ('mpi', 'OMPI_COMM_WORLD_RANK and OMPI_COMM_WORLD_SIZE'),
    ],
)
def test_a_launcher_that_did_not_launch(launcher, missing, monkeypatch):
    for name in missing.split(' and '):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=f'--launcher {launcher}: {missing} not set'):
        set_up_ranks(Config(dict(launcher=launcher)))


def test_unknown_launcher():
    with pytest.raises(UsageError, match="^launcher='x', allowed: 'none', 'pytorch', 'slurm', 'mpi'$"):
        set_up_ranks(Config(dict(launcher='x')))


def test_more_ranks_than_gpus(monkeypatch):
    monkeypatch.setattr('posestructs.utils.launch.has_accelerator', lambda: True)
    monkeypatch.setattr('mmengine.device.is_cuda_available', lambda: True)
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)
    for name, value in dict(RANK='2', WORLD_SIZE='3', LOCAL_RANK='2').items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match='rank 2 of this node has no GPU: it has 2 '):
        set_up_ranks(Config(dict(launcher='pytorch')))


@pytest.mark.skipif(torch.cuda.is_available(), reason='about ranks without a GPU')
@pytest.mark.parametrize(
    'own, expected',
    [
        (None, dict(type='MMDistributedDataParallel', broadcast_buffers=False, find_unused_parameters=True)),
        (dict(type='MMDistributedDataParallel', static_graph=True), None),
        (dict(type='MMSeparateDistributedDataParallel'), None),
    ],
    ids=['none', 'one DDP', 'several DDP'],
)
def test_model_wrapper_names_no_device(own, expected, monkeypatch):
    for name, value in dict(RANK='0', WORLD_SIZE='1', LOCAL_RANK='0').items():
        monkeypatch.setenv(name, value)
    calls = []
    monkeypatch.setattr('torch.distributed.init_process_group', lambda *args, **kwargs: calls.append((args, kwargs)))
    cfg = Config(dict(launcher='pytorch', find_unused_parameters=True, model_wrapper_cfg=own))
    set_up_ranks(cfg)
    assert calls == [(('gloo',), dict(rank=0, world_size=1))]
    assert cfg.model_wrapper_cfg == (expected or own) | dict(device_ids=None)


RANK = dict(RANK='0', WORLD_SIZE='1', LOCAL_RANK='0')
ADVERSARIAL = dict(type='AdversarialPoseEstimator')


@pytest.mark.parametrize('accelerator', [True, False])
@pytest.mark.parametrize(
    'given, expected',
    [
        (dict(model=ADVERSARIAL), dict(type='NetworkDistributedDataParallel', find_unused_parameters=False)),
        (
            dict(model=ADVERSARIAL, find_unused_parameters=True),
            dict(type='NetworkDistributedDataParallel', find_unused_parameters=True),
        ),
        (dict(model=ADVERSARIAL, model_wrapper_cfg=dict(type='Own')), dict(type='Own')),
        (dict(model=dict(type='TopdownPoseEstimator')), None),
        (dict(model=dict(type='NoSuchModel')), None),  # building it will say so
    ],
    ids=['by the model', 'unused parameters', 'by the config', 'of another model', 'of no model'],
)
def test_model_names_its_wrapper(accelerator, given, expected, monkeypatch):
    for name, value in RANK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr('posestructs.utils.launch.has_accelerator', lambda: accelerator)
    monkeypatch.setattr('mmengine.device.is_cuda_available', lambda: accelerator)
    monkeypatch.setattr('torch.cuda.device_count', lambda: 1)
    monkeypatch.setattr('torch.distributed.init_process_group', lambda *args, **kwargs: None)
    cfg = Config(dict(launcher='pytorch', **given))
    set_up_ranks(cfg)
    if expected is None and not accelerator:
        assert cfg.model_wrapper_cfg.type == 'MMDistributedDataParallel'
    else:
        assert cfg.get('model_wrapper_cfg') == expected
