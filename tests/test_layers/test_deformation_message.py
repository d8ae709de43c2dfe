"""Messages and the way back against loops over all placements, in float64."""

import numpy as np
import pytest
import torch

from posestructs.layers.deformation_message import best_given_parent, deformation_message
from posestructs.layers.shifted_max import penalty_table

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
    messages, columns = deformation_message(beliefs, *tables)
    count, parts, _, h, w = shape
    for py, px in np.ndindex(h, w):
        sums = sums_for(beliefs, offsets, weights, px, py).reshape(count, parts, -1)
        np.testing.assert_allclose(messages[..., py, px], sums.max(-1), rtol=0, atol=1e-12)
        parent = torch.tensor([px, py]).expand(count, parts, 2)
        cells, types = best_given_parent(beliefs, columns, parent, *tables)
        t, y, x = np.unravel_index(sums.argmax(-1), shape[2:])
        np.testing.assert_array_equal(types, t)
        np.testing.assert_array_equal(cells, np.stack((x, y), -1))


def test_parents_in_different_cells():
    (beliefs, *tables), *_ = make_case((3, 2, 3, 5, 6))
    _, columns = deformation_message(beliefs, *tables)
    parent = torch.tensor([[[0, 1], [5, 4]], [[2, 2], [3, 0]], [[4, 4], [1, 3]]])
    cells, types = best_given_parent(beliefs, columns, parent, *tables)
    for image in range(3):
        for part in range(2):
            of_one = [a[:, part : part + 1] for a in (beliefs[[image]], columns[[image]], parent[[image]])]
            cell, kind = best_given_parent(*of_one, *(table[[part]] for table in tables))
            assert torch.equal(cells[image, part], cell[0, 0]) and types[image, part] == kind[0, 0]


def test_the_placement_has_the_score_of_the_message_bit_by_bit():
    (beliefs, lost_x, lost_y), *_ = make_case((1, 1, 4, 13, 11), dtype=torch.float32)
    messages, columns = deformation_message(beliefs, lost_x, lost_y)
    for py, px in np.ndindex(13, 11):
        (((x, y),),), ((t,),) = best_given_parent(beliefs, columns, torch.tensor([[[px, py]]]), lost_x, lost_y)
        found = beliefs[0, 0, t, y, x] + lost_y[0, t, 12 + y - py] + lost_x[0, t, 10 + x - px]
        assert found == messages[0, 0, py, px]


def test_gradients():
    (beliefs, *tables), *_ = make_case((2, 2, 2, 3, 2))
    inputs = [a.requires_grad_() for a in (beliefs, *tables)]
    torch.autograd.gradcheck(lambda *a: deformation_message(*a)[0], inputs)
    messages, columns = deformation_message(*inputs)
    assert not columns.requires_grad
    # a message has one best placement for every cell of the parent: 12 of each part, in two images of 3 x 2
    for grad, others in zip(torch.autograd.grad(messages.sum(), inputs), ((0, 2, 3, 4), (1, 2), (1, 2)), strict=True):
        assert grad.sum(others).tolist() == [12.0, 12.0]
