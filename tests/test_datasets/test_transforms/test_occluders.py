"""Outlines, masks, fillings and marks against slow references and masks made by hand."""

import numpy as np
import pytest

from posestructs.datasets.transforms import occluders


def rng(seed=0):
    return np.random.RandomState(seed)


def depth(corners, point):
    """Depth of a point inside a convex polygon (negative outside), by its distance to each edge's line."""
    ahead = np.roll(corners, -1, axis=0)
    orientation = np.sign(sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(corners, ahead, strict=True)))
    return min(
        orientation * ((b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])) / np.hypot(*(b - a))
        for a, b in zip(corners, ahead, strict=True)
    )


@pytest.mark.parametrize('shape', occluders.SHAPES)
@pytest.mark.parametrize('angle', [0.0, 0.7, 2.5])
def test_outlines_lie_in_their_box_and_are_convex(shape, angle):
    length, width = 30.0, 12.0
    for seed in range(20):
        corners = occluders.outline(shape, (length, width), angle, rng(seed))
        along = np.array([np.cos(angle), np.sin(angle)])
        u, v = corners @ along, corners @ np.array([-along[1], along[0]])
        assert np.abs(u).max() <= length / 2 + 1e-9 and np.abs(v).max() <= width / 2 + 1e-9
        if shape != 'polygon':
            assert np.abs(u).max() == pytest.approx(length / 2) and np.abs(v).max() == pytest.approx(width / 2)
        assert depth(corners, (0, 0)) > 0, 'the centre is inside'
        (ax, ay), (bx, by) = (
            (np.roll(corners, -1, 0) - corners).T,
            (np.roll(corners, -2, 0) - np.roll(corners, -1, 0)).T,
        )
        turns = ax * by - ay * bx
        assert (turns > 0).all() or (turns < 0).all()


def test_ellipse_has_the_area_of_an_ellipse():
    mask = occluders.fill_outline(occluders.outline('ellipse', (80, 40), 0.4, rng()) + 60, (120, 120))
    assert mask.sum() == pytest.approx(np.pi * 40 * 20, rel=0.04)


@pytest.mark.parametrize('shape', occluders.SHAPES)
def test_masks_are_the_pixels_of_the_outline(shape):
    """Points a pixel inside are in, points a pixel outside are out; also across the border."""
    for seed, centre in enumerate([(20.3, 14.8), (1.0, 2.0), (39.0, 29.0), (-5.0, 10.0)]):
        corners = occluders.outline(shape, (25, 13), 0.3 + seed, rng(seed)) + centre
        mask = occluders.fill_outline(corners, (30, 40))
        assert mask.shape == (30, 40) and mask.dtype == bool
        for y in range(0, 30, 2):
            for x in range(0, 40, 2):
                d = depth(corners, (x, y))
                if abs(d) > 1:
                    assert mask[y, x] == (d > 0), (x, y, d)
    assert not occluders.fill_outline(corners + 1000, (30, 40)).any()


def test_window_of_a_mask():
    mask = np.zeros((5, 6), dtype=bool)
    assert occluders.window_of(mask) is None
    mask[1, 2] = mask[3, 4] = True
    assert occluders.window_of(mask) == (slice(1, 4), slice(2, 5))


def test_fillings():
    flat = occluders.flat_fill(4, 5, rng())
    assert flat.shape == (4, 5, 3) and flat.dtype == np.uint8 and (flat == flat[0, 0]).all()
    assert not np.array_equal(flat, occluders.flat_fill(4, 5, rng(1)))
    noise = occluders.noise_fill(40, 50, rng())
    assert noise.shape == (40, 50, 3) and noise.dtype == np.uint8
    assert noise.mean() == pytest.approx(127.5, abs=3) and noise.std() == pytest.approx(256 / 12**0.5, abs=3)


def test_patch_is_a_piece_of_the_source():
    source = np.arange(30 * 40 * 3, dtype=np.int32).reshape(30, 40, 3)
    places = set()
    for seed in range(200):
        patch = occluders.patch_fill(10, 12, source, (30, 40), rng(seed))
        left, top = patch[0, 0, 0] // 3 % 40, patch[0, 0, 0] // 120
        np.testing.assert_array_equal(patch, source[top : top + 10, left : left + 12])
        places.add((left, top))
    lefts, tops = np.array(list(places)).T
    assert lefts.min() <= 2 and lefts.max() >= 26 and tops.min() <= 1 and tops.max() >= 19, 'from all over the source'


def test_patch_source_is_brought_to_size():
    small = np.full((5, 4, 3), 7, dtype=np.uint8)
    assert occluders.patch_fill(20, 30, small, (100, 100), rng()).shape == (20, 30, 3), 'enlarged where too small'
    # a large source is shrunk to the image's shorter side: stripes 8 wide become stripes 1 wide
    stripes = np.tile(np.repeat(np.array([0, 200], dtype=np.uint8), 8), (320, 20))
    patch = occluders.patch_fill(10, 20, stripes, (40, 60), rng())
    assert patch.shape == (10, 20)
    np.testing.assert_array_equal(patch[0, ::2], np.full(10, patch[0, 0]))
    np.testing.assert_array_equal(np.sort(patch[0, :2]), [0, 200])


def test_marks_on_a_mask_made_by_hand():
    mask = np.zeros((6, 8), dtype=bool)
    mask[2:4, 3:6] = True  # columns 3..5, rows 2..3
    points, expected = zip(
        ((3, 2), True),  # corner pixels
        ((5, 3), True),
        ((2.5, 2), True),  # a pixel reaches from -0.5 to just below +0.5 of its centre
        ((2.49, 2), False),
        ((5.49, 3.49), True),
        ((5.5, 3), False),
        ((4, 1), False),
        ((4, 4), False),
        ((-1, 2), False),  # outside: not the last column
        ((4, -3), False),
        ((8, 2), False),
        ((1e9, 2), False),
        strict=True,
    )
    points = np.array([points], dtype=np.float32)
    everything = np.ones(points.shape[:2], dtype=bool)
    np.testing.assert_array_equal(occluders.covered(points, everything, mask), [expected])
    assert not occluders.covered(points, ~everything, mask).any(), 'unlabelled joints are never marked'


def test_marks_with_a_margin():
    mask = np.zeros((20, 20), dtype=bool)
    mask[8:13, 8:13] = True
    points = np.stack(np.meshgrid(np.arange(20), np.arange(20)), axis=-1).astype(float).reshape(1, -1, 2)
    known = np.ones(points.shape[:2], dtype=bool)
    for margin in (0, 1, 2, -1, -2):
        low, high = 8 - margin, 12 + margin
        hit = occluders.covered(points, known, mask, margin).reshape(20, 20)
        rows, columns = np.flatnonzero(hit.any(axis=1)), np.flatnonzero(hit.any(axis=0))
        assert (rows[0], rows[-1], columns[0], columns[-1]) == (low, high, low, high)
        assert hit[10, low:high].all() and hit[low:high, 10].all()
