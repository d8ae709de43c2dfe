"""Maps of Gaussians against mmpose's generators and against the formula, cell by cell."""

import math

import numpy as np
import pytest
from mmpose.codecs.utils import (
    generate_gaussian_heatmaps,
    generate_udp_gaussian_heatmaps,
    generate_unbiased_gaussian_heatmaps,
)

from posestructs.codecs.gaussian_maps import draw_gaussians, fill_gaussians

SIZE = (24, 16)  # width, height


def joints(seed=0, count=40):
    rng = np.random.default_rng(seed)
    cells = rng.uniform((-12, -12), (36, 28), (count, 2)).astype(np.float32)
    # mmpose puts a Gaussian at -2.2 at cell -1: it rounds towards zero after adding a half. Halves are safe from it;
    # the other ones are in the next test.
    return np.where(cells < 0, np.floor(cells) + np.float32(0.5), cells)


MODES = {
    'msra': (generate_gaussian_heatmaps, lambda *args: draw_gaussians(*args)),
    'udp': (generate_udp_gaussian_heatmaps, lambda *args: draw_gaussians(*args, exact=True)),
    'dark': (generate_unbiased_gaussian_heatmaps, fill_gaussians),
}


@pytest.mark.parametrize('mode', list(MODES))
@pytest.mark.parametrize('sigma', [1, 2, 3.0])
def test_those_of_mmpose(mode, sigma):
    theirs, ours = MODES[mode]
    cells = joints()
    drawn = np.arange(len(cells)) % 5 > 0
    maps, inside = ours(SIZE, cells, drawn, sigma)
    with np.errstate(over='ignore'):
        expected, weights = theirs(SIZE, cells[None], drawn[None].astype(np.float32), sigma)
    np.testing.assert_allclose(maps, expected, atol=3e-7)
    if mode == 'dark':
        np.testing.assert_array_equal(inside, weights[0] > 0)
    else:
        # mmpose also keeps the weight of a Gaussian that ends right before the map: a label with an empty map
        np.testing.assert_array_equal(inside, expected.any((1, 2)))
    assert 8 < inside.sum() < len(cells) - 8


def test_a_formula_cell_by_cell():
    cells = np.array([[3.3, 4.8], [20.0, -1.6]], np.float32)
    maps, inside = draw_gaussians((22, 9), cells, np.array([True, True]), 1.5)
    assert inside.all()
    for k, (u, v) in enumerate([(3, 5), (20, -2)]):  # the nearest cells, also below zero
        for y in range(9):
            for x in range(22):
                near = abs(x - u) <= 4 and abs(y - v) <= 4  # 3 sigma = 4.5
                value = math.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * 1.5**2)) if near else 0
                assert maps[k, y, x] == pytest.approx(value, abs=1e-7)


@pytest.mark.parametrize('mode', list(MODES))
def test_copies(mode):
    ours = MODES[mode][1]
    cells = joints(count=12)
    drawn, copied = np.arange(12) % 2 > 0, np.arange(12) % 3 > 0
    alone, inside = ours(SIZE, cells, drawn, 2)
    both, same = ours(SIZE, cells, drawn, 2, copied)
    np.testing.assert_array_equal(both[:12], alone)
    np.testing.assert_array_equal(both[12:], alone * copied[:, None, None])
    np.testing.assert_array_equal(inside, same)
    assert both[12:].any() and both.dtype == np.float32


@pytest.mark.parametrize('mode', list(MODES))
def test_what_is_not_drawn_may_lie_anywhere(mode):
    cells = np.array([[np.nan, np.inf], [5, 5], [1e30, -1e30]], np.float32)
    with np.errstate(all='raise', under='ignore'):
        maps, inside = MODES[mode][1](SIZE, cells, np.array([False, True, False]), 1)
    assert inside.tolist() == [False, True, False]
    assert np.isfinite(maps).all() and maps[1, 5, 5] == 1 and not maps[[0, 2]].any()
