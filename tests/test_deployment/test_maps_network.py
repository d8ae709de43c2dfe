"""The shipped network gives the maps that the whole model decodes; its weights are all loaded or refused."""

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from posestructs.deployment import MapsNetwork, build_generator, load_generator
from posestructs.utils.usage import UsageError
from tests.helpers import adversarial_toy as toy
from tests.helpers import repo_root

TESTS = repo_root() / 'tests'
TREE = dict(joints=['a', 'b'], parts=[dict(name='a', parent=None), dict(name='b', parent='a')])


def config(**model) -> Config:
    cfg = Config.fromfile(str(TESTS / 'test_tools' / 'tiny_mpii-64x64.py'))
    cfg.merge_from_dict(dict(model=model))
    return cfg


@torch.no_grad()
def test_the_last_stack_of_a_checkpoint_with_discriminators(tmp_path):
    model = toy.build(train=False).float()
    path = tmp_path / 'x.pth'
    torch.save(dict(meta=dict(dataset_meta=dict(dataset_name='named')), state_dict=model.state_dict()), path)
    cfg = Config(dict(model=toy.config()))
    loaded = load_generator(cfg, str(path))
    assert cfg.model.discriminators is not None and loaded.discriminators is None
    assert loaded.dataset_meta == dict(dataset_name='named') and not loaded.training
    images = toy.batch()['inputs'].float()
    stacks = model.head.forward(model.extract_feat(images))
    assert len(stacks) == 2 and not torch.equal(*stacks)
    torch.testing.assert_close(MapsNetwork(loaded)(images), stacks[-1])


@torch.no_grad()
def test_parts_are_given_as_log_probabilities():
    codec = dict(type='PartScoreMap', input_size=(64, 64), heatmap_size=(16, 16), tree=TREE)
    neck = dict(type='TreeMessagePassing', in_channels=64, part_channels=2, preset='separable', tree=TREE)
    head = dict(_delete_=True, type='PartScoreHead', in_channels=8, background='plain', decoder=codec)
    cfg = config(neck=neck, head=head, backbone=dict(strides=(1, 1, 1, 1)))
    model = build_generator(cfg)
    images = torch.randn(2, 3, 64, 64)
    maps = MapsNetwork(model)(images)
    torch.testing.assert_close(maps, model.head.forward(model.extract_feat(images)).log_softmax(1))
    torch.testing.assert_close(maps.exp().sum(1), torch.ones(2, 16, 16))


def test_nothing_is_fetched_and_the_config_stays():
    missing = dict(type='Pretrained', checkpoint='/gone/resnet.pth')
    cfg = config(backbone=dict(init_cfg=missing), train_cfg=dict(a=1))
    before = cfg.to_dict()
    model = build_generator(cfg)
    assert model.backbone.init_cfg is None and cfg.to_dict() == before


def test_another_models_weights_and_heads_without_maps_are_refused(tmp_path):
    cfg = config()
    state = MODELS.build(cfg.model).state_dict()
    state.pop('head.final_layer.bias')
    state['backbone.conv1.weight'] = torch.zeros(1, 3, 7, 7)
    torch.save(dict(state_dict=state), tmp_path / 'x.pth')
    with pytest.raises(UsageError, match=r'(?s)does not match config.*backbone.conv1.weight.*head.final_layer.bias'):
        load_generator(cfg, str(tmp_path / 'x.pth'))
    decoder = dict(type='RegressionLabel', input_size=(64, 64))
    head = dict(_delete_=True, type='RegressionHead', in_channels=64, num_joints=16, decoder=decoder)
    network = MapsNetwork(build_generator(config(neck=dict(type='GlobalAveragePooling'), head=head)))
    with pytest.raises(TypeError, match='model.head=RegressionHead gives no maps'):
        network(torch.zeros(1, 3, 64, 64))
