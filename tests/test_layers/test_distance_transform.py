"""Distance transforms and back-tracking against loops over all placements and all pairs of cells, in float64."""

import numpy as np
import pytest
import torch

from posestructs.layers import distance_transform as module
from posestructs.layers.distance_transform import Workspace, backtrack, distance_transform, penalty, penalty_table

SHAPES = [(2, 2, 3, 4, 6), (1, 1, 1, 9, 5), (1, 3, 2, 1, 7), (2, 1, 2, 10, 9)]


def make_case(shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    beliefs = torch.randn(shape, generator=generator, dtype=torch.float64) * 2
    offsets = torch.randn(*shape[1:3], 2, generator=generator, dtype=torch.float64) * 2
    weights = torch.rand(*shape[1:3], 2, generator=generator, dtype=torch.float64) / 2
    tables = [penalty_table(shape[4 - axis], offsets[..., axis], weights[..., axis]) for axis in (0, 1)]
    return [a.to(dtype) for a in (beliefs, *tables)], offsets.numpy(), weights.numpy()


def sums_for(beliefs, offsets, weights, px, py):
    """(N, P, T, H, W) score of each placement with the parent in one cell."""
    y, x = np.indices(beliefs.shape[-2:])
    dx = x - px - offsets[..., 0, None, None]
    dy = y - py - offsets[..., 1, None, None]
    return beliefs.numpy() - weights[..., 0, None, None] * dx**2 - weights[..., 1, None, None] * dy**2


@pytest.mark.parametrize('shape', SHAPES)
def test_equals_loops_over_the_cells_of_the_parent(shape):
    (beliefs, *tables), offsets, weights = make_case(shape)
    messages, columns = distance_transform(beliefs, *tables)
    count, parts, _, h, w = shape
    for py, px in np.ndindex(h, w):
        sums = sums_for(beliefs, offsets, weights, px, py).reshape(count, parts, -1)
        np.testing.assert_allclose(messages[..., py, px], sums.max(-1), rtol=0, atol=1e-12)
        parent = torch.tensor([px, py]).expand(count, parts, 2)
        cells, types = backtrack(beliefs, columns, parent, *tables)
        t, y, x = np.unravel_index(sums.argmax(-1), shape[2:])
        np.testing.assert_array_equal(types, t)
        np.testing.assert_array_equal(cells, np.stack((x, y), -1))


def test_parents_in_different_cells():
    (beliefs, *tables), *_ = make_case((3, 2, 3, 5, 6))
    _, columns = distance_transform(beliefs, *tables)
    parent = torch.tensor([[[0, 1], [5, 4]], [[2, 2], [3, 0]], [[4, 4], [1, 3]]])
    cells, types = backtrack(beliefs, columns, parent, *tables)
    for image in range(3):
        for part in range(2):
            of_one = [a[:, part : part + 1] for a in (beliefs[[image]], columns[[image]], parent[[image]])]
            cell, kind = backtrack(*of_one, *(table[[part]] for table in tables))
            assert torch.equal(cells[image, part], cell[0, 0]) and types[image, part] == kind[0, 0]


def test_the_placement_has_the_score_of_the_message_bit_by_bit():
    (beliefs, penalties_x, penalties_y), *_ = make_case((1, 1, 4, 13, 11), dtype=torch.float32)
    messages, columns = distance_transform(beliefs, penalties_x, penalties_y)
    for py, px in np.ndindex(13, 11):
        (((x, y),),), ((t,),) = backtrack(beliefs, columns, torch.tensor([[[px, py]]]), penalties_x, penalties_y)
        found = beliefs[0, 0, t, y, x] + penalties_y[0, t, 12 + y - py] + penalties_x[0, t, 10 + x - px]
        assert found == messages[0, 0, py, px]


def transform(values, penalties, merge_types, workspace=None):
    return module.line_transform(values, penalties, merge_types, workspace or Workspace())


LINES = [(1, 1, 1, 1, 1), (2, 1, 3, 5, 4), (1, 2, 2, 9, 3), (3, 2, 1, 13, 8), (2, 1, 2, 4, 16), (1, 1, 2, 8, 7)]
"""N, P, T, S, L: fewer, as many and more cells than rows of a slab, whole slabs and not."""


def line_case(shape, seed=0):
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
                    penalties = weight[i, j] * (s - d - offset[i, j]) ** 2
                    sums[:, i, j, d, s] = values[:, i, j, s] - penalties
    return sums


def as_tensors(case):
    values, offset, weight = (torch.from_numpy(a) for a in case)
    return values, penalty_table(values.shape[3], offset, weight)


def test_penalties_by_hand():
    # two cells right of where it is expected: 0.5 * 2^2
    assert penalty(torch.tensor(5.0), torch.tensor(3.0), torch.tensor(0.5)) == -2
    table = penalty_table(3, torch.tensor([[1.0]]), torch.tensor([[2.0]]))
    assert table.tolist() == [[[-18.0, -8.0, -2.0, 0.0, -2.0]]]  # distances -2, -1, 0, 1, 2


@pytest.mark.parametrize('shape', LINES)
def test_equals_loops_over_all_pairs_of_cells(shape):
    case = line_case(shape)
    sums = by_loops(*case)
    values, penalties = as_tensors(case)
    torch.testing.assert_close(transform(values, penalties, False), torch.from_numpy(sums.max(4)), rtol=0, atol=1e-12)
    torch.testing.assert_close(
        transform(values, penalties, True), torch.from_numpy(sums.max((2, 4))), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize('limit', [1, 2000])
def test_slabs_of_few_images_change_nothing(monkeypatch, limit):
    values, penalties = as_tensors(line_case((5, 2, 3, 6, 8)))
    expected = [transform(values, penalties, merge) for merge in (False, True)]
    monkeypatch.setattr(module, 'CPU_SLAB', limit)
    for merge in (False, True):
        assert torch.equal(transform(values, penalties, merge), expected[merge])


def test_maps_in_any_memory_order():
    values, penalties = as_tensors(line_case((2, 2, 2, 6, 6)))
    for merge in (False, True):
        turned = values.transpose(-1, -2).contiguous().transpose(-1, -2)
        assert torch.equal(transform(turned, penalties, merge), transform(values, penalties, merge))


def test_impossible_cells():
    values = torch.full((1, 1, 2, 3, 2), -torch.inf)
    penalties = penalty_table(3, torch.zeros(1, 2), torch.ones(1, 2))
    for merge in (False, True):
        assert (transform(values, penalties, merge) == -torch.inf).all()
    values[0, 0, 1, 2, 0] = 1.0
    assert transform(values, penalties, True)[0, 0, :, 0].tolist() == [-3.0, 0.0, 1.0]


def test_no_images():
    values, penalties = as_tensors(line_case((1, 2, 3, 5, 4)))
    assert transform(values[:0], penalties, False).shape == (0, 2, 3, 5, 4)
    assert transform(values[:0], penalties, True).shape == (0, 2, 5, 4)


def test_a_workspace_is_used_again_for_any_size():
    workspace = Workspace()
    for shape in ((1, 2, 3, 6, 8), (2, 1, 1, 4, 3), (2, 2, 3, 9, 8)):
        values, penalties = as_tensors(line_case(shape))
        for merge in (False, True):
            assert torch.equal(transform(values, penalties, merge, workspace), transform(values, penalties, merge))
    small, same = (workspace.view((2, 3), values) for _ in range(2))
    assert small.shape == (2, 3) and small.data_ptr() == same.data_ptr()
