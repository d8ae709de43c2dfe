"""Messages as a residual of a feature map: the sum, other maps, errors, and gradients."""

import pytest
import torch
from mmpose.registry import MODELS

from posestructs.models.necks import ResidualMessagePassing, TreeMessagePassing
from posestructs.models.necks.residual_message_passing import enlarge

TREE = dict(names=list('abcd'), parents=[1, -1, 1, 2], joints=['d', 'a', 'b'], weights=dict(c=dict(a=0.5, b=0.5)))
OPTIONS = dict(in_channels=5, tree=TREE, part_channels=4)


def learned(seed=0, **options):
    """A neck whose W is not zero."""
    torch.manual_seed(seed)
    neck = ResidualMessagePassing(**{**OPTIONS, **options}).double()
    for parameter in neck.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return neck


def feature_maps(count=4, height=13, width=15):
    torch.manual_seed(1)
    return torch.randn(count, 2, 5, height, width, dtype=torch.float64)


@pytest.mark.parametrize('options', [{}, dict(out_joints=False), dict(preset='separable', direction='up')])
def test_the_formula(options):
    """Y + W [A', B'], with A' and B' of the plain neck of the same weights."""
    neck = learned(**options)
    plain = TreeMessagePassing(**{**OPTIONS, 'out_joints': True, **options}).double()
    weights = {key: value for key, value in neck.state_dict().items() if not key.startswith('fuse')}
    plain.load_state_dict(weights)
    (x, *_) = feature_maps()
    (updated,) = plain((x,))
    weight, bias = neck.fuse.weight[:, :, 0, 0], neck.fuse.bias
    assert weight.shape == (5, (4 if 'out_joints' in options else 3) * 2 * 4)
    expected = x + torch.einsum('oi,nihw->nohw', weight, updated) + bias[:, None, None]
    (found,) = neck((x,))
    torch.testing.assert_close(found, expected)
    assert (expected - x).abs().mean() > 0.1
    assert neck.out_channels == neck.in_channels == 5


def test_other_stacks_and_branches_are_unchanged():
    y1, z1, y2, z2 = feature_maps()
    neck = learned(in_index=(-1, 0))
    given = [(y1, z1), (y2, z2)]
    found = neck(given)
    assert isinstance(found, list) and [type(stack) for stack in found] == [tuple, tuple]
    assert found[0][0] is y1 and found[0][1] is z1 and found[1][1] is z2
    torch.testing.assert_close(found[1][0], neck(y2))
    assert not torch.equal(found[1][0], y2)
    # the input is unchanged
    assert given[1][0] is y2
    # one branch, several scales, one map
    one = learned(in_index=-1)
    assert isinstance(one([y1, y2]), list) and one([y1, y2])[0] is y1
    assert isinstance(one((y1, y2)), tuple) and torch.equal(one((y1, y2))[1], one(y2))


def test_training_starts_from_the_model_without_messages():
    torch.manual_seed(0)
    neck = ResidualMessagePassing(**OPTIONS).double()
    (x, *_) = feature_maps()
    target = feature_maps()[1]
    assert torch.equal(neck(x), x)
    optimizer = torch.optim.Adam(neck.parameters(), lr=1e-2)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = (neck(x) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    # W = 0 does not block gradients
    assert all(parameter.grad.abs().max() > 0 for parameter in neck.parameters())


def test_every_stack_keeps_its_own_supervision():
    """In Adversarial PoseNet: only the last stack's pose maps change."""
    groups = dict(type='GN', num_groups=2)
    generator = MODELS.build(
        dict(type='StackedPoseGenerator', num_stacks=2, channels=8, depth=1, norm_cfg=groups, stem_channels=(4, 4, 4))
    )
    head = MODELS.build(
        dict(type='AdversarialHead', in_channels=8, out_channels=3, num_stacks=2, multi_task=True, norm_cfg=groups)
    )
    neck = learned(in_channels=8, in_index=(-1, 0), preset='separable').float()
    torch.manual_seed(0)
    feats = generator(torch.randn(1, 3, 64, 64))
    plain, hybrid = head(feats), head(neck(feats))
    assert torch.equal(plain[0], hybrid[0]) and len(hybrid) == 2
    assert torch.equal(plain[1][:, 3:], hybrid[1][:, 3:]), 'maps of occlusion'
    assert not torch.allclose(plain[1][:, :3], hybrid[1][:, :3])
    hybrid[0].sum().backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in neck.parameters())
    hybrid[1].sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in neck.parameters())


def test_what_is_not_allowed():
    with pytest.raises(TypeError, match='keep_input=True is not for ResidualMessagePassing'):
        ResidualMessagePassing(**OPTIONS, keep_input=True)
    neck = learned(in_index=(-1, 0))
    with pytest.raises(TypeError, match=r'in_index=\(-1, 0\), but the backbone returns a tensor'):
        neck([torch.zeros(1, 5, 13, 13)])
    with pytest.raises(ValueError, match='in_channels=5, but the feature map has 4 channels'):
        learned()(torch.zeros(1, 4, 13, 13, dtype=torch.float64))


def test_stride_passes_messages_in_a_smaller_map():
    """Against plain loops in float64: means over cells, messages, bilinear enlargement with half-pixel centres."""
    torch.manual_seed(0)
    neck = MODELS.build(
        dict(type='ResidualMessagePassing', in_channels=3, tree=dict(from_file='lsp-26.py'), part_channels=4, stride=2)
        | dict(preset=None, transform=[dict(channels=4, kernel_size=3)])
    ).double()
    torch.nn.init.normal_(neck.fuse.weight)
    plain = MODELS.build(
        dict(type='ResidualMessagePassing', in_channels=3, tree=dict(from_file='lsp-26.py'), part_channels=4)
        | dict(preset=None, transform=[dict(channels=4, kernel_size=3)])
    ).double()
    plain.load_state_dict(neck.state_dict())
    x = torch.randn(1, 3, 8, 12, dtype=torch.float64)
    small = torch.zeros(1, 3, 4, 6, dtype=torch.float64)
    for i in range(4):
        for j in range(6):
            small[0, :, i, j] = x[0, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((1, 2))
    change = (plain((small,))[0] - small)[0]
    expected = x.clone()
    for i in range(8):
        for j in range(12):
            top, left = min(max((i + 0.5) / 2 - 0.5, 0), 3), min(max((j + 0.5) / 2 - 0.5, 0), 5)
            for row in range(4):
                for column in range(6):
                    weight = max(0, 1 - abs(row - top)) * max(0, 1 - abs(column - left))
                    expected[0, :, i, j] += weight * change[:, row, column]
    assert torch.allclose(neck((x,))[0], expected, atol=1e-10)


@pytest.mark.parametrize('stride', [0, -1, 1.5, True, '2'])
def test_stride_is_a_whole_number(stride):
    with pytest.raises(ValueError, match=f'stride={stride!r}, allowed: an integer of at least 1'):
        MODELS.build(
            dict(type='ResidualMessagePassing', in_channels=3, tree=dict(from_file='lsp-26.py'), stride=stride)
        )


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_updates_are_enlarged_bilinearly_in_both_layouts(layout):
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64, requires_grad=True)
    found = enlarge(x.contiguous(memory_format=layout), (9, 16))
    expected = torch.nn.functional.interpolate(x, size=(9, 16), mode='bilinear', align_corners=False)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(found)
    gradients = [torch.autograd.grad((maps * weights).sum(), x)[0] for maps in (found, expected)]
    torch.testing.assert_close(*gradients)
