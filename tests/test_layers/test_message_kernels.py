"""Transform kernels: receptive fields, cost, what they can learn, and checks of their configs."""

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from posestructs.layers.message_kernels import PRESETS, MessageKernels, transform_layers
from posestructs.layers.message_passing import loop


def kernels_of(preset='separable', channels=8, edges=1, transform=None):
    return MessageKernels(edges, channels, transform_layers(preset, transform, channels)[0])


def message(kernels, x, edge=0):
    return loop([x], kernels.convolutions([(kernels.by_edge(), edge)]))[0]


def multiply_adds(preset, channels=128, side=56):
    """Counted by torch while it runs, on tensors without content."""
    with torch.device('meta'):
        kernels, x = kernels_of(preset, channels), torch.empty(1, channels, side, side)
    with FlopCounterMode(display=False) as counter:
        message(kernels, x)
    return counter.get_total_flops() / 2 / side**2


def test_cost():
    release = multiply_adds('release')
    assert release == 2 * 7 * 7 * 128 * 64
    assert multiply_adds('paper') == 3 * 7 * 7 * 128 * 128
    assert multiply_adds('separable') == 34816 <= release / 10
    for channels in (16, 32, 256):
        assert multiply_adds('separable', channels) <= multiply_adds('release', channels) / 10


@pytest.mark.parametrize('preset, side', [('paper', 19), ('release', 13), ('separable', 13)])
def test_what_a_cell_sees(preset, side):
    torch.manual_seed(0)
    x = torch.rand(1, 8, 23, 25, requires_grad=True)
    message(kernels_of(preset), x)[0, :, 11, 12].sum().backward()
    rows, columns = (x.grad.abs().sum((0, 1)) > 0).nonzero().unbind(1)
    assert (int(rows.min()), int(rows.max())) == (11 - side // 2, 11 + side // 2)
    assert (int(columns.min()), int(columns.max())) == (12 - side // 2, 12 + side // 2)


def test_nothing_is_between_the_layers_of_paper_and_separable():
    torch.manual_seed(0)
    x, y = torch.randn(2, 1, 8, 19, 19, dtype=torch.float64)
    for preset in PRESETS:
        kernels = kernels_of(preset).double()
        linear = torch.allclose(message(kernels, x + y), message(kernels, x) + message(kernels, y), atol=1e-12)
        assert linear == (preset != 'release')


def test_initial_values():
    torch.manual_seed(0)
    for preset, wanted in (('paper', [0.01] * 3), ('release', [0.01] * 2), ('separable', [32, 8 * 13, 8 * 13, 8])):
        kernels = kernels_of(preset, channels=32, edges=20)
        found = [float(weight.detach().std()) for weight in kernels.kernels]
        if preset == 'separable':
            wanted = [1 / math.sqrt(inputs) for inputs in wanted]
        assert found == pytest.approx(wanted, rel=0.05)
        assert all(not bias.any() for bias in kernels.biases)


def persons(generator, number, channels, height=22, width=24):
    """(number, channels, height, width) maps of one blob each, and the (number, channels, 2) rows and columns."""
    cells = [torch.randint(6, side - 6, (number, channels), generator=generator) for side in (height, width)]
    squares = [(torch.arange(side) - at[..., None]).square() for side, at in zip((height, width), cells, strict=True)]
    return torch.exp(-(squares[0][..., None] + squares[1][..., None, :]) / 2), torch.stack(cells, -1)


@pytest.fixture
def one_thread():
    """Of these small steps threads would wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_separable_learns_a_shift_by_six_cells(one_thread):
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(1)
    kernels = kernels_of('separable', channels=8)
    optimizer = torch.optim.Adam(kernels.parameters(), lr=0.01)
    for _ in range(220):
        x, _ = persons(generator, 8, 8)
        # what the neighbour is to say: where its first feature is, six rows up and six columns to the right
        wanted = x[:, 0].roll((-6, 6), (1, 2))
        loss = (message(kernels, x)[:, 0] - wanted).square().mean() / wanted.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, cells = persons(generator, 50, 8)
    with torch.no_grad():
        said = message(kernels, x)[:, 0].flatten(1).argmax(1)
    assert torch.equal(torch.stack([said // 24, said % 24], -1), cells[:, 0] + torch.tensor([-6, 6]))
    assert float(loss.detach()) < 0.1


def test_own_layers():
    act = dict(type='LeakyReLU', negative_slope=0.5)
    transform = [
        dict(channels=3, kernel_size=(5, 1), dilation=2, act_cfg=act, std=0.5),
        dict(kernel_size=3),
    ]
    layers, rectify = transform_layers('paper', transform, 6)
    assert rectify == 'pre' and transform_layers(None, transform, 6) == (layers, 'post')
    assert [layer.extent for layer in layers] == [(9, 1), (3, 3)]
    kernels = MessageKernels(2, 6, layers).double()
    assert [tuple(weight.shape) for weight in kernels.kernels] == [(2, 3, 6, 5, 1), (2, 6, 3, 3, 3)]
    x = torch.randn(1, 6, 9, 9, dtype=torch.float64)
    first, second = (
        torch.nn.Conv2d(6, 3, (5, 1), padding=(4, 0), dilation=(2, 1)),
        torch.nn.Conv2d(3, 6, 3, padding=1),
    )
    for i, conv in enumerate((first.double(), second.double())):
        conv.weight.data, conv.bias.data = kernels.kernels[i].data[1], kernels.biases[i].data[1]
    expected = second(torch.nn.functional.leaky_relu(first(x), 0.5))
    torch.testing.assert_close(message(kernels, x, edge=1), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    'preset, transform, error, words',
    [
        ('relaese', None, ValueError, ["preset='relaese'", "'paper', 'release', 'separable'"]),
        (None, None, ValueError, ['preset=None', "'separable'"]),
        (None, [], TypeError, ['transform=[]', 'at least one']),
        (None, dict(channels=8), TypeError, ['a list']),
        (None, [7], TypeError, ['transform[0]=7', 'a dict']),
        (None, [dict(chanels=8)], ValueError, ['transform[0]', "'chanels'", "'channels', 'kernel_size'"]),
        (None, [dict(channels=4), dict(kernel_size=6)], ValueError, ['transform[1]', 'kernel_size=6', 'odd']),
        (None, [dict(kernel_size=(7, 7, 7))], ValueError, ['kernel_size=(7, 7, 7)']),
        (None, [dict(channels=0)], ValueError, ['transform[0].channels=0', 'an integer of at least 1']),
        (None, [dict(dilation=0.5)], ValueError, ['dilation=0.5', 'of at least 1']),
        (None, [dict(std=-1)], ValueError, ['std=-1', 'of at least 0, or None']),
        ('release', [dict(channels=16), dict(channels=16)], ValueError, ['transform[1]', '16', 'part_channels=8']),
    ],
)
def test_bad_configs(preset, transform, error, words):
    with pytest.raises(error) as caught:
        transform_layers(preset, transform, 8)
    assert all(word in str(caught.value) for word in words), caught.value


def test_an_activation_with_parameters_would_be_shared():
    with pytest.raises(ValueError, match='PReLU.*without'):
        kernels_of(None, transform=[dict(act_cfg=dict(type='PReLU'))])
