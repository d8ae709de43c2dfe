"""Cells, sub-cells and flips, by hand and against numpy."""

import numpy as np
import pytest
import torch

from posestructs.codecs.part_decoding import (
    at_cells,
    best_cells,
    flip_average,
    mirror_channels,
    refine_cells,
    split_parts,
)


def test_channels_are_part_major():
    log_probs = torch.arange(7.0).reshape(1, 7, 1, 1).expand(1, 7, 2, 3)
    parts = split_parts(log_probs, 2)
    assert parts.shape == (1, 2, 3, 2, 3)
    assert parts[0, :, :, 0, 0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_best_cells_of_rectangular_maps():
    maps = torch.randn(3, 4, 5, 7, generator=torch.Generator().manual_seed(0))
    cells = best_cells(maps)
    for n in range(3):
        for v in range(4):
            y, x = np.unravel_index(maps[n, v].numpy().argmax(), (5, 7))
            assert cells[n, v].tolist() == [x, y]
    torch.testing.assert_close(at_cells(maps, cells), maps.amax(dim=(2, 3)))


def test_mirror_channels_swap_parts_and_types():
    # part 0 on the axis, its two types are each other's mirror images; 1 and 2 are each other's
    mirror_types = np.array([[1, 0], [0, 1], [0, 1]])
    assert mirror_channels((0, 2, 1), mirror_types) == [1, 0, 4, 5, 2, 3, 6]


def test_mirror_channels_where_types_of_a_pair_differ():
    # in a flipped image, type 0 of part 0 is type 2 of part 1, and so on
    mirror_types = np.array([[2, 0, 1], [1, 2, 0]])
    channels = mirror_channels((1, 0), mirror_types)
    for part, type_ in np.ndindex(2, 3):
        target = (1 - part) * 3 + mirror_types[part, type_]
        assert channels[target] == part * 3 + type_
    assert channels[-1] == 6


def test_flip_average_is_the_mean_probability():
    generator = torch.Generator().manual_seed(0)
    ours, flipped = torch.randn(2, 1, 5, 3, 4, generator=generator, dtype=torch.float64).log_softmax(dim=2)
    channels = [2, 3, 0, 1, 4]
    expected = (ours.exp().numpy() + flipped.exp().numpy()[:, channels, :, ::-1]) / 2
    averaged = flip_average(ours, flipped, channels)
    np.testing.assert_allclose(averaged.exp().numpy(), expected, rtol=1e-12)
    torch.testing.assert_close(averaged.exp().sum(dim=1), torch.ones(1, 3, 4, dtype=torch.float64))


def test_flip_average_survives_a_probability_of_zero():
    ours = torch.tensor([0.0, -torch.inf]).reshape(1, 2, 1, 1)
    averaged = flip_average(ours, ours.flip(1), [0, 1])
    torch.testing.assert_close(averaged.exp().flatten(), torch.tensor([0.5, 0.5]))


def parabola(width, height, x, y):
    grid_y, grid_x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    return (-0.3 * (grid_x - x) ** 2 - 0.7 * (grid_y - y) ** 2)[None, None].double()


@pytest.mark.parametrize(('x', 'y'), [(3.3, 2.0), (2.9, 4.4), (4.5, 1.8)])
def test_a_parabola_is_found_exactly(x, y):
    maps = parabola(8, 6, x, y)
    found = refine_cells(maps, best_cells(maps), 'parabola')
    torch.testing.assert_close(found, torch.tensor([[[x, y]]], dtype=torch.float64))


def test_a_cell_that_is_no_maximum_moves_by_half_a_cell_at_most():
    maps = parabola(8, 6, 6.0, 2.0)
    found = refine_cells(maps, torch.tensor([[[3, 2]]]), 'parabola')
    assert found.tolist() == [[[3.5, 2.0]]]
    # downhill to the left as well where it bends the other way
    found = refine_cells(-maps, torch.tensor([[[3, 2]]]), 'parabola')
    assert found.tolist() == [[[2.5, 2.0]]]


def test_quarter_of_a_cell():
    maps = parabola(8, 6, 3.3, 1.9)
    assert refine_cells(maps, best_cells(maps), 'quarter').tolist() == [[[3.25, 1.75]]]
    assert refine_cells(maps, best_cells(maps), None).tolist() == [[[3.0, 2.0]]]


@pytest.mark.parametrize('method', ['parabola', 'quarter'])
def test_a_cell_stays_beside_an_impossible_one(method):
    maps = parabola(8, 6, 3.3, 1.9)
    maps[..., 4], maps[..., 2] = -torch.inf, -torch.inf
    x, y = refine_cells(maps, torch.tensor([[[3, 2]]]), method)[0, 0].tolist()
    assert x == 3 and 1.7 < y < 2
    maps[..., 4] = 0.0  # on one side alone
    assert refine_cells(maps, torch.tensor([[[3, 2]]]), method)[0, 0, 0] == 3


@pytest.mark.parametrize('method', ['parabola', 'quarter'])
def test_borders_and_flat_maps_stay(method):
    maps = parabola(8, 6, 0.4, 5.0)
    assert refine_cells(maps, best_cells(maps), method).tolist() == [[[0.0, 5.0]]]
    flat = torch.zeros(1, 1, 4, 4)
    assert refine_cells(flat, torch.tensor([[[2, 1]]]), method).tolist() == [[[2.0, 1.0]]]
