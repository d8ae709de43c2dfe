"""The tree of highest mutual information, on poses made by hand."""

import itertools

import numpy as np
import pytest

from posestructs.structures.chow_liu import maximum_spanning_tree, mutual_information


def chained(order, persons=4000, seed=0):
    """Positions that are a random walk along ``order``, so that neighbours tell most about each other."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 1, (persons, len(order), 2))
    positions = np.empty_like(steps)
    positions[:, list(order)] = steps.cumsum(1)
    return positions, np.ones(positions.shape[:2], bool)


def test_information_of_correlated_gaussians():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(200_000, 2))
    # both coordinates have a correlation of 0.8: I = -log(1 - 0.8^2) in all
    second = 0.8 * first + 0.6 * rng.normal(size=first.shape)
    third = rng.normal(size=first.shape) * 50
    found = mutual_information(np.stack([first, second, third], 1), np.ones((200_000, 3), bool))
    assert found[0, 1] == found[1, 0] == pytest.approx(-np.log(1 - 0.64), abs=0.01)
    assert found[0, 2] == pytest.approx(0, abs=0.001) and (np.diag(found) == 0).all()


def test_units_shears_and_unlabelled_positions_do_not_matter():
    positions, labelled = chained([0, 1, 2])
    expected = mutual_information(positions, labelled)
    changed = positions * 300 + 50
    changed[:, 1] = changed[:, 1] @ np.array([[1, 0.4], [0, 2]])
    np.testing.assert_allclose(mutual_information(changed, labelled), expected, atol=1e-3)
    twice = np.concatenate([positions, np.full_like(positions, np.nan)])
    known = np.concatenate([labelled, ~labelled])
    np.testing.assert_allclose(mutual_information(twice, known), expected)


def test_a_chain_is_found_from_any_root():
    order = [3, 0, 4, 1, 2]
    information = mutual_information(*chained(order))
    edges = {frozenset(pair) for pair in itertools.pairwise(order)}
    for root in range(5):
        parents = maximum_spanning_tree(information, root)
        assert parents[root] == -1
        assert {frozenset((child, parent)) for child, parent in enumerate(parents) if parent >= 0} == edges


def test_the_spanning_tree_is_the_best_of_all():
    weights = np.random.default_rng(1).normal(size=(5, 5))
    weights += weights.T
    pairs = list(itertools.combinations(range(5), 2))

    def connects(edges):
        reached = {0}
        for _ in edges:
            reached |= {v for edge in edges if reached & set(edge) for v in edge}
        return len(reached) == 5

    best = max(
        (edges for edges in itertools.combinations(pairs, 4) if connects(edges)),
        key=lambda e: sum(weights[p] for p in e),
    )
    parents = maximum_spanning_tree(weights, 2)
    assert {frozenset((c, p)) for c, p in enumerate(parents) if p >= 0} == {frozenset(edge) for edge in best}


def test_poses_that_determine_nothing_are_refused():
    positions, labelled = chained([0, 1, 2], persons=40)
    few = labelled.copy()
    few[:15, 1] = False
    with pytest.raises(ValueError, match='parts 0 and 1 are labelled together in 25 persons, needed: 30'):
        mutual_information(positions, few)
    still = positions.copy()
    still[:, 2] = 7
    with pytest.raises(ValueError, match='part 0 or 2 has one position in all persons'):
        mutual_information(still, labelled)
    still[3, 2] = np.inf
    with pytest.raises(ValueError, match='parts 0 and 2 are not finite'):
        mutual_information(still, labelled)
    with pytest.raises(ValueError, match=r'needed: \(N, V, 2\) and \(N, V\)'):
        mutual_information(positions, labelled[:, :2])
