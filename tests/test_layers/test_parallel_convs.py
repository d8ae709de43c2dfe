"""Three ways to work out several messages, against scipy's correlation and against each other."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from posestructs.layers.parallel_convs import WAYS, Convolution
from posestructs.layers.shifted_matmul import shifted_matmul

G, N, C, M = 3, 2, 4, 5
KERNELS = [((7, 7), 1), ((13, 1), 1), ((1, 5), 1), ((3, 5), 2), ((1, 1), 1)]


def example(kernel, dilation, height=13, width=9):
    torch.manual_seed(0)

    def values(*shape):
        return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    inputs = [values(N, C, height, width) for _ in range(G)]
    weights, biases = values(G, M, C, *kernel), values(G, M)
    weights2, biases2 = values(G, C, M, 3, 3), values(G, C)
    layers = [
        Convolution(weights.unbind(), biases.unbind(), dilation, torch.relu),
        Convolution(weights2.unbind(), biases2.unbind()),
    ]
    return inputs, layers, [*inputs, weights, biases, weights2, biases2]


def correlate(x, weight, bias, dilation):
    """(N, C, h, w) correlated map by map, edges seen as zeros."""
    outputs, channels, kh, kw = weight.shape
    spread = np.zeros((outputs, channels, dilation * (kh - 1) + 1, dilation * (kw - 1) + 1))
    spread[..., ::dilation, ::dilation] = weight
    y = np.zeros((len(x), outputs, *x.shape[2:])) + bias[:, None, None]
    for n, o, c in np.ndindex(len(x), outputs, channels):
        # scipy's 'same' is as large as its first argument, zeros around
        y[n, o] += correlate2d(x[n, c], spread[o, c], mode='same')
    return y


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('kernel, dilation', KERNELS)
def test_against_scipy(way, kernel, dilation):
    inputs, layers, _ = example(kernel, dilation)
    outputs = WAYS[way](inputs, layers)
    for g in range(G):
        x = inputs[g].detach().numpy()
        first, second = ((layer.weights[g].detach().numpy(), layer.biases[g].detach().numpy()) for layer in layers)
        expected = correlate(np.maximum(correlate(x, *first, dilation), 0), *second, 1)
        np.testing.assert_allclose(outputs[g].detach().numpy(), expected, atol=1e-10)


@pytest.mark.parametrize('way', ['grouped', 'matmul'])
@pytest.mark.parametrize('kernel, dilation', KERNELS)
def test_gradients_are_those_of_the_loop(way, kernel, dilation):
    inputs, layers, leaves = example(kernel, dilation)
    gradients = {}
    for name in ('loop', way):
        outputs = WAYS[name](inputs, layers)
        # a gradient that is not the same everywhere
        total = sum((y * torch.sin(torch.arange(y.numel()).view(y.shape))).sum() for y in outputs)
        gradients[name] = torch.autograd.grad(total, leaves)
    for ours, expected in zip(gradients[way], gradients['loop'], strict=True):
        assert float((ours - expected).abs().max()) < 1e-10


@pytest.mark.parametrize('way', WAYS)
def test_cpu_autocast(way):
    inputs, layers, leaves = example((7, 7), 1)
    exact = torch.stack(WAYS[way](inputs, layers))
    inputs = [x.detach().float().requires_grad_() for x in inputs]
    layers = [
        layer._replace(weights=[w.float() for w in layer.weights], biases=[b.float() for b in layer.biases])
        for layer in layers
    ]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outputs = WAYS[way](inputs, layers)
    assert {y.dtype for y in outputs} == {torch.bfloat16}
    # 8 bits of mantissa, summed over 45 products
    error = (torch.stack(outputs).double() - exact).detach().abs().max() / exact.detach().abs().max()
    assert float(error) < 0.02
    torch.stack(outputs).float().sum().backward()
    assert inputs[0].grad.dtype == torch.float32 and bool(inputs[0].grad.isfinite().all())


@pytest.mark.parametrize('batch', [1, 2])
def test_shifted_matmul_gradcheck(batch):
    torch.manual_seed(0)
    x, weight, bias = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in ((2, batch, 4, 5, 2), (2, 3, 2, 3, 5), (2, 3))
    )
    assert torch.autograd.gradcheck(shifted_matmul, (x, weight, bias))
    with pytest.raises(RuntimeError, match='once_differentiable'):
        (gradient,) = torch.autograd.grad(shifted_matmul(x, weight, bias).square().sum(), x, create_graph=True)
        gradient.sum().backward()


def test_shifted_matmul_works_out_only_what_is_asked_for():
    x, weight, bias = torch.randn(1, 1, 5, 5, 2), torch.randn(1, 3, 2, 3, 3, requires_grad=True), torch.zeros(1, 3)
    shifted_matmul(x, weight, bias).sum().backward()
    # all outputs weigh 1: a tap's gradient is the sum of the inputs that it sees
    padded = torch.nn.functional.pad(x[0, 0], (0, 0, 1, 1, 1, 1))
    sums = torch.stack([padded[i : i + 5, j : j + 5].sum((0, 1)) for i in range(3) for j in range(3)], -1).view(2, 3, 3)
    torch.testing.assert_close(weight.grad, sums.expand(1, 3, 2, 3, 3))
