"""The loss of given or mirrored labels against loops in float64, and what it refuses."""

import pytest
import torch
from mmpose.registry import MODELS

META = dict(
    dataset_name='five',
    keypoint_info={
        0: dict(name='head', id=0, swap=''),
        1: dict(name='left_hand', id=1, swap='right_hand'),
        2: dict(name='right_hand', id=2, swap='left_hand'),
        3: dict(name='left_foot', id=3, swap='right_foot'),
        4: dict(name='right_foot', id=4, swap='left_foot'),
    },
    skeleton_info={
        i: dict(link=link, id=i)
        for i, link in enumerate(
            [('head', 'left_hand'), ('head', 'right_hand'), ('head', 'left_foot'), ('head', 'right_foot')]
        )
    },
)
MIRROR = [0, 2, 1, 4, 3]
HANDS, FEET = ['left_hand', 'right_hand'], ['left_foot', 'right_foot']


def build(**kwargs):
    return MODELS.build(dict(type='MirrorTolerantLoss', metainfo=META, **kwargs))


def by_hand(maps, targets, weights, groups, ratio):
    """The formula of the module with loops over persons, groups and joints."""
    total = 0.0
    for n in range(len(maps)):
        for group in groups:
            given = [float(weights[n, i] * ((maps[n, i] - targets[n, i]) ** 2).sum()) for i in group]
            mirrored = [float(weights[n, MIRROR[i]] * ((maps[n, i] - targets[n, MIRROR[i]]) ** 2).sum()) for i in group]
            total += sum(mirrored) if sum(mirrored) < ratio * sum(given) else sum(given)
    return total / (2 * len(maps))


@pytest.fixture
def batch():
    """Eight persons: some predicted as labelled, some mirrored, some with mirrored feet only, some between."""
    torch.manual_seed(0)
    targets = torch.rand(8, 5, 3, 4, dtype=torch.float64)
    weights = (torch.rand(8, 5) < 0.8).double()
    maps = targets.clone()
    maps[2:4] = targets[2:4][:, MIRROR]
    maps[4:6, 3:] = targets[4:6, [4, 3]]
    maps[6:] = (targets[6:] + targets[6:][:, MIRROR]) / 2
    return maps + 0.05 * torch.randn_like(maps), targets, weights


@pytest.mark.parametrize(
    ('groups', 'indices'),
    [(None, [[0, 1, 2, 3, 4]]), ([HANDS, FEET], [[1, 2], [3, 4], [0]]), ([FEET], [[3, 4], [0], [1], [2]])],
)
@pytest.mark.parametrize('ratio', [0, 0.5, 1])
def test_equals_the_formula(batch, groups, indices, ratio):
    maps, targets, weights = batch
    if groups == [FEET]:  # joints in no group are never mirrored
        expected = by_hand(maps, targets, weights, [[3, 4]], ratio)
        expected += by_hand(maps[:, :3], targets[:, :3], weights[:, :3], [[0, 1, 2]], 0)
    else:
        expected = by_hand(maps, targets, weights, indices, ratio)
    assert float(build(groups=groups, ratio=ratio)(maps, targets, weights)) == pytest.approx(expected, rel=1e-12)


def test_ratio_0_is_the_plain_loss_and_a_mirrored_person_costs_nothing(batch):
    maps, targets, weights = batch
    plain = MODELS.build(dict(type='HeatmapSumLoss'))
    torch.testing.assert_close(build(ratio=0)(maps, targets, weights), plain(maps, targets, weights))
    mirrored = targets[:, MIRROR]
    assert float(build()(mirrored, targets, weights)) == 0
    assert float(build(groups=[FEET])(mirrored, targets, weights)) > 0
    # half of a joint on each side: neither labelling fits clearly better, the given one holds
    between = (targets + mirrored) / 2
    torch.testing.assert_close(build()(between, targets, weights), plain(between, targets, weights))


def test_gradients(batch):
    maps, targets, weights = batch
    maps.requires_grad_()
    torch.autograd.gradcheck(lambda maps: build()(maps, targets, weights), maps)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(ratio=1.5), 'ratio=1.5'),
        (dict(ratio=float('nan')), 'ratio=nan'),
        (dict(groups=[['left_hand', 'nose']]), r"groups=\['left_hand', 'nose'\], allowed: joints of"),
        (dict(groups=[['left_hand']]), 'lacks the mirror joints of'),
        (dict(groups=[HANDS, HANDS]), 'names a joint twice'),
        (dict(groups='feet'), 'groups'),
    ],
)
def test_refuses(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)


def test_refuses_maps_of_another_skeleton():
    maps = torch.zeros(1, 4, 2, 2)
    with pytest.raises(ValueError, match='metainfo has 5 joints, the maps 4'):
        build()(maps, maps, maps[:, :, 0, 0])
