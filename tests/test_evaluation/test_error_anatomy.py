"""Planted errors of each kind, and the same classification joint by joint in plain Python."""

import math

import numpy as np
import pytest

from posestructs.evaluation.error_anatomy import (
    KINDS,
    classify_errors,
    compare_kinds,
    forgiven,
    kind_counts,
    kind_shares,
    oks_distance,
    oks_scale,
    torso_scale,
)

MIRROR = [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13]  # LSP
GOOD, JITTER, INVERSION, SWAP, MISS = range(5)


def persons(count, rng):
    """Persons whose joints are at least 1.1 torsos apart; torsos of 30 to 60 pixels, two persons an image."""
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(4)), -1).reshape(-1, 2)[:14] * 1.3
    size = rng.uniform(30, 60, count)
    gt = (grid + rng.uniform(-0.1, 0.1, (count, 14, 2))) * size[:, None, None]
    gt += np.where(np.arange(count) % 2, 1000, 0)[:, None, None]
    return gt, size


def on_circle(rng, shape, low, high):
    angle, radius = rng.uniform(0, 2 * np.pi, shape), rng.uniform(low, high, shape)
    return np.stack([np.cos(angle), np.sin(angle)], -1) * radius[..., None]


def test_planted_errors_are_recovered():
    rng = np.random.default_rng(0)
    gt, size = persons(400, rng)
    labelled = rng.random(gt.shape[:2]) > 0.1
    labelled &= labelled[:, MIRROR]  # an inversion needs its mirror joint's label
    planted = rng.integers(0, 5, gt.shape[:2])
    planted[:, 12:][planted[:, 12:] == INVERSION] = GOOD
    unit = size[:, None, None]
    target, other = gt.copy(), np.zeros(gt.shape[:2], bool)
    target[planted == INVERSION] = gt[:, MIRROR][planted == INVERSION]
    for n, k in np.argwhere(planted == SWAP):
        other[n, k] = rng.random() < 0.5
        choices = [
            j
            for j in range(14)
            if labelled[n ^ 1 if other[n, k] else n, j] and (other[n, k] or j not in (k, MIRROR[k]))
        ]
        target[n, k] = gt[n ^ 1 if other[n, k] else n, rng.choice(choices)]
    pred = target + on_circle(rng, gt.shape[:2], 0, 0.19) * np.minimum(unit, size[np.arange(400) ^ 1][:, None, None])
    jitter, miss = planted == JITTER, planted == MISS
    pred[jitter] = (gt + on_circle(rng, gt.shape[:2], 0.21, 0.39) * unit)[jitter]
    pred[miss] = (gt - [5000, 0])[miss]
    found = classify_errors(pred, gt, labelled, size, MIRROR, image=np.arange(400) // 2)
    assert (found.kind[~labelled] == -1).all() and np.isnan(found.distance[~labelled]).all()
    for kind in range(5):
        mask = labelled & (planted == kind)
        assert mask.sum() > 700 and (found.kind[mask] == kind).mean() >= 0.99, KINDS[kind]
    swaps = labelled & (planted == SWAP)
    assert (found.other_person[swaps] == other[swaps]).mean() >= 0.99
    assert not found.other_person[~swaps].any()
    alone = classify_errors(pred, gt, labelled, size, MIRROR)
    assert (alone.kind[swaps & other] == MISS).all() and not alone.other_person.any()


def slow_kind(pred, gt, labelled, scale, image, n, i, thr, near):
    """Definition of the module, one joint at a time."""

    def distance(m, j):
        if not labelled[m][j] or not scale[m][j] > 0 or not all(map(math.isfinite, pred[n][i])):
            return math.inf
        return math.dist(pred[n][i], gt[m][j]) / scale[m][j]

    if not labelled[n][i] or not scale[n][i] > 0:
        return -1
    if distance(n, i) <= thr:
        return GOOD
    if distance(n, i) <= near:
        return JITTER
    places = [
        (distance(m, j), m == n and j == MIRROR[i])
        for m in range(len(gt))
        for j in range(14)
        if image[m] == image[n] and (m, j) != (n, i)
    ]
    closest, is_mirror = min(places)
    return MISS if closest > near else INVERSION if is_mirror else SWAP


def test_equal_to_the_definition_on_crowded_random_poses():
    """Everything within reach of everything: each rule decides somewhere."""
    rng = np.random.default_rng(1)
    gt, pred = rng.uniform(0, 100, (2, 30, 14, 2))
    pred = np.where(rng.random((30, 14, 1)) < 0.5, gt + rng.normal(0, 8, gt.shape), pred)
    pred[3, 4] = np.nan
    labelled = rng.random((30, 14)) > 0.3
    scale = rng.uniform(20, 60, (30, 14))
    scale[7] = np.nan
    scale[8] = 0
    image = rng.integers(0, 12, 30)
    found = classify_errors(pred, gt, labelled, scale, MIRROR, 0.2, 0.3, image)
    expected = [[slow_kind(pred, gt, labelled, scale, image, n, i, 0.2, 0.3) for i in range(14)] for n in range(30)]
    np.testing.assert_array_equal(found.kind, expected)
    assert set(np.unique(expected)) == {-1, 0, 1, 2, 3, 4}
    labelled[3, 4] = True
    assert classify_errors(pred, gt, labelled, 30.0 * np.ones(30), MIRROR).kind[3, 4] == MISS


def test_oks_thresholds_are_those_of_the_paper():
    """A joint whose keypoint similarity is just above or below 0.85 and 0.5, by COCO's own formula."""
    sigma, area = 0.079, 5000.0
    gt = np.array([[[10.0, 10], [1000, 1000]]])
    unit = oks_scale(np.array([area, -1]), [sigma, 0.1])
    assert np.isnan(unit[1]).all()
    thr, near = oks_distance(0.85), oks_distance(0.5)
    np.testing.assert_allclose([thr, near], [0.5701, 1.1774], atol=1e-4)
    for similarity, kind in ((0.851, GOOD), (0.849, JITTER), (0.501, JITTER), (0.499, MISS)):
        d = math.sqrt(-math.log(similarity) * 2 * area * (2 * sigma) ** 2)
        pred = gt + [[[d * 0.6, d * 0.8], [0, 0]]]
        assert classify_errors(pred, gt, np.ones((1, 2)), unit[:1], [1, 0], thr, near).kind[0, 0] == kind


def test_torso_without_a_length_is_no_size():
    gt = np.array([[[0.0, 0], [3, 4]], [[0, 0], [3, 4]], [[5, 5], [5, 5]]])
    labelled = np.array([[1, 1], [1, 0], [1, 1]], bool)
    np.testing.assert_array_equal(torso_scale(gt, labelled, (0, 1)), [5, np.nan, np.nan])


def test_shares_sum_to_100_and_forgiving_adds_one_kind():
    kind = np.array([[0, 1, -1], [0, 2, 3], [0, 2, 4]])
    counts = kind_counts(kind)
    assert counts.tolist() == [[3, 0, 0, 0, 0], [0, 1, 2, 0, 0], [0, 0, 0, 1, 1]]
    shares = kind_shares(counts)
    assert shares == dict(good=37.5, jitter=12.5, inversion=25.0, swap=12.5, miss=12.5)
    assert forgiven(shares) == dict(jitter=50.0, inversion=62.5, swap=50.0, miss=50.0)
    assert kind_counts(kind, kind == 2).sum() == 2
    assert kind_shares(np.zeros((3, 5))) == {} == forgiven({})


def test_comparison_splits_the_difference_and_covers_it():
    """Second model turns half of the inversions good: the difference is that, and an interval covers it."""
    rng = np.random.default_rng(2)
    first = rng.integers(0, 5, (200, 10))
    first[rng.random(first.shape) < 0.1] = -1
    second = np.where((first == INVERSION) & (rng.random(first.shape) < 0.5), GOOD, first)
    out = compare_kinds(first, second, resamples=400)
    gained = 100 * (second != first).sum() / (first >= 0).sum()
    assert out['good'].mean == pytest.approx(gained) and out['inversion'].mean == pytest.approx(-gained)
    assert sum(d.mean for d in out.values()) == pytest.approx(0)
    assert out['good'].low < gained < out['good'].high and out['good'].low > 0.8 * gained
    assert out['jitter'] == (0, 0, 0)
    # standard error by hand: persons are the units
    per_person = (second != first).sum(1) - gained / 100 * (first >= 0).sum(1)
    se = 100 * np.sqrt((per_person**2).sum()) / (first >= 0).sum()
    assert (out['good'].high - out['good'].low) / 2 == pytest.approx(1.96 * se, rel=0.15)
    # persons of one image are drawn together: copies in one group leave the interval as it was
    doubled = compare_kinds(np.repeat(first, 2, 0), np.repeat(second, 2, 0), np.arange(400) // 2, resamples=400)
    assert doubled == out
    assert compare_kinds(first, first, resamples=10)['good'] == (0, 0, 0)


def test_bad_input():
    gt = np.zeros((2, 3, 2))
    ones = np.ones((2, 3))
    with pytest.raises(ValueError, match=r'pred has the shape \(2, 2, 2\), gt \(2, 3, 2\)'):
        classify_errors(gt[:, :2], gt, ones, np.ones(2), [0, 1, 2])
    with pytest.raises(ValueError, match='a permutation of the 3 joints'):
        classify_errors(gt, gt, ones, np.ones(2), [0, 1, 1])
    with pytest.raises(ValueError, match='near at least thr'):
        classify_errors(gt, gt, ones, np.ones(2), [0, 1, 2], 0.3, 0.2)
    with pytest.raises(ValueError, match='image has 1 entries'):
        classify_errors(gt, gt, ones, np.ones(2), [0, 1, 2], image=[1])
    with pytest.raises(ValueError, match='same labelled joints'):
        compare_kinds(np.array([[0, -1]]), np.array([[0, 1]]))
    with pytest.raises(ValueError, match='no measured joint'):
        compare_kinds(np.array([[-1]]), np.array([[-1]]))
