"""Effects of messages on heatmaps against the network's own forward pass, with messages removed by zeroed weights."""

import copy

import pytest
import torch
from mmpose.registry import MODELS
from torch import nn

from posestructs.visualization.residual_messages import joint_maps

# body - arm - hand and body - leg; the arm is a virtual part
TREE = dict(names=['body', 'arm', 'hand', 'leg'], parents=[-1, 0, 1, 0], joints=['leg', 'body', 'hand'])
TREE['weights'] = dict(arm=dict(body=0.5, hand=0.5))
EDGES = ['arm', 'hand', 'leg']  # of the neck's weights, by child
LEG, BODY, HAND = range(3)


@pytest.fixture(params=[dict(), dict(out_joints=False, stride=2)], ids=['joints', 'parts'])
def model(request):
    torch.manual_seed(0)
    neck = MODELS.build(
        dict(
            type='ResidualMessagePassing', in_channels=5, tree=TREE, part_channels=4, in_index=(-1, 0), **request.param
        )
    )
    head = nn.Sequential(nn.ReLU(), nn.Conv2d(5, 6, 1))  # heatmaps of 3 joints, then their occlusion maps
    for parameter in (*neck.parameters(), *head.parameters()):
        nn.init.normal_(parameter, std=0.4)
    feats = [(torch.randn(2, 5, 16, 18).double(), None), (torch.randn(2, 5, 16, 18).double(), None)]
    return neck.double(), head.double(), feats


class OfStack(nn.Module):
    """A head that reads the first branch of the last stack and has one output per stack."""

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, feats):
        return [None, self.head(feats[-1][0])]


@torch.no_grad()
def without(neck, edges):
    """A copy whose messages over (edge, direction) are zero."""
    mute = copy.deepcopy(neck)
    for child, direction in edges:
        kernels = getattr(mute, direction)
        for weight, bias in zip(kernels.kernels, kernels.biases, strict=True):
            weight[EDGES.index(child)] = 0
            bias[EDGES.index(child)] = 0
    return mute


@pytest.mark.parametrize(
    ('joint', 'messages'),
    [
        (BODY, dict(arm=('arm', 'up'), leg=('leg', 'up'))),
        (HAND, dict(arm=('hand', 'down'))),
        (LEG, dict(body=('leg', 'down'))),
    ],
)
@torch.no_grad()
def test_an_effect_is_what_the_network_lacks_without_the_message(model, joint, messages):
    neck, head, feats = model
    found = joint_maps(neck, OfStack(head), feats, joint, image=1)
    full = head(neck(feats)[-1][0])[1]
    assert found.name == ['leg', 'body', 'hand'][joint]
    torch.testing.assert_close(torch.tensor(found.after), full[joint])
    silent = without(neck, [(child, direction) for child in EDGES for direction in ('up', 'down')])
    torch.testing.assert_close(torch.tensor(found.before), head(silent(feats)[-1][0])[1, joint])
    assert [n.name for n in found.neighbours] == list(messages)
    for neighbour in found.neighbours:
        lacking = head(without(neck, [messages[neighbour.name]])(feats)[-1][0])[1, joint]
        torch.testing.assert_close(torch.tensor(neighbour.without), lacking)
        torch.testing.assert_close(torch.tensor(neighbour.effect), full[joint] - lacking)
        assert abs(neighbour.effect).max() > 1e-3
        assert neighbour.direction == messages[neighbour.name][1]
    own = dict(leg=full[LEG], body=full[BODY], arm=torch.zeros_like(full[0]))  # a virtual part has no heatmap
    for neighbour in found.neighbours:
        torch.testing.assert_close(torch.tensor(neighbour.score), own[neighbour.name])
