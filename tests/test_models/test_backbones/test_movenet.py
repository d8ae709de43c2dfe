"""MoveNet's features; that they are the published network's is tested in test_tools/test_movenet_to_mmpose.py."""

import pytest
import torch
from mmpose.registry import MODELS


@pytest.fixture(scope='module')
def state():
    """Weights of a whole network, by name."""
    torch.manual_seed(0)
    return MODELS.build(dict(type='MoveNetBackbone', out_indices=(0, 1, 2, 3))).state_dict()


def build(**kwargs):
    return MODELS.build(dict(type='MoveNetBackbone', **kwargs))


def test_levels_are_read_from_one_network(state):
    whole, some = build(out_indices=(0, 1, 2, 3)), build(out_indices=(1, 2))
    whole.load_state_dict(state)
    some.load_state_dict(dict(state))  # the heatmaps' hidden layer is in the file, not in this network
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        levels = whole(image)
        for found, expected in zip(some(image), levels[1:3], strict=True):
            assert torch.equal(found, expected)
    assert [tuple(level.shape[1:]) for level in levels] == [(32, 4, 6), (24, 8, 12), (24, 16, 24), (96, 16, 24)]
    assert whole.out_channels == (32, 24, 24, 96)


def test_frozen_stages_learn_nothing():
    network = build(frozen_stages=2)
    network(torch.randn(1, 3, 32, 32))[0].sum().backward()
    learn = {
        name.split('.')[0] + '.' + name.split('.')[1] for name, p in network.named_parameters() if p.grad is not None
    }
    assert not learn & {'stem.0', 'stages.0', 'stages.1'}
    assert {f'stages.{i}' for i in range(2, 7)} <= learn


def test_images_of_other_sizes():
    with pytest.raises(ValueError, match=r'100 x 64 pixels \(width x height\), allowed: multiples of 32'):
        build()(torch.zeros(1, 3, 64, 100))


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(arch='thunderbolt'), "arch='thunderbolt', allowed: 'lightning', 'thunder'"),
        (dict(out_indices=(4,)), 'out_indices'),
        (dict(frozen_stages=8), 'frozen_stages'),
    ],
)
def test_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)


def test_a_checkpoint_that_lacks_weights(state):
    cut = {name: value for name, value in state.items() if not name.startswith('stages.3.')}
    with pytest.raises(ValueError, match=r'24 of 121 weights are missing or have another shape, first stages.3.0'):
        build().load_state_dict(cut, strict=False)


def test_a_checkpoint_of_the_other_width(state):
    with pytest.raises(ValueError, match=r"does not fit MoveNetBackbone\(arch='thunder'\)"):
        build(arch='thunder').load_state_dict(state, strict=False)


@pytest.mark.parametrize('content', [dict(state_dict={}), {}])
def test_a_checkpoint_without_weights(content, tmp_path):
    torch.save(content, tmp_path / 'empty.pth')
    network = build(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'empty.pth')))
    with pytest.raises(ValueError, match=r'(\d+) of \1 weights are missing'):
        network.init_weights()


def test_a_whole_model_with_another_backbone_is_no_concern_of_this_one(state):
    model = torch.nn.ModuleDict(dict(backbone=build(), head=torch.nn.Linear(2, 3)))
    model.load_state_dict({'head.bias': torch.arange(3.0)}, strict=False)
    assert model['head'].bias.tolist() == [0, 1, 2]
