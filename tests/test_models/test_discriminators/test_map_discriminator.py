"""The encoder-decoder that both discriminators are built from."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from posestructs.codecs import OcclusionHeatmap
from posestructs.layers.soft_argmax import draw
from posestructs.models.discriminators import ConfidenceDiscriminator, MapDiscriminator, PoseDiscriminator
from posestructs.models.discriminators.map_discriminator import pool_at_joints

SMALL = dict(channels=8, depth=1, norm_cfg=dict(type='GN', num_groups=2))


def small(**cfg):
    torch.manual_seed(0)
    return MapDiscriminator(**dict(num_joints=3) | SMALL | cfg)


def test_logit_is_the_mean_of_its_joints_map():
    net, maps = small(), torch.rand(2, 6, 4, 6)
    seen = {}
    net.classifier.register_forward_hook(lambda module, args, out: seen.update(out=out))
    logits = net(maps)
    cells = seen['out']
    assert cells.shape == (2, 3, 4, 6)
    expected = [[sum(cells[b, k].flatten().tolist()) / 24 for k in range(3)] for b in range(2)]
    torch.testing.assert_close(logits, torch.tensor(expected), rtol=1e-5, atol=1e-7)


def test_fully_connected_layer_reads_every_map():
    net, maps = small(pooling='fc', map_size=(6, 4)), torch.rand(1, 6, 4, 6)
    seen = {}
    net.classifier.register_forward_hook(lambda module, args, out: seen.update(out=out))
    logits = net(maps)
    weight, bias = net.fc.weight, net.fc.bias
    slow = [sum((weight[k] * seen['out'].reshape(-1)).tolist()) + bias[k].item() for k in range(3)]
    torch.testing.assert_close(logits[0], torch.tensor(slow), rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match=r"maps of the size \(4, 6\), allowed with pooling='fc': map_size=\(6, 4\)"):
        net(maps.transpose(2, 3))


def test_pooling_at_the_joints():
    """By hand, cell by cell: the joint's own pose map is the weight, plus that of one cell spread over all."""
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 4, 6, dtype=torch.float64, requires_grad=True)
    maps = torch.randn(2, 3, 4, 6, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        maps[1, 2] = -maps[1, 2].abs()  # nothing above 0: the mean
    pooled = pool_at_joints(logits, maps)
    for n in range(2):
        for k in range(3):
            cells = list(zip(maps[n, k].flatten().tolist(), logits[n, k].flatten().tolist(), strict=True))
            mean = sum(m for _, m in cells) / 24
            expected = (sum(max(w, 0) * m for w, m in cells) + mean) / (sum(max(w, 0) for w, _ in cells) + 1)
            assert pooled[n, k].item() == pytest.approx(expected, rel=1e-12)
    assert pooled[1, 2].item() == pytest.approx(logits[1, 2].mean().item(), rel=1e-12)
    assert torch.autograd.gradcheck(pool_at_joints, (logits, maps))


def test_logit_at_the_joint():
    net, maps = small(pooling='joint').double(), torch.rand(2, 6, 4, 6).double()
    cells = []
    net.classifier.register_forward_hook(lambda module, args, out: cells.append(out))
    logits = net(maps)
    torch.testing.assert_close(logits, pool_at_joints(cells[0], maps[:, :3]))
    assert (logits - cells[0].mean((2, 3))).abs().min() > 1e-6
    # the options have no parameters: checkpoints fit all of them but 'fc'
    assert net.state_dict().keys() == small().state_dict().keys()


@pytest.mark.parametrize(('size', 'sigma'), [((16, 12), 1.0), ((64, 64), 1.5)])
def test_unit_rms_of_targets(size, sigma):
    """A target of the codec reaches the first layer with an RMS of 1."""
    codec = OcclusionHeatmap(input_size=tuple(4 * side for side in size), heatmap_size=size, sigma=sigma)
    maps = torch.from_numpy(codec.encode(np.array([[[24.0, 24.0]]]), np.ones((1, 1)), np.ones((1, 1)))['heatmaps'])
    net = small(num_joints=1, map_scale='unit_rms', map_sigma=sigma)
    inputs = []
    net.stem.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))
    net(maps[None])
    assert inputs[0].square().mean((2, 3)).sqrt().tolist() == [pytest.approx([1, 1], rel=0.01)]


def test_scale_equals_larger_weights_of_the_first_layer():
    net, scaled = small(), small(map_scale=9.0)
    maps = torch.rand(2, 6, 4, 6)
    assert (net(maps) - scaled(maps)).abs().min() > 1e-6
    torch.testing.assert_close(small()(9 * maps), scaled(maps))
    with torch.no_grad():
        net.stem[0].weight *= 9
    torch.testing.assert_close(net(maps), scaled(maps))


def test_each_map_has_an_effect_on_each_joint():
    """The skeleton is scored as a whole, not map by map."""
    net, maps = small(), torch.rand(1, 6, 4, 4, requires_grad=True)
    for logit in net(maps)[0]:
        (slope,) = torch.autograd.grad(logit, maps, retain_graph=True)
        assert (slope.abs().sum((0, 2, 3)) > 0).all()


def test_images_of_a_batch_are_independent():
    """Normalisation is by groups, so that real and predicted maps may be in one batch."""
    net, maps = MapDiscriminator(3, channels=64, depth=1).double().train(), torch.rand(4, 6, 4, 4).double()
    alone = torch.cat([net(one[None]) for one in maps])
    torch.testing.assert_close(net(maps), alone, rtol=1e-10, atol=1e-12)
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in net.modules())


def test_single_task_has_no_occlusion_maps():
    assert small(with_occlusion=False)(torch.rand(1, 3, 4, 4)).shape == (1, 3)
    with pytest.raises(ValueError, match='6 maps, allowed with num_joints=3 and with_occlusion=False: 3'):
        small(with_occlusion=False)(torch.rand(1, 6, 4, 4))


def test_first_scores_are_near_a_half():
    net = MapDiscriminator(num_joints=16, depth=2)
    with torch.no_grad():
        scores = net(torch.rand(2, 32, 16, 16)).sigmoid()
    assert (scores - 0.5).abs().max() < 0.15


@pytest.mark.parametrize('pooling', [dict(), dict(pooling='fc', map_size=(4, 4))])
def test_spectral_norm_bounds_each_weight(pooling):
    net = small(spectral_norm=True, **pooling).train()
    with torch.no_grad():
        for _ in range(60):  # power iterations
            net(torch.rand(1, 6, 4, 4))
    layers = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(layers) > 10
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item() == pytest.approx(1, abs=0.1)
    plain = small(**pooling)
    assert any(
        torch.linalg.matrix_norm(m.weight.flatten(1), 2) > 1.2 for m in plain.modules() if isinstance(m, nn.Conv2d)
    )


def test_the_default_normalisation_is_immutable():
    default = inspect.signature(MapDiscriminator).parameters['norm_cfg'].default
    assert dict(default) == dict(type='GN', num_groups=32)
    with pytest.raises(TypeError, match='does not support item assignment'):
        default['num_groups'] = 8


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_width_depth_stacks_and_preset():
    widths = {p: MapDiscriminator(2, depth=1, preset=p).stem[0].out_channels for p in (None, 'paper')}
    assert widths == {None: 256, 'paper': 512}
    assert MapDiscriminator(2, preset='paper', channels=64, depth=1).stem[0].out_channels == 64
    one, two, deep = (count(small(**c)) for c in (dict(), dict(num_stacks=2), dict(depth=2)))
    residual = count(small().stem[1])
    assert two - one == 4 * residual  # skip, down, bottom, up
    assert deep - one == 3 * residual
    with pytest.raises(ValueError, match='allowed: multiples of 2'):
        small()(torch.rand(1, 6, 3, 4))


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(preset='v1'), r"MapDiscriminator.preset='v1', allowed: None, 'paper'"),
        (dict(pooling='max'), r"pooling='max', allowed: 'global', 'joint', 'fc'"),
        (dict(pooling='fc'), r"map_size=None with pooling='fc'"),
        (dict(map_size=(4, 4)), r"map_size=\(4, 4\) with pooling='global'"),
        (dict(map_scale='rms'), "MapDiscriminator.map_scale='rms', allowed: 'unit_rms'"),
        (dict(map_scale=0), 'MapDiscriminator.map_scale=0, allowed: a finite number above 0'),
        (dict(map_scale='unit_rms'), "map_sigma=None with map_scale='unit_rms', needed: the sigma of the codec"),
        (dict(map_scale='unit_rms', map_sigma=0), 'map_sigma=0, allowed: a finite number above 0'),
        (dict(num_joints=0), 'num_joints=0, allowed: an integer of at least 1'),
        (dict(num_stacks=1.0), 'num_stacks=1.0'),
        (dict(channels=10), 'num_groups=2 does not divide the 5 channels'),
    ],
)
def test_impossible_values(wrong, message):
    with pytest.raises(ValueError, match=message):
        small(**wrong)


@pytest.mark.parametrize('kind', [PoseDiscriminator, ConfidenceDiscriminator])
def test_both_take_the_same_arguments(kind):
    net = kind(num_joints=3, with_occlusion=False, pooling='fc', map_size=(4, 4), spectral_norm=True, **SMALL)
    assert net(torch.rand(2, 3, 4, 4), torch.rand(2, 3, 8, 8)).shape == (2, 3)


def test_redrawn_maps_hide_the_appearance():
    torch.manual_seed(0)
    plain = dict(channels=8, depth=1, norm_cfg=None, redraw=True)
    net = ConfidenceDiscriminator(2, with_occlusion=False, map_sigma=1.0, **plain)
    target = draw(torch.tensor([[[3.0, 2.0], [1.0, 4.0]]]), (6, 8), 1.0)
    torch.testing.assert_close(net(0.2 * target), net(target))
    assert (net(target.flip(3)) - net(target)).abs().max() > 1e-6
    with pytest.raises(ValueError, match='redraw=True needs with_occlusion=False'):
        ConfidenceDiscriminator(2, map_sigma=1.0, **plain)
    with pytest.raises(ValueError, match='map_sigma=None with redraw=True'):
        ConfidenceDiscriminator(2, with_occlusion=False, **plain)
