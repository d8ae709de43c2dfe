"""Message passing.

The order of messages on trees by hand and at random; both sweeps with numbers by hand; the backends against SciPy's
correlation and against each other; the rule that selects one.
"""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from posestructs.layers.message_passing import (
    BACKENDS,
    DOWN,
    MODES,
    UP,
    Convolution,
    Message,
    choose_backend,
    compute_messages,
    message_steps,
    pass_messages,
    update,
)
from posestructs.structures import build_tree


def tree_of(parents):
    return build_tree(dict(names=[f'part {i}' for i in range(len(parents))], parents=parents))


def random_tree(number, parts=12):
    generator = torch.Generator().manual_seed(number)
    order = torch.randperm(parts, generator=generator).tolist()
    parents = [-1] * parts
    for place, part in enumerate(order[1:], 1):
        parents[part] = order[int(torch.randint(place, (), generator=generator))]
    return tree_of(parents)


def test_steps_by_hand():
    # 2 is the root, 0 and 3 are its children, 1 and 4 those of 3
    tree = tree_of([2, 3, -1, 2, 3])
    steps = message_steps(tree.parents, tree.levels, (UP, DOWN))
    assert steps == (
        (Message(UP, 1, 3), Message(UP, 4, 3), Message(DOWN, 2, 0), Message(DOWN, 2, 3)),
        (Message(UP, 0, 2), Message(UP, 3, 2), Message(DOWN, 3, 1), Message(DOWN, 3, 4)),
    )
    assert message_steps(tree.parents, tree.levels, (DOWN,)) == tuple(step[2:] for step in steps)
    assert message_steps(tree.parents, tree.levels, ()) == ()
    assert [message.child for message in steps[0]] == [1, 4, 0, 3]


@pytest.mark.parametrize('number', range(5))
def test_incoming_messages_are_complete_before_a_part_sends(number):
    tree = random_tree(number)
    steps = message_steps(tree.parents, tree.levels, (UP, DOWN))
    arrived = set()
    for step in steps:
        for sweep, sender, receiver in step:
            neighbours = tree.children[sender] if sweep == UP else [tree.parents[sender]]
            assert all((sweep, k, sender) in arrived for k in neighbours if k >= 0)
            assert (receiver, sender)[sweep] == tree.parents[(sender, receiver)[sweep]]
        arrived |= set(step)
    assert len(arrived) == sum(map(len, steps)) == 2 * (tree.num_parts - 1)
    assert len(steps) == len(tree.levels) - 1


def test_sweeps_by_hand():
    # root 0 with children 1 and 2; 3 is a child of 1. A message is the sender's value times -1, 10, 100 by the child.
    tree = tree_of([-1, 0, 0, 1])
    factor = {1: -1.0, 2: 10.0, 3: 100.0}
    features = [[torch.tensor(float(v)) for v in values] for values in ((1, -150, 3, 2), (1, 4, -20, -7))]

    def send(step, senders):
        return [factor[message.child] * x for message, x in zip(step, senders, strict=True)]

    up, down = pass_messages(features, message_steps(tree.parents, tree.levels, (UP, DOWN)), send)
    # 3: 2; 2: 3; 1: f(-150 + 100 * 2) = 50; 0: f(1 - 50 + 30) = 0
    assert [float(x) for x in up] == [0, 50, 3, 2]
    # 0: 1; 1: f(4 - 1) = 3; 2: f(-20 + 10) = 0; 3: f(-7 + 300) = 293
    assert [float(x) for x in down] == [1, 3, 0, 293]
    # without messages every part keeps its features, rectified
    up, down = pass_messages(features, message_steps(tree.parents, tree.levels, (UP,)), send)
    assert [float(x) for x in up] == [0, 50, 3, 2] and [float(x) for x in down] == [1, 4, 0, 0]


def test_update_rectifies_the_sum():
    features, incoming = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([-4.0, 5.0, 0.5])
    assert update(features, incoming).tolist() == [0.0, 3.0, 3.5]
    assert update(features).tolist() == [1.0, 0.0, 3.0]


def test_every_message_sent_is_needed():
    with pytest.raises(ValueError):
        pass_messages([[torch.zeros(1)] * 2] * 2, [(Message(UP, 1, 0),)], lambda step, senders: [])


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


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('kernel, dilation', KERNELS)
def test_against_scipy(backend, kernel, dilation):
    inputs, layers, _ = example(kernel, dilation)
    outputs = BACKENDS[backend](inputs, layers)
    for g in range(G):
        x = inputs[g].detach().numpy()
        first, second = ((layer.weights[g].detach().numpy(), layer.biases[g].detach().numpy()) for layer in layers)
        expected = correlate(np.maximum(correlate(x, *first, dilation), 0), *second, 1)
        np.testing.assert_allclose(outputs[g].detach().numpy(), expected, atol=1e-10)


@pytest.mark.parametrize('kernel, dilation', KERNELS)
def test_gradients_of_the_groups_are_those_of_the_loop(kernel, dilation):
    inputs, layers, leaves = example(kernel, dilation)
    gradients = {}
    for name in BACKENDS:
        outputs = BACKENDS[name](inputs, layers)
        # a gradient that is not the same everywhere
        total = sum((y * torch.sin(torch.arange(y.numel()).view(y.shape))).sum() for y in outputs)
        gradients[name] = torch.autograd.grad(total, leaves)
    for ours, expected in zip(gradients['grouped'], gradients['loop'], strict=True):
        assert float((ours - expected).abs().max()) < 1e-10


@pytest.mark.parametrize('backend', BACKENDS)
def test_cpu_autocast(backend):
    inputs, layers, leaves = example((7, 7), 1)
    exact = torch.stack(BACKENDS[backend](inputs, layers))
    inputs = [x.detach().float().requires_grad_() for x in inputs]
    layers = [
        layer._replace(weights=[w.float() for w in layer.weights], biases=[b.float() for b in layer.biases])
        for layer in layers
    ]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outputs = BACKENDS[backend](inputs, layers)
    assert {y.dtype for y in outputs} == {torch.bfloat16}
    # 8 bits of mantissa, summed over 45 products
    error = (torch.stack(outputs).double() - exact).detach().abs().max() / exact.detach().abs().max()
    assert float(error) < 0.02
    torch.stack(outputs).float().sum().backward()
    assert inputs[0].grad.dtype == torch.float32 and bool(inputs[0].grad.isfinite().all())


def step(messages=3, channels=4, side=7, kernel=(3, 3), batch=1, device=None):
    inputs = [torch.rand(batch, channels, side, side, device=device) for _ in range(messages)]
    weights = [torch.rand(channels, channels, *kernel, device=device) for _ in range(messages)]
    return inputs, [Convolution(weights, [torch.zeros(channels, device=device) for _ in range(messages)])]


@pytest.mark.parametrize(
    'backend, sizes',
    [
        ('grouped', dict(channels=16, side=16, kernel=(7, 7))),
        ('loop', dict(channels=128, side=56, kernel=(7, 7))),
        ('loop', dict(channels=16, side=16, kernel=(1, 13))),
        ('loop', dict(channels=16, side=16, kernel=(7, 7), messages=1)),
        ('loop', dict(channels=16, side=16, kernel=(7, 7), batch=64)),
    ],
)
def test_rule_on_a_cpu(backend, sizes):
    inputs, layers = step(device='meta', **sizes)
    assert choose_backend('auto', inputs, layers) == backend
    assert [choose_backend(mode, inputs, layers) for mode in BACKENDS] == list(BACKENDS)


@pytest.mark.gpu
def test_rule_on_a_gpu():
    assert choose_backend('auto', *step(device='cuda')) == 'grouped'
    assert choose_backend('auto', *step(device='cuda', batch=64, side=16)) == 'loop'


def test_every_mode_computes_the_same_messages():
    inputs, layers = step()
    expected = compute_messages('loop', inputs, layers)
    for mode in MODES:
        torch.testing.assert_close(compute_messages(mode, inputs, layers), expected)
