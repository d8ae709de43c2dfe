"""Geometry of a pose by hand, and what a score must not depend on."""

import math

import pytest
import torch

from posestructs.layers.soft_argmax import draw
from posestructs.models.discriminators import PoseVectorDiscriminator

CHAIN = dict(names=['hip', 'knee', 'ankle'], parents=[None, 'hip', 'knee'])


def test_descriptor_by_hand():
    net = PoseVectorDiscriminator(CHAIN, num_joints=3, channels=4, num_layers=1).double()
    cells = torch.tensor([[[2.0, 0.0], [2.0, 4.0], [6.0, 8.0]]], dtype=torch.float64)
    mean = (10 / 3, 4.0)
    centred = [(x - mean[0], y - mean[1]) for x, y in cells[0].tolist()]
    spread = math.sqrt(sum(x * x + y * y for x, y in centred) / 3)
    points = [(x / spread, y / spread) for x, y in centred]
    thigh, shin = (0.0, 4 / spread), (4 / spread, 4 / spread)
    wanted = [1, 1, 1, *(v for p in points for v in p)]
    found = net.describe(cells, torch.ones(1, 3, dtype=torch.float64))[0].tolist()
    assert found[:9] == pytest.approx(wanted)
    # edges in the order of the children
    assert found[9:13] == pytest.approx([*thigh, *shin])
    assert found[13:15] == pytest.approx([math.hypot(*thigh), math.hypot(*shin)])
    assert found[15:17] == [1, 1]
    assert found[17] == pytest.approx(thigh[0] * shin[0] + thigh[1] * shin[1])
    assert found[18] == pytest.approx(thigh[0] * shin[1] - thigh[1] * shin[0])
    assert len(found) == 3 * 3 + 4 * 2 + 2


def test_unlabelled_joints_have_no_effect():
    net = PoseVectorDiscriminator(CHAIN, channels=4).double()
    cells, known = torch.rand(1, 3, 2).double() * 9, torch.tensor([[1.0, 0.0, 1.0]]).double()
    moved = cells.clone()
    moved[0, 1] = 100.0
    assert torch.equal(net.describe(cells, known), net.describe(moved, known))
    assert net.describe(cells, 0 * known).isfinite().all()


def test_place_size_and_height_of_maps_do_not_matter():
    torch.manual_seed(0)
    net = PoseVectorDiscriminator(CHAIN, channels=8).double()
    torch.nn.init.normal_(net.layers[-1].weight)
    cells = torch.tensor([[[2.0, 1.0], [3.0, 3.0], [5.0, 4.0]]], dtype=torch.float64)
    score = net(draw(cells, (16, 16), 1.0))
    torch.testing.assert_close(net(0.1 * draw(cells + 3, (16, 16), 1.0)), score, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(net(draw(2 * cells, (16, 16), 1.0)), score, rtol=1e-3, atol=1e-6)
    other = cells.clone()
    other[0, 2, 0] -= 4
    assert (net(draw(other, (16, 16), 1.0)) - score).abs().min() > 1e-3


def test_gradients_reach_the_maps_of_all_joints():
    net = PoseVectorDiscriminator(CHAIN, channels=8)
    maps = torch.rand(2, 3, 8, 8, requires_grad=True)
    net(maps).sum().backward()
    assert (maps.grad.abs().sum((2, 3)) > 0).all() and maps.grad.isfinite().all()


def test_joints_and_tree_must_agree():
    with pytest.raises(ValueError, match='tree has 3 parts for num_joints=4'):
        PoseVectorDiscriminator(CHAIN, num_joints=4)
    with pytest.raises(ValueError, match='6 maps, allowed with num_joints=3: as many'):
        PoseVectorDiscriminator(CHAIN)(torch.rand(1, 6, 4, 4))
