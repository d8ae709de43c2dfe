"""FCNVGG against a VGG-16 built here from torch's layers as in torchvision, whose checkpoint it loads."""

import copy

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.runner import load_checkpoint
from mmpose.registry import MODELS
from torch import nn

from posestructs.models.backbones import FCNVGG

CONFIGURATION = [64, 64, 'M', 128, 128, 'M', 256, 256, 256, 'M', 512, 512, 512, 'M', 512, 512, 512, 'M']
POOLS = [4, 9, 16, 23, 30]


class TorchvisionVGG16(nn.Module):
    """Module names, order and shapes of torchvision's ``vgg16``; ``share`` of its widths, ``hidden`` units of 4096."""

    def __init__(self, share=1.0, hidden=4096, norm=False, configuration=CONFIGURATION):
        super().__init__()
        layers, channels = [], 3
        for item in configuration:
            if item == 'M':
                layers.append(nn.MaxPool2d(2, 2))
                continue
            width = int(item * share)
            layers += [nn.Conv2d(channels, width, 3, padding=1), *([nn.BatchNorm2d(width)] if norm else []), nn.ReLU()]
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            *(nn.Linear(channels * 49, hidden), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, 10)),
        )

    def without_pools(self, *numbers):
        return [layer for i, layer in enumerate(self.features) if i not in numbers]


@pytest.fixture
def reference():
    torch.manual_seed(0)
    return TorchvisionVGG16(1 / 16, hidden=24).eval()


@pytest.fixture
def checkpoint(reference, tmp_path):
    torch.save(reference.state_dict(), tmp_path / 'vgg16.pth')
    return str(tmp_path / 'vgg16.pth')


def build(checkpoint=None, **options):
    init_cfg = checkpoint and dict(type='Pretrained', checkpoint=checkpoint)
    net = MODELS.build(dict(type='FCNVGG', base_channels=4, **options, init_cfg=init_cfg))
    net.init_weights()
    return net


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(MMLogger, 'callHandlers', lambda self, record: lines.append(record.getMessage()))
    MMLogger.get_instance('fcn_vgg_test')  # makes it the current logger
    return lines


def test_fc6_is_the_fully_connected_layer_on_a_7x7_map(reference, checkpoint):
    net = build(checkpoint, fc6_channels=24).eval()
    seven = torch.randn(2, 32, 7, 7)
    expected = reference.classifier[:2](seven.flatten(1))
    assert expected.std() > 0.1
    torch.testing.assert_close(net.fc6(seven)[..., 3, 3], expected)
    # on a larger map it is that layer on each 7x7 window
    wide = torch.randn(1, 32, 10, 13)
    windows = wide.unfold(2, 7, 1).unfold(3, 7, 1).permute(0, 2, 3, 1, 4, 5).flatten(3)
    torch.testing.assert_close(net.fc6(wide)[..., 3:7, 3:10].permute(0, 2, 3, 1), reference.classifier[:2](windows))


def test_each_stage_is_the_references_without_pool4_and_pool5(reference, checkpoint):
    net = build(checkpoint, fc6_channels=24, out_indices=(0, 1, 2, 3, 4, 5)).eval()
    images = torch.randn(2, 3, 48, 72)
    maps = net(images)
    layers = reference.without_pools(23, 30)
    for found, end, stride, channels in zip(
        maps[:5], (5, 10, 17, 23, 29), (2, 4, 8, 8, 8), (4, 8, 16, 32, 32), strict=True
    ):
        assert found.shape == (2, channels, 48 // stride, 72 // stride)
        torch.testing.assert_close(found, nn.Sequential(*layers[:end])(images))
    kernel = reference.classifier[0].weight.reshape(24, 32, 7, 7)
    fc6 = nn.functional.conv2d(maps[4], kernel, reference.classifier[0].bias, padding=3).relu()
    torch.testing.assert_close(maps[5], fc6)
    assert net.out_channels == (4, 8, 16, 32, 32, 24)
    (alone,) = build(checkpoint, fc6_channels=24).eval()(images)
    torch.testing.assert_close(alone, fc6)


def test_plain_file_of_torchvision_at_full_size(tmp_path):
    # all values of a row are equal, so that 138 million of them fit in a small file
    with torch.device('meta'):
        shapes = {name: value.shape for name, value in TorchvisionVGG16().state_dict().items()}
    assert len(shapes) == 32 and shapes['classifier.0.weight'] == (4096, 25088)
    rows = {name: torch.randn(shape[0], *[1] * (len(shape) - 1)) for name, shape in shapes.items()}
    torch.save({name: rows[name].expand(shape) for name, shape in shapes.items()}, tmp_path / 'vgg16-397923af.pth')

    with torch.device('meta'):
        net = FCNVGG()
    net.to_empty(device='cpu')
    load_checkpoint(net, str(tmp_path / 'vgg16-397923af.pth'), strict=True)
    state = net.state_dict()
    assert len(state) == 2 * (13 + 1)
    for name, value in state.items():
        expected = rows[name.replace('fc6.conv', 'classifier.0')].flatten()
        for row in (value.flatten(1).amin(1), value.flatten(1).amax(1)) if value.ndim > 1 else (value,):
            assert torch.equal(row, expected), name


def test_fc6_of_another_width_keeps_its_initialisation_with_a_warning(checkpoint, reference, log):
    for options in (dict(fc6_channels=8), dict(fc6_channels=8, fc6_norm_cfg=dict(type='BN'))):
        log.clear()
        torch.manual_seed(1)
        net = build(checkpoint, **options)
        assert [line for line in log if 'fc6 is not loaded' in line and '(24, 1568)' in line]
        assert not [line for line in log if 'missing keys' in line or 'unexpected key' in line]
        weight = net.fc6.conv.weight
        assert abs(float(weight.detach().std()) - (2 / (8 * 49)) ** 0.5) < 0.005, "Kaiming's, over fan-out"
        torch.testing.assert_close(net.features[0].weight, reference.features[0].weight)
    log.clear()
    build(checkpoint, fc6_channels=24)
    assert not [line for line in log if 'not loaded' in line]


def test_fc6_with_a_norm_layer_takes_the_kernel_and_leaves_the_bias(checkpoint, reference):
    net = build(checkpoint, fc6_channels=24, fc6_norm_cfg=dict(type='BN'))
    torch.testing.assert_close(net.fc6.conv.weight.flatten(1), reference.classifier[0].weight)
    assert net.fc6.conv.bias is None and torch.equal(net.fc6.bn.weight, torch.ones(24))


def test_checkpoints_of_other_networks_are_refused(tmp_path):
    path = str(tmp_path / 'other.pth')
    vgg11 = [64, 'M', 128, 'M', 256, 256, 'M', 512, 512, 'M', 512, 512, 'M']
    cases = [
        (TorchvisionVGG16(1 / 16, 24, norm=True), 'batch normalisation .*vgg16_bn.*torchvision://vgg16'),
        (
            TorchvisionVGG16(1 / 16, 24, configuration=vgg11),
            'not a VGG-16 .*features.11.bias.*missing: .*features.10.*its file vgg16-397923af.pth',
        ),
        (TorchvisionVGG16(1 / 32, 24), r'features.0.weight is \(2, 3, 3, 3\) .* base_channels'),
    ]
    for other, message in cases:
        torch.save(other.state_dict(), path)
        with pytest.raises(ValueError, match=message):
            build(path, fc6_channels=24)


def test_its_own_checkpoints_load_alone_and_inside_a_model(checkpoint):
    net = build(checkpoint, fc6_channels=24, fc6_norm_cfg=dict(type='BN'))
    other = copy.deepcopy(build(fc6_channels=24, fc6_norm_cfg=dict(type='BN')))
    assert not torch.equal(net.fc6.conv.weight, other.fc6.conv.weight)
    nn.ModuleDict(dict(backbone=other)).load_state_dict({f'backbone.{k}': v for k, v in net.state_dict().items()})
    for name, value in net.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_torchvisions_checkpoint_inside_a_model(checkpoint, reference):
    model = nn.ModuleDict(dict(backbone=build(fc6_channels=24), head=nn.Linear(2, 2)))
    state = {f'backbone.{k}': v for k, v in torch.load(checkpoint).items()}
    result = model.load_state_dict(state, strict=False)
    assert result.missing_keys == ['head.weight', 'head.bias'] and not result.unexpected_keys
    torch.testing.assert_close(model.backbone.fc6.conv.weight.flatten(1), reference.classifier[0].weight)


def test_torchvision_address_goes_through_mmengines_loader(monkeypatch, reference):
    """The loader downloads the file of torchvision's ``vgg16``."""
    from mmengine.runner import checkpoint as loader

    asked = []

    def download(url, **_):
        asked.append(url)
        return reference.state_dict()

    monkeypatch.setattr(loader, 'load_url', download)
    monkeypatch.setattr(loader, 'get_torchvision_models', lambda: {'vgg16': 'https://host/vgg16-397923af.pth'})
    net = build('torchvision://vgg16', fc6_channels=24)
    assert asked == ['https://host/vgg16-397923af.pth']
    torch.testing.assert_close(net.features[2].weight, reference.features[2].weight)


@pytest.mark.parametrize('frozen', [-1, 0, 2, 5, 6])
def test_frozen_stages_do_not_change(frozen):
    torch.manual_seed(0)
    net = build(fc6_channels=8, fc6_norm_cfg=dict(type='BN'), frozen_stages=frozen).train()
    before = copy.deepcopy(net.state_dict())
    stepped = [p for p in net.parameters() if p.requires_grad]
    (maps,) = net(torch.randn(2, 3, 32, 32))
    if stepped:
        maps.square().mean().backward()
        torch.optim.SGD(stepped, lr=10.0).step()
    starts = [0, 5, 10, 17, 24, 31]  # of the stages, in torchvision's indices
    for name, value in net.state_dict().items():
        place = 31 if name.startswith('fc6') else int(name.split('.')[1])
        stage = sum(place >= start for start in starts) - 1
        assert torch.equal(value, before[name]) == (stage < frozen), name
    assert net.fc6_dropout.training == (frozen < 6)


def test_norm_eval_keeps_the_running_statistics():
    for norm_eval in (True, False):
        net = build(fc6_channels=8, fc6_norm_cfg=dict(type='BN'), norm_eval=norm_eval).train()
        net(torch.randn(2, 3, 32, 32))
        assert torch.equal(net.fc6.bn.running_mean, torch.zeros(8)) == norm_eval
        assert net.fc6.bn.weight.requires_grad


def test_dropout_takes_whole_channels_and_only_in_training():
    torch.manual_seed(0)
    net = build(fc6_channels=512, fc6_dropout=0.25)
    nn.init.zeros_(net.fc6.conv.weight)
    nn.init.ones_(net.fc6.conv.bias)
    (maps,) = net.train()(torch.randn(2, 3, 32, 32))
    values = maps.flatten(2)
    assert torch.equal(values.amin(-1), values.amax(-1)), 'a channel is dropped as a whole or not at all'
    assert sorted(set(values.unique().tolist())) == pytest.approx([0, 1 / 0.75])
    assert abs(float((values == 0).float().mean()) - 0.25) < 0.05
    assert torch.equal(net.eval()(torch.randn(1, 3, 32, 32))[0], torch.ones(1, 512, 4, 4))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(base_channels=0), 'FCNVGG.base_channels=0, allowed: an integer of at least 1'),
        (dict(fc6_channels=10.5), 'fc6_channels=10.5, allowed: an integer'),
        (dict(fc6_dropout=1), 'fc6_dropout=1, allowed: a number of at least 0 and below 1'),
        (dict(out_indices=(6,)), r'out_indices=\(6,\), allowed: ascending stages from 0 to 5'),
        (dict(out_indices=()), 'out_indices'),
        (dict(out_indices=(5, 2)), 'out_indices'),
        (dict(frozen_stages=7), 'frozen_stages=7, allowed: an integer from -1 to 6'),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        FCNVGG(**options)
