"""Backbones refuse pretrained weights of another network, which mmengine would only log."""

import pytest
import torch
from mmpose.registry import MODELS

SMALL = {
    'EfficientNetLite0': dict(out_indices=(0,)),
    'FCNVGG': dict(base_channels=4, fc6_channels=8),
    'MoveNetBackbone': dict(out_indices=(0,)),
}
MESSAGES = {
    'EfficientNetLite0': r'none of the \d+ weights of EfficientNetLite0, first stem.conv.weight, .*; its own 1 begin '
    r'with backbone.stem.conv.weight .*prefix=',
    'FCNVGG': r'none of the \d+ weights of FCNVGG, first features.0.weight, features.0.bias, .*its own 1 begin with',
    'MoveNetBackbone': r'(\d+) of \1 weights are missing or have another shape, first stem',
}


@pytest.mark.parametrize('kind', SMALL)
def test_a_checkpoint_without_weights_of_the_backbone(kind, tmp_path):
    path = tmp_path / 'model.pth'
    config = dict(type=kind, **SMALL[kind], init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    backbone = MODELS.build(config)
    state = backbone.state_dict()
    name = next(iter(state))
    torch.save({f'backbone.{name}': state[name]}, path)
    with pytest.raises(ValueError, match=MESSAGES[kind]):
        backbone.init_weights()


def test_weights_of_a_whole_model_need_their_prefix(tmp_path):
    path = tmp_path / 'model.pth'
    backbone = MODELS.build(dict(type='EfficientNetLite0', out_indices=(0,)))
    torch.save(dict(state_dict={f'backbone.{name}': value for name, value in backbone.state_dict().items()}), path)
    source = dict(type='Pretrained', checkpoint=str(path), prefix='backbone.')
    loaded = MODELS.build(dict(type='EfficientNetLite0', out_indices=(0,), init_cfg=source))
    loaded.init_weights()
    assert all(torch.equal(value, backbone.state_dict()[name]) for name, value in loaded.state_dict().items())
    # one weight that fits is enough: classifiers of other sizes are common
    loaded.load_state_dict({name: backbone.state_dict()[name] for name in ['stem.conv.weight']}, strict=False)
