"""Sources of pretrained weights are checked before anything is built."""

import sys
import types

import pytest
import torch
from mmengine.config import Config

from posestructs.engine.pretrained_sources import check_pretrained_sources, pretrained_sources
from tests.helpers import repo_root


def model(address, **more):
    return dict(model=dict(backbone=dict(type='FCNVGG', init_cfg=dict(type='Pretrained', checkpoint=address)), **more))


@pytest.fixture
def no_torchvision(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torchvision', None)


def test_sources_at_any_depth():
    several = [dict(type='Kaiming', layer='Conv2d'), dict(type='Pretrained', checkpoint='a.pth', prefix='backbone.')]
    cfg = Config(
        dict(
            model=dict(
                backbone=dict(init_cfg=several),
                neck=dict(necks=[dict(init_cfg=dict(type='Pretrained', checkpoint='b.pth')), dict(init_cfg=None)]),
                discriminators=dict(pose=dict(init_cfg=dict(type='PretrainedInit', checkpoint='c.pth'))),
            ),
            load_from='d.pth',
        )
    )
    assert list(pretrained_sources(cfg)) == [
        ('model.backbone.init_cfg.1.checkpoint', 'a.pth'),
        ('model.neck.necks.0.init_cfg.checkpoint', 'b.pth'),
        ('model.discriminators.pose.init_cfg.checkpoint', 'c.pth'),
    ]


def test_torchvision_that_is_not_installed(no_torchvision):
    """For each config of ours that names it: what to install, the file to download, and how to go without."""
    for name, file in (
        ('structured_feature/sfl-release_fcnvgg_lsp-336x336', 'vgg16-397923af.pth'),
        ('hybrid/apn-tree_res50_mpii-256x256', 'resnet50-0676ba61.pth'),
    ):
        with pytest.raises(ValueError) as caught:
            check_pretrained_sources(Config.fromfile(repo_root() / 'configs' / f'{name}.py'))
        text = str(caught.value)
        assert text.startswith("model.backbone.init_cfg.checkpoint='torchvision://") and 'not installed' in text
        assert 'pip install torchvision' in text and '--cfg-options model.backbone.init_cfg=None' in text
        assert f'/{file} and set model.backbone.init_cfg.checkpoint to the file' in text
    with pytest.raises(ValueError, match='or set model.backbone.init_cfg.checkpoint to a file, or start without'):
        check_pretrained_sources(model('torchvision://newer_than_this_list'))


def test_torchvision_that_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torchvision', types.ModuleType('torchvision'))
    check_pretrained_sources(model('torchvision://vgg16'))


def test_torchvision_of_another_torch(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, 'torchvision', raising=False)
    (tmp_path / 'torchvision.py').write_text('raise RuntimeError("operator torchvision::nms does not exist")')
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=r'cannot be imported \(operator torchvision::nms does not exist\)'):
        check_pretrained_sources(model('torchvision://vgg16'))


def test_files_and_packages(tmp_path):
    torch.save({}, tmp_path / 'here.pth')
    for address in (str(tmp_path / 'here.pth'), 'https://host.invalid/a.pth', 'open-mmlab://resnet50'):
        check_pretrained_sources(model(address))
    other = dict(init_cfg=[dict(type='Pretrained', checkpoint='package://no_such_package/a.pth')])
    with pytest.raises(ValueError) as caught:
        check_pretrained_sources(model('missing.pth', neck=other))
    assert str(caught.value).splitlines() == [
        "model.backbone.init_cfg.checkpoint='missing.pth': no such file; or start without pretrained weights with "
        'model.backbone.init_cfg=None',
        'model.neck.init_cfg.0.checkpoint: checkpoint package://no_such_package/a.pth: no package no_such_package is '
        'installed: pip install no_such_package; or start without pretrained weights with model.neck.init_cfg=None',
    ]
