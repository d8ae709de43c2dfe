"""Targets against slow loops, by hand, and the person's scale on real poses."""

import math

import numpy as np
import pytest
from scipy.io import loadmat

from posestructs.codecs.part_targets import (
    PRESETS,
    Sampling,
    cell_shares,
    person_scale,
    ring_zones,
    sampling_maps,
    tree_limbs,
)
from posestructs.structures import build_tree
from tests.helpers import data_root, needs_data

LSP = build_tree(dict(from_file='lsp-26.py'))


def test_limbs_of_a_tree_skip_virtual_parts():
    names = [{LSP.joints[a], LSP.joints[b]} for a, b in tree_limbs(LSP)]
    assert len(names) == 13
    assert {'right_elbow', 'right_wrist'} in names
    assert {'left_shoulder', 'left_hip'} in names
    assert {'neck', 'head_top'} in names
    assert {'right_hip', 'left_hip'} not in names


def test_shares_of_parts_in_one_cell():
    cells = np.array([5, 7, 5, 0, 5, 0])
    present = np.array([True, True, True, False, True, False])
    np.testing.assert_allclose(cell_shares(cells, present), [1 / 3, 1, 1 / 3, 0, 1 / 3, 0])
    # absent parts have the index 0, and take nothing from one that is there
    present[3] = True
    np.testing.assert_allclose(cell_shares(cells, present)[[3, 5]], [1, 0])


def slow_zone(cells, x, y, inner, outer):
    """-1 near a part, 1 in a ring, else 0; one cell after the other."""
    distances = [math.hypot(x - cx, y - cy) for cx, cy in cells]
    if any(d <= inner for d in distances):
        return -1
    return 1 if any(d <= outer for d in distances) else 0


def test_zones_against_a_loop():
    cells = np.array([[3, 4], [5, 4], [-2, 9], [11, 0], [1000, 3]])
    near, ring = ring_zones(cells, 2, 3, (12, 10))
    for y in range(10):
        for x in range(12):
            assert slow_zone(cells, x, y, 2, 3) == ring[y, x].astype(int) - near[y, x], (x, y)
    # the part at (-2, 9) is off the map and reaches into it
    assert near[9, 0]
    assert ring[9, 1]


@pytest.mark.parametrize(('scale', 'inner', 'outer'), [(2.5, 1, 2), (4.9, 1, 3), (5.0, 2, 3), (5.1, 2, 3), (7.4, 2, 4)])
def test_rates_and_weights_of_the_release(scale, inner, outer):
    cells, size = np.array([[6, 5], [9, 9]]), (15, 13)
    rates, weights = sampling_maps(cells, scale, PRESETS['release'], size)
    values = {-1: (0, None), 1: (0.5, 0.5), 0: (0.0005, 1)}
    for y in range(size[1]):
        for x in range(size[0]):
            rate, weight = values[slow_zone(cells, x, y, inner, outer)]
            assert rates[y, x] == np.float32(rate)
            assert weight is None or weights[y, x] == np.float32(weight)
    assert rates.dtype == weights.dtype == np.float32


def test_the_paper_has_no_rings():
    cells = np.array([[6, 5], [9, 9]])
    rates, weights = sampling_maps(cells, 6.0, PRESETS['paper'], (15, 13))
    expected = np.full((13, 15), 0.0005, np.float32)
    expected[cells[:, 1], cells[:, 0]] = 0
    np.testing.assert_array_equal(rates, expected)
    assert (weights == 1).all()


def test_scale_by_hand():
    limbs = np.array([[0, 1], [1, 2], [2, 3]])
    joints = np.array([[0.0, 0], [3, 4], [3, 14], [np.nan, np.nan]])
    labelled = np.array([True, True, True, False])
    assert person_scale(joints, labelled, limbs, 0.75, 2.5) == pytest.approx(0.75 * 7.5)
    assert person_scale(joints, labelled, limbs, 0.1, 2.5) == 2.5
    assert person_scale(joints, np.array([True, False, True, False]), limbs, 0.75, 2.5) == 2.5


@needs_data
def test_scale_is_the_release_s_on_lsp():
    """The release's rule over all of LSP, written out: 75 % quantile of limbs over their ratio to a head."""
    joints = loadmat(data_root() / 'lsp-annotations' / 'joints.mat')['joints'][:2].T.transpose(0, 1, 2)
    joints = np.asarray(joints, np.float64)
    parts, _ = LSP.part_positions(joints)
    lengths = np.stack([np.linalg.norm(parts[:, c] - parts[:, p], axis=1) for c, p in LSP.edges], axis=1)
    head = [LSP.names[c] for c, _ in LSP.edges].index('neck')
    lengths = np.maximum(lengths, 1e-9)
    ratios = np.exp(np.median(np.log(lengths) - np.log(lengths[:, [head]]), axis=0))
    release = np.maximum(18, np.quantile(lengths / ratios, 0.75, axis=1))
    limbs, everyone = tree_limbs(LSP), np.ones(14, bool)
    ours = np.array([person_scale(person, everyone, limbs, 0.75, 0) for person in joints])
    difference = np.log(ours / release)
    assert abs(np.median(difference)) < 0.02
    assert difference.std() < 0.07


@pytest.mark.parametrize(
    'value', [dict(ring_rate=1.5), dict(ignore_radius=-1), dict(min_scale='big'), dict(negative_rate=True)]
)
def test_bad_sampling(value):
    (key,) = value
    with pytest.raises(ValueError, match=f'sampling.{key}='):
        Sampling(**value)
