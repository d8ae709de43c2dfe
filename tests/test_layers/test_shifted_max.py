"""Maxima of shifted values against loops over all pairs of cells, in float64."""

import numpy as np
import pytest
import torch

from posestructs.layers import shifted_max as module
from posestructs.layers.shifted_max import Workspace, penalty, penalty_table


def shifted_max(values, lost, merge_types, workspace=None):
    return module.shifted_max(values, lost, merge_types, workspace or Workspace())


def shifted_argmax(values, lost, merge_types, workspace=None):
    return module.shifted_argmax(values, lost, merge_types, workspace or Workspace())


SHAPES = [(1, 1, 1, 1, 1), (2, 1, 3, 5, 4), (1, 2, 2, 9, 3), (3, 2, 1, 13, 8), (2, 1, 2, 4, 16), (1, 1, 2, 8, 7)]
"""N, P, T, S, L: fewer, as many and more cells than rows of a slab, whole slabs and not."""


def make_case(shape, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 2, shape)
    offset, weight = rng.normal(0, 3, shape[1:3]), rng.uniform(0, 0.5, shape[1:3])
    weight[0, 0] = 0
    return values, offset, weight


def by_loops(values, offset, weight):
    """[n, p, t, d, s, l] sums."""
    n, p, t, size, lines = values.shape
    sums = np.empty((n, p, t, size, size, lines))
    for d in range(size):
        for s in range(size):
            for i in range(p):
                for j in range(t):
                    lost = weight[i, j] * (s - d - offset[i, j]) ** 2
                    sums[:, i, j, d, s] = values[:, i, j, s] - lost
    return sums


def as_tensors(case):
    values, offset, weight = (torch.from_numpy(a) for a in case)
    return values, penalty_table(values.shape[3], offset, weight)


def test_penalties_by_hand():
    # two cells right of where it is expected: 0.5 * 2^2
    assert penalty(torch.tensor(5.0), torch.tensor(3.0), torch.tensor(0.5)) == -2
    table = penalty_table(3, torch.tensor([[1.0]]), torch.tensor([[2.0]]))
    assert table.tolist() == [[[-18.0, -8.0, -2.0, 0.0, -2.0]]]  # distances -2, -1, 0, 1, 2


@pytest.mark.parametrize('shape', SHAPES)
def test_equals_loops_over_all_pairs(shape):
    case = make_case(shape)
    sums = by_loops(*case)
    values, lost = as_tensors(case)
    torch.testing.assert_close(shifted_max(values, lost, False), torch.from_numpy(sums.max(4)), rtol=0, atol=1e-12)
    torch.testing.assert_close(shifted_max(values, lost, True), torch.from_numpy(sums.max((2, 4))), rtol=0, atol=1e-12)

    best, s = shifted_argmax(values, lost, False)
    assert torch.equal(best, shifted_max(values, lost, False))
    np.testing.assert_array_equal(s.numpy(), sums.argmax(4))
    best, index = shifted_argmax(values, lost, True)
    assert torch.equal(best, shifted_max(values, lost, True))
    # (n, p, t, d, s, l) to (n, p, d, l, t * s)
    merged = sums.transpose(0, 1, 3, 5, 2, 4).reshape(*best.shape, -1)
    np.testing.assert_array_equal(index.numpy(), merged.argmax(-1))


@pytest.mark.parametrize('limit', [1, 2000])
def test_slabs_of_few_images_change_nothing(monkeypatch, limit):
    values, lost = as_tensors(make_case((5, 2, 3, 6, 8)))
    expected = [shifted_max(values, lost, merge) for merge in (False, True)]
    monkeypatch.setattr(module, 'CPU_SLAB', limit)
    for merge in (False, True):
        assert torch.equal(shifted_max(values, lost, merge), expected[merge])
        assert torch.equal(shifted_argmax(values, lost, merge)[0], expected[merge])


def test_maps_in_any_memory_order():
    values, lost = as_tensors(make_case((2, 2, 2, 6, 6)))
    for merge in (False, True):
        turned = values.transpose(-1, -2).contiguous().transpose(-1, -2)
        assert torch.equal(shifted_max(turned, lost, merge), shifted_max(values, lost, merge))


def test_impossible_cells():
    values = torch.full((1, 1, 2, 3, 2), -torch.inf)
    lost = penalty_table(3, torch.zeros(1, 2), torch.ones(1, 2))
    for merge in (False, True):
        best, index = shifted_argmax(values, lost, merge)
        assert (best == -torch.inf).all() and (index >= 0).all() and (index < 6).all()
    values[0, 0, 1, 2, 0] = 1.0
    assert shifted_max(values, lost, True)[0, 0, :, 0].tolist() == [-3.0, 0.0, 1.0]
    assert shifted_argmax(values, lost, True)[1][0, 0, :, 0].tolist() == [5, 5, 5]


def test_no_images():
    values, lost = as_tensors(make_case((1, 2, 3, 5, 4)))
    assert shifted_max(values[:0], lost, False).shape == (0, 2, 3, 5, 4)
    assert shifted_max(values[:0], lost, True).shape == (0, 2, 5, 4)


def test_a_workspace_is_used_again_for_any_size():
    workspace = Workspace()
    for shape in ((1, 2, 3, 6, 8), (2, 1, 1, 4, 3), (2, 2, 3, 9, 8)):
        values, lost = as_tensors(make_case(shape))
        for merge in (False, True):
            assert torch.equal(shifted_max(values, lost, merge, workspace), shifted_max(values, lost, merge))
    small, same = (workspace.view((2, 3), values) for _ in range(2))
    assert small.shape == (2, 3) and small.data_ptr() == same.data_ptr()
