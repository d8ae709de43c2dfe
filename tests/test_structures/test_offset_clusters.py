"""Mixture types against plain K-means, exhaustive search and hand-made persons."""

from itertools import product

import numpy as np
import pytest
from sklearn.cluster import KMeans

from posestructs.structures import KinematicTree, build_tree
from posestructs.structures.offset_clusters import PRIOR_PERSONS, cluster_offsets, cluster_symmetric, fit_types

MIRROR = np.array([-1, 1])
# a trunk and a pair of arms
TREE = KinematicTree.from_parents(
    ['neck', 'hip', 'left', 'right'], [None, 'neck', 'neck', 'neck'], mirror=[('left', 'right')]
)


def persons(count=300, seed=0):
    """Positions (N, 4, 2): arms in three directions that are not each other's mirror images, trunks in three."""
    rng = np.random.default_rng(seed)
    positions = np.zeros((count, 4, 2))
    positions[:, 0] = 0.5 + rng.normal(size=(count, 2)) * 0.1
    arms = np.array([(0.30, 0.05), (0.05, 0.25), (-0.10, -0.20)])[rng.integers(0, 3, count)]
    others = np.array([(0.30, 0.05), (0.05, 0.25), (-0.10, -0.20)])[rng.integers(0, 3, count)]
    trunks = np.array([(0, 0.4), (0.3, 0.2), (-0.3, 0.2)])[rng.integers(0, 3, count)]
    for part, offset in ((1, trunks), (2, arms), (3, others * MIRROR)):
        positions[:, part] = positions[:, 0] + offset + rng.normal(size=(count, 2)) * 0.01
    return positions


def fit(positions, labelled=None, num_types=3, tree=TREE, **options):
    labelled = np.ones(positions.shape[:2], bool) if labelled is None else labelled
    return fit_types(tree, positions, labelled, num_types, aspect_ratio=1.0, **dict(dict(restarts=5), **options))


def test_left_and_right_are_fitted_as_one_and_mirror_each_other():
    positions = persons()
    found = fit(positions)
    left, right = 2, 3
    np.testing.assert_array_equal(found.offsets[left], found.offsets[right] * MIRROR)
    np.testing.assert_array_equal(found.variances[left], found.variances[right])
    np.testing.assert_array_equal(found.frequencies[left], found.frequencies[right])
    assert (found.mirror_types[[left, right]] == np.arange(3)).all()
    # independently: who is nearest to which of the three directions, both arms pooled
    pooled = np.concatenate([positions[:, 2] - positions[:, 0], (positions[:, 3] - positions[:, 0]) * MIRROR])
    target = np.array([(-0.10, -0.20), (0.30, 0.05), (0.05, 0.25)])  # by angle
    nearest = np.array([min(range(3), key=lambda t: np.hypot(*(p - target[t]))) for p in pooled])
    everyone = np.mean([(p - pooled[nearest == t].mean(0)) ** 2 for p, t in zip(pooled, nearest, strict=True)], axis=0)
    for t in range(3):
        mine = pooled[nearest == t]
        np.testing.assert_allclose(found.offsets[left, t], mine.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(found.frequencies[left, t], len(mine) / len(pooled))
        # s_t^2 = (n_t var + n_0 s^2) / (n_t + n_0)
        expected = (len(mine) * mine.var(axis=0) + PRIOR_PERSONS * everyone) / (len(mine) + PRIOR_PERSONS)
        np.testing.assert_allclose(found.variances[left, t], expected, rtol=1e-9)


def test_types_on_the_axis_come_in_mirrored_pairs_or_are_their_own():
    positions = persons()
    found = fit(positions)
    trunk = positions[:, 1] - positions[:, 0]
    down, side = np.abs(trunk[:, 0]) < 0.15, np.abs(trunk[:, 0]) >= 0.15
    own = (0, trunk[down, 1].mean())
    pair = (np.abs(trunk[side, 0]).mean(), trunk[side, 1].mean())
    np.testing.assert_allclose(found.offsets[1], [pair, own, (-pair[0], pair[1])], atol=1e-12)
    assert found.mirror_types[1].tolist() == [2, 1, 0]
    shares = side.mean() / 2, down.mean()
    np.testing.assert_allclose(found.frequencies[1], [shares[0], shares[1], shares[0]])
    # variances about these means: of everybody as they are and as they would be mirrored
    squares = np.stack([np.where(side, np.abs(trunk[:, 0]) - pair[0], trunk[:, 0]), trunk[:, 1]], axis=1)
    squares[:, 1] -= np.where(side, pair[1], own[1])
    squares **= 2
    for t, mask, count in ((1, down, down.sum()), (0, side, side.sum() / 2)):
        expected = squares[mask].sum(0) / mask.sum() * count + PRIOR_PERSONS * squares.mean(0)
        np.testing.assert_allclose(found.variances[1, t], expected / (count + PRIOR_PERSONS), rtol=1e-9)
    np.testing.assert_allclose(found.variances[1, 0], found.variances[1, 2], rtol=1e-9)
    # the root is measured from the hip, its child on the axis
    np.testing.assert_allclose(found.offsets[0].mean(axis=0), -found.offsets[1].mean(axis=0), atol=1e-12)


def test_flipped_persons_have_flipped_types():
    positions = persons(200, seed=1)
    found = fit(positions, num_types=4)
    labelled = np.ones((200, 4), bool)
    types = found.types_of(positions * 100, labelled, (100, 100))
    flipped = positions[:, list(TREE.mirror)]
    flipped[..., 0] = 1 - flipped[..., 0]
    flipped_types = found.types_of(flipped * 100, labelled, (100, 100))
    for v, image in enumerate(TREE.mirror):
        np.testing.assert_array_equal(flipped_types[:, image], found.mirror_types[v][types[:, v]])


@pytest.mark.parametrize('num_types', [1, 2, 3, 4])
def test_symmetric_types_are_the_best_there_are(num_types):
    """Compared with every assignment of six persons, folded, to types that mirror each other."""
    rng = np.random.default_rng(num_types)
    points = rng.normal(size=(6, 2)) * (1, 0.3)
    found = cluster_symmetric(points, num_types, restarts=20, seed=0)
    cost = (((points[:, None] - found.means) ** 2).sum(-1)).min(1).sum()
    folded = np.stack([np.abs(points[:, 0]), points[:, 1]], axis=1)
    best = np.inf
    for pairs in range(num_types // 2 + 1):
        own = num_types - 2 * pairs
        for shares in product(range(pairs + own), repeat=6):
            total = 0
            for t in set(shares):
                mine = folded[np.array(shares) == t]
                mean = mine.mean(axis=0) * (1, 1) if t < pairs else mine.mean(axis=0) * (0, 1)
                total += ((mine - mean) ** 2).sum()
            best = min(best, total)
    np.testing.assert_allclose(cost, best, rtol=1e-9)
    assert {tuple(np.round(m * MIRROR + 0.0, 9)) for m in found.means} == {
        tuple(np.round(m + 0.0, 9)) for m in found.means
    }


def test_symmetry_costs_little():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(400, 2)) * 0.1 + c for c in ((0, 1), (0.7, 0.6), (-0.2, 0.2))])
    both = np.concatenate([points, points * MIRROR])
    free = KMeans(9, n_init=10, random_state=0).fit(both).inertia_
    means = cluster_symmetric(points, 9, restarts=10, seed=0).means
    assert free <= ((both[:, None] - means) ** 2).sum(-1).min(1).sum() * (1 + 1e-9) <= 1.03 * free


def test_plain_types_are_scikit_learns_in_the_order_of_their_angle():
    points = persons(100)[:, 2]
    found = cluster_offsets(points, 5, restarts=50, seed=3)
    target = KMeans(5, n_init=50, random_state=3).fit(points)
    order = np.argsort(np.arctan2(*target.cluster_centers_.T[::-1]))
    np.testing.assert_array_equal(found.means, target.cluster_centers_[order])
    np.testing.assert_array_equal(found.means[found.labels], target.cluster_centers_[target.labels_])


def test_unlabelled_joints_are_left_out():
    positions, rng = persons(), np.random.default_rng(5)
    labelled = rng.uniform(size=(300, 4)) < 0.6
    # whoever is not labelled lies anywhere
    spoilt = np.where(labelled[..., None], positions, rng.normal(size=(300, 4, 2)) * 100)
    spoilt[0, 2], labelled[0, 2] = np.nan, False
    found = fit(spoilt, labelled)
    np.testing.assert_allclose(found.offsets, fit(positions).offsets, atol=0.01)
    both = labelled[:, 1] & labelled[:, 0]
    trunk = (positions[:, 1] - positions[:, 0])[both]
    np.testing.assert_allclose(found.offsets[1, 1], (0, trunk[np.abs(trunk[:, 0]) < 0.15, 1].mean()), atol=1e-12)


def test_the_same_seed_gives_the_same_types():
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(100, 4, 2))
    a, b, c = (fit(positions, num_types=7, restarts=1, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a.offsets, b.offsets)
    assert (a.offsets != c.offsets).any()


def test_wrong_labels_can_be_trimmed():
    positions = persons()
    positions[:3, 2] += 40  # three persons' left arms
    assert np.abs(fit(positions).offsets[2]).max() > 10
    np.testing.assert_allclose(fit(positions, trim=0.02).offsets, fit(persons()).offsets, atol=0.01)


def test_one_type_is_the_mean_and_one_part_has_one():
    positions = persons()
    found = fit(positions, num_types=1)
    arm = positions[:, 2] - positions[:, 0] + (positions[:, 3] - positions[:, 0]) * MIRROR
    np.testing.assert_allclose(found.offsets[2, 0], arm.mean(axis=0) / 2)
    np.testing.assert_allclose(found.offsets[1, 0], (0, (positions[:, 1] - positions[:, 0])[:, 1].mean()), atol=1e-12)
    single = KinematicTree.from_parents(['a'], [None])
    assert (fit(positions[:, :1], num_types=1, tree=single).offsets == 0).all()
    with pytest.raises(ValueError, match="too many for part 'a'"):
        fit(positions[:, :1], num_types=2, tree=single)


def test_too_few_persons_for_a_part_are_reported():
    positions = persons(20)
    labelled = np.ones((20, 4), bool)
    labelled[1:, 2] = labelled[1:, 3] = False
    message = "num_types=3 is too many for part 'left' and 'right' together: 2 persons have it .* 2 different offsets"
    with pytest.raises(ValueError, match=message):
        fit(positions, labelled)
    labelled = np.ones((20, 4), bool)
    labelled[:, 1] = False
    with pytest.raises(ValueError, match="num_types=3 is too many for part 'neck': 0 persons .* 0 different offsets"):
        fit(positions, labelled)
    with pytest.raises(ValueError, match="part 'neck': 20 persons .* with 1 different offsets"):
        fit(np.tile([[[0, 0], [0, 1], [1, 1], [2, 2]]], (20, 1, 1)).astype(float))


def test_just_enough_persons():
    """Three persons, one of them off the axis: four types that mirror each other."""
    tree = KinematicTree.from_parents(['a', 'b'], [None, 'a'])
    positions = np.array([[[0, 0], [0, 1]], [[0, 0], [0, 2]], [[0, 0], [1, 1]]], dtype=float)
    found = fit(positions, num_types=4, tree=tree)
    assert sorted(map(tuple, found.offsets[1])) == [(-1, 1), (0, 1), (0, 2), (1, 1)]
    with pytest.raises(ValueError, match='num_types=5 is too many'):
        fit(positions, num_types=5, tree=tree)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_types=0), 'num_types=0, allowed: an integer of at least 1'),
        (dict(num_types=2.0), 'num_types=2.0, allowed: an integer'),
        (dict(restarts=0), 'restarts=0, allowed: an integer of at least 1'),
        (dict(trim=1), 'trim=1, allowed: a number of at least 0 and below 1'),
    ],
)
def test_bad_values(options, message):
    with pytest.raises(ValueError, match=message):
        fit(persons(10), **options)


def test_a_lopsided_tree_is_refused():
    tree = build_tree(dict(metainfo=dict(from_file='coco.py'), root='left_hip'))
    with pytest.raises(ValueError, match='its own mirror image'):
        fit(np.zeros((1, 17, 2)), tree=tree)
