"""Residual and encoder-decoder against functional and recursive forms, on rectangular maps, in float64."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from posestructs.layers.hourglass import EncoderDecoder, Residual, build_norm


def by_hand(block, x, groups=None):
    """y = S(x) + W3 f(W2 f(W1 f(x))) with the block's parameters, batch or group statistics."""
    convs = [m for m in block.body if isinstance(m, nn.Conv2d)]
    norms = [m for m in block.body if isinstance(m, (nn.BatchNorm2d, nn.GroupNorm))]
    y = x
    for number, conv in enumerate(convs):
        if norms:
            if groups:
                parts = y.reshape(len(y), groups, -1)
                normed = (parts - parts.mean(2, True)) / (parts.var(2, unbiased=False, keepdim=True) + 1e-5).sqrt()
                y = normed.reshape(y.shape)
            else:
                mean, var = y.mean((0, 2, 3), True), y.var((0, 2, 3), unbiased=False, keepdim=True)
                y = (y - mean) / (var + 1e-5).sqrt()
            y = y * norms[number].weight[:, None, None] + norms[number].bias[:, None, None]
        y = F.conv2d(y.clamp(min=0), conv.weight, conv.bias, padding=conv.kernel_size[0] // 2)
    return y + (x if isinstance(block.skip, nn.Identity) else F.conv2d(x, block.skip.weight, block.skip.bias))


@pytest.mark.parametrize('norm', [None, dict(type='BN'), dict(type='GN', num_groups=2)])
@pytest.mark.parametrize('out_channels', [None, 4])
def test_a_residual_equals_the_formula(norm, out_channels):
    torch.manual_seed(0)
    block = Residual(8, out_channels, norm).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    x = torch.randn(3, 8, 5, 7, dtype=torch.float64)
    before = x.clone()
    expected = by_hand(block, x, groups=(norm or {}).get('num_groups'))
    torch.testing.assert_close(block(x), expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(x, before)  # an in-place ReLU on the input would spoil the skip


def test_gradients_with_and_without_a_norm():
    torch.manual_seed(0)
    x = torch.randn(2, 4, 3, 2, dtype=torch.float64, requires_grad=True)
    for norm in (None, dict(type='GN', num_groups=1)):
        block = Residual(4, 6, norm).double()
        # clone: the block gets what an earlier layer made, which an in-place operation could spoil
        torch.autograd.gradcheck(lambda x, block=block: block(x.clone()), x)


def test_refusals_of_a_residual():
    with pytest.raises(ValueError, match='norm_cfg: num_groups=3 does not divide the 8 channels'):
        build_norm(dict(type='GN', num_groups=3), 8)
    with pytest.raises(ValueError, match='out_channels=5, allowed: an even number'):
        Residual(4, 5)


def test_a_config_is_not_changed():
    norm = dict(type='GN', num_groups=2, requires_grad=False)
    layer = build_norm(norm, 4)
    assert norm == dict(type='GN', num_groups=2, requires_grad=False)
    assert isinstance(layer, nn.GroupNorm) and not layer.weight.requires_grad


def recursive(net, x, level=0):
    """u_l = R(x_l) + upsample(R(u_{l+1})) with pooling and upsampling written out."""
    if level == net.depth:
        return net.bottom(x)
    n, c, h, w = x.shape
    pooled = x.reshape(n, c, h // 2, 2, w // 2, 2).amax((3, 5))
    low = net.ups[level](recursive(net, net.downs[level](pooled), level + 1))
    return net.skips[level](x) + low.repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.mark.parametrize('depth', [0, 1, 3])
@pytest.mark.parametrize('num_residuals', [1, 2])
def test_an_encoder_decoder_equals_the_recursion(depth, num_residuals):
    torch.manual_seed(0)
    net = EncoderDecoder(4, depth, num_residuals, dict(type='GN', num_groups=2)).double()
    x = torch.randn(2, 4, 8, 24, dtype=torch.float64)
    torch.testing.assert_close(net(x), recursive(net, x), rtol=1e-12, atol=1e-12)


def test_one_cell_reaches_all_of_the_map():
    """At the smallest size a 3x3 convolution spans the map, so that each output depends on each input."""
    torch.manual_seed(0)
    net = EncoderDecoder(4, 3).double()
    x = torch.randn(1, 4, 16, 8, dtype=torch.float64, requires_grad=True)
    net(x)[0, :, 15, 7].sum().backward()
    assert (x.grad.abs().sum(1) > 0).flatten().sum() > 32  # max-pooling passes one cell of four


def test_refusals_of_an_encoder_decoder():
    net = EncoderDecoder(4, 3)
    with pytest.raises(ValueError, match=r'EncoderDecoder\(depth=3\): input of 20 x 16 .* multiples of 8'):
        net(torch.zeros(1, 4, 16, 20))
    with pytest.raises(ValueError, match='depth=-1, allowed: an integer of at least 0'):
        EncoderDecoder(4, -1)
    with pytest.raises(ValueError, match='num_residuals=0, allowed: an integer of at least 1'):
        EncoderDecoder(4, 1, 0)
