"""The encoder-decoder against Newell et al.'s recursive form, on rectangular maps, in float64."""

import pytest
import torch

from posestructs.layers.encoder_decoder import EncoderDecoder


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
def test_equals_the_recursion(depth, num_residuals):
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


def test_refusals():
    net = EncoderDecoder(4, 3)
    with pytest.raises(ValueError, match=r'EncoderDecoder\(depth=3\): the input is 20 x 16 .* multiples of 8'):
        net(torch.zeros(1, 4, 16, 20))
    with pytest.raises(ValueError, match='depth=-1, allowed: an integer of at least 0'):
        EncoderDecoder(4, -1)
    with pytest.raises(ValueError, match='num_residuals=0, allowed: an integer of at least 1'):
        EncoderDecoder(4, 1, 0)
