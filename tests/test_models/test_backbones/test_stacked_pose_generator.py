"""The generator: numbers of weights, flow, checkpointing, and allowed sizes."""

import copy

import pytest
import torch
from mmpose.registry import MODELS
from torch import nn

from posestructs.models.backbones import StackedPoseGenerator

TINY = dict(num_stacks=2, channels=16, depth=1)


def residual_size(cin, cout):
    """Weights of a bottleneck with batch normalisation, counted from the paper's description."""
    middle = cout // 2
    convs = cin * middle + 3 * 3 * middle * middle + middle * cout + cout  # the last has a bias
    norms = 2 * (cin + middle + middle)
    return convs + norms + (cin * cout + cout if cin != cout else 0)


def generator_size(stacks, c, depth, branches):
    stem = 7 * 7 * 3 * (c // 4) + 2 * (c // 4)
    stem += residual_size(c // 4, c // 2) + residual_size(c // 2, c // 2) + residual_size(c // 2, c)
    stack = (3 * depth + 1 + branches) * residual_size(c, c)
    return stem + stacks * stack + (stacks - 1) * branches * (c * c + c)


@pytest.mark.parametrize(
    ('stacks', 'channels', 'depth', 'branches', 'expected'),
    [(4, 512, 4, 2, 54_231_680), (4, 512, 4, 1, 50_025_600), (8, 256, 4, 2, None), (1, 16, 2, 1, None)],
)
def test_number_of_parameters(stacks, channels, depth, branches, expected):
    with torch.device('meta'):
        net = MODELS.build(
            dict(
                type='StackedPoseGenerator',
                num_stacks=stacks,
                channels=channels,
                depth=depth,
                num_branches=branches,
            )
        )
    found = sum(p.numel() for p in net.parameters())
    assert found == generator_size(stacks, channels, depth, branches)
    assert expected in (None, found)


def test_flow_of_the_stacks():
    """(Y_n, Z_n, X) = G_n(Y_{n-1}, Z_{n-1}, X), the first from X only, on a rectangular image."""
    torch.manual_seed(0)
    net = StackedPoseGenerator(**dict(TINY, num_stacks=3)).double().eval()
    image = torch.randn(2, 3, 24, 40, dtype=torch.float64)
    x, before, expected = net.stem(image), None, []
    for stack in net.stacks:
        into = x
        if before is not None:
            # 1x1 convolutions of the branches as matrix products
            for merge, branch in zip(stack.merges, before, strict=True):
                into = into + torch.einsum('oc,nchw->nohw', merge.weight[:, :, 0, 0], branch)
                into = into + merge.bias[:, None, None]
        both = stack.encoder_decoder(into)
        before = [branch(both) for branch in stack.branches]
        expected.append(before)
    found = net(image)
    assert [len(stack) for stack in found] == [2, 2, 2]
    for stack, other in zip(found, expected, strict=True):
        for task in (0, 1):
            assert stack[task].shape == (2, 16, 6, 10)
            torch.testing.assert_close(stack[task], other[task], rtol=1e-12, atol=1e-12)
    assert len(net.stacks[0].merges) == 0
    assert not torch.equal(found[0][0], found[0][1])


def test_x_reaches_each_stack_and_each_branch_reaches_the_next():
    """Stacks depend on X and on the branches of the previous stack."""
    torch.manual_seed(0)
    net = StackedPoseGenerator(**TINY).double().eval()
    x, y, z = (torch.randn(1, 16, 4, 4, dtype=torch.float64, requires_grad=True) for _ in range(3))
    for out in net.stacks[1](x, y, z):
        grads = torch.autograd.grad(out.sum(), (x, y, z), retain_graph=True)
        assert all(grad.abs().sum() > 0 for grad in grads)


def test_one_branch_gives_what_mmposes_hourglass_gives():
    torch.manual_seed(0)
    net = StackedPoseGenerator(**TINY, num_branches=1)
    feats = net(torch.randn(2, 3, 16, 16))
    assert isinstance(feats, list) and [tuple(f.shape) for f in feats] == [(2, 16, 4, 4)] * 2
    head = dict(type='CPMHead', in_channels=16, out_channels=5, num_stages=2)
    assert [tuple(f.shape) for f in MODELS.build(head)(feats)] == [(2, 5, 4, 4)] * 2
    head = dict(type='HeatmapHead', in_channels=16, out_channels=5, deconv_out_channels=None)
    assert MODELS.build(head)(feats).shape == (2, 5, 4, 4)


@pytest.mark.parametrize('branches', [1, 2])
def test_checkpointing_changes_nothing(branches):
    """Values, gradients and running statistics are bit for bit the same after two steps."""
    torch.manual_seed(0)
    plain = StackedPoseGenerator(**TINY, num_branches=branches)
    saving = StackedPoseGenerator(**TINY, num_branches=branches, with_cp=True)
    saving.load_state_dict(copy.deepcopy(plain.state_dict()))
    for _ in range(2):
        image = torch.randn(2, 3, 16, 24)
        outs = []
        for net in (plain, saving):
            feats = net(image)
            flat = [f for stack in feats for f in (stack if branches == 2 else [stack])]
            sum(f.square().mean() for f in flat).backward()
            outs.append([f.detach() for f in flat])
        assert all(torch.equal(a, b) for a, b in zip(*outs, strict=True))
        for (name, a), b in zip(plain.named_parameters(), saving.parameters(), strict=True):
            assert a.grad.abs().sum() > 0, name
            assert torch.equal(a.grad, b.grad), name
    for (name, a), b in zip(plain.named_buffers(), saving.buffers(), strict=True):
        assert torch.equal(a, b), name


def test_checkpointing_stores_less():
    """Bytes that autograd saves in a forward pass."""
    kept = {}
    for with_cp in (False, True):
        net, sizes = StackedPoseGenerator(**TINY, with_cp=with_cp), []
        image = torch.randn(1, 3, 32, 32)

        def note(tensor, sizes=sizes):
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            out = net(image)
        kept[with_cp] = sum(sizes)
        del out
    assert kept[True] < 0.6 * kept[False]


def test_initial_values():
    torch.manual_seed(0)
    net = StackedPoseGenerator(**TINY)
    net.init_weights()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            # He et al.: variance 2 / (fan out)
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            if module.weight.numel() > 500:
                assert float(module.weight.detach().std()) == pytest.approx((2 / fan_out) ** 0.5, rel=0.15)
            assert module.bias is None or not module.bias.any()
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()


def test_group_normalisation_makes_images_independent():
    torch.manual_seed(0)
    net = StackedPoseGenerator(**TINY, norm_cfg=dict(type='GN', num_groups=4)).double()
    images = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    together, alone = net(images)[-1][1], net(images[1:2])[-1][1]
    torch.testing.assert_close(together[1:2], alone, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('size', [(16, 24), (24, 16), (20, 32), (40, 24)])
def test_sizes(size):
    """Width and height must be multiples of 4 * 2 ** depth."""
    net = StackedPoseGenerator(num_stacks=1, channels=8, depth=1)
    width, height = size
    image = torch.zeros(1, 3, height, width)
    if width % 8 == 0 and height % 8 == 0:
        assert net(image)[0][0].shape == (1, 8, height // 4, width // 4)
        return
    with pytest.raises(ValueError, match=rf'StackedPoseGenerator\(depth=1\).* {width} x {height} .*multiples of 8'):
        net(image)


@pytest.mark.parametrize(
    ('key', 'value', 'match'),
    [
        ('num_stacks', 0, 'num_stacks=0, allowed: an integer of at least 1'),
        ('num_stacks', True, 'num_stacks=True'),
        ('num_branches', 3, 'num_branches=3, allowed: 1, 2'),
        ('channels', 12, 'channels=12 is not a multiple of 8'),
        ('depth', 1.5, 'depth=1.5, allowed: an integer of at least 0'),
        ('stem_channels', (4, 8), r'stem_channels=\(4, 8\), allowed: a list of 3 items'),
        ('norm_cfg', dict(type='GN', num_groups=32), 'norm_cfg: num_groups=32 does not divide the 4 channels'),
    ],
)
def test_refusals(key, value, match):
    with pytest.raises(ValueError, match=match):
        StackedPoseGenerator(**dict(TINY, **{key: value}))
