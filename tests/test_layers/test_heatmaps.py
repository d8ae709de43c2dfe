"""Arg-max, refinement and coordinates, by hand, against NumPy and against mmpose."""

import numpy as np
import pytest
import torch
from mmpose.codecs.utils import get_heatmap_maximum

from posestructs.layers.heatmaps import argmax, cells_to_pixels, heatmap_maximum, pixels_to_cells, refine, values_at

SIZE = np.array([8.0, 4.0])


def test_cells_cover_whole_pixels():
    pixels = np.arange(-8, 24)
    cells = pixels_to_cells(np.stack([pixels, pixels], axis=1), SIZE)
    np.testing.assert_array_equal(cells[:, 0], pixels // 8)
    np.testing.assert_array_equal(cells[:, 1], pixels // 4)
    # between pixels 7 and 8, the border is at 7.5
    np.testing.assert_array_equal(pixels_to_cells(np.array([[7.49, 3.49], [7.5, 3.5]]), SIZE), [[0, 0], [1, 1]])
    np.testing.assert_array_equal(cells_to_pixels(np.array([[0, 0], [2, 3]]), SIZE), [[3.5, 1.5], [19.5, 13.5]])


def test_mirrored_pixels_are_in_mirrored_cells():
    width, cells = 48, 6
    x = np.random.default_rng(0).uniform(0, width - 1, 100)
    points = np.stack([x, x], axis=1)
    mirrored = np.stack([width - 1 - x, x], axis=1)
    found, flipped = pixels_to_cells(points, SIZE), pixels_to_cells(mirrored, SIZE)
    np.testing.assert_array_equal(flipped[:, 0], cells - 1 - found[:, 0])
    centre, other = cells_to_pixels(found, SIZE), cells_to_pixels(flipped, SIZE)
    np.testing.assert_allclose(other[:, 0], width - 1 - centre[:, 0])


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.float16])
def test_maxima_are_those_of_mmpose(dtype):
    torch.manual_seed(0)
    maps = torch.randn(3, 5, 7, 11).to(dtype)
    maps[1, 2], maps[2, 0] = -1, 0  # nothing above 0
    cells, values = heatmap_maximum(maps)
    expected, scores = get_heatmap_maximum(maps.numpy())
    np.testing.assert_array_equal(cells.numpy(), expected)
    np.testing.assert_array_equal(values.numpy(), scores)
    assert cells.dtype == torch.promote_types(dtype, torch.float32)


def test_argmax_of_rectangular_maps():
    maps = torch.randn(3, 4, 5, 7, generator=torch.Generator().manual_seed(0))
    cells = argmax(maps)
    for n in range(3):
        for v in range(4):
            y, x = np.unravel_index(maps[n, v].numpy().argmax(), (5, 7))
            assert cells[n, v].tolist() == [x, y]
    torch.testing.assert_close(values_at(maps, cells), maps.amax(dim=(2, 3)))


def parabola(width, height, x, y):
    grid_y, grid_x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    return (-0.3 * (grid_x - x) ** 2 - 0.7 * (grid_y - y) ** 2)[None, None].double()


@pytest.mark.parametrize(('x', 'y'), [(3.3, 2.0), (2.9, 4.4), (4.5, 1.8)])
def test_a_parabola_is_found_exactly(x, y):
    maps = parabola(8, 6, x, y)
    found = refine(maps, argmax(maps), 'parabola')
    torch.testing.assert_close(found, torch.tensor([[[x, y]]], dtype=torch.float64))


def test_a_cell_that_is_no_maximum_moves_by_half_a_cell_at_most():
    maps = parabola(8, 6, 6.0, 2.0)
    found = refine(maps, torch.tensor([[[3, 2]]]), 'parabola')
    assert found.tolist() == [[[3.5, 2.0]]]
    # downhill to the left as well where it bends the other way
    found = refine(-maps, torch.tensor([[[3, 2]]]), 'parabola')
    assert found.tolist() == [[[2.5, 2.0]]]


def test_quarter_of_a_cell():
    maps = parabola(8, 6, 3.3, 1.9)
    assert refine(maps, argmax(maps), 'quarter').tolist() == [[[3.25, 1.75]]]
    assert refine(maps, argmax(maps), None).tolist() == [[[3.0, 2.0]]]


@pytest.mark.parametrize('method', ['parabola', 'quarter'])
def test_a_cell_stays_beside_an_impossible_one(method):
    maps = parabola(8, 6, 3.3, 1.9)
    maps[..., 4], maps[..., 2] = -torch.inf, -torch.inf
    x, y = refine(maps, torch.tensor([[[3, 2]]]), method)[0, 0].tolist()
    assert x == 3 and 1.7 < y < 2
    maps[..., 4] = 0.0  # on one side alone
    assert refine(maps, torch.tensor([[[3, 2]]]), method)[0, 0, 0] == 3


@pytest.mark.parametrize('method', ['parabola', 'quarter'])
def test_borders_and_flat_maps_stay(method):
    maps = parabola(8, 6, 0.4, 5.0)
    assert refine(maps, argmax(maps), method).tolist() == [[[0.0, 5.0]]]
    flat = torch.zeros(1, 1, 4, 4)
    assert refine(flat, torch.tensor([[[2, 1]]]), method).tolist() == [[[2.0, 1.0]]]
