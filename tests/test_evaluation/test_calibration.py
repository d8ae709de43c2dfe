"""Numbers of calibration against loops over joints, and by hand."""

import numpy as np
import pytest

from posestructs.evaluation.calibration import (
    auroc,
    average_precision,
    brier,
    false_joints,
    reliability,
    risk_coverage,
    summary,
)


@pytest.fixture
def joints():
    rng = np.random.default_rng(0)
    score = np.round(rng.random(400), 2)  # with ties, and exact edges of bins
    score[:3] = 0, 1, 0.5
    return score, rng.random(400) < 0.2 + 0.6 * score


def test_reliability_and_ece_by_a_loop(joints):
    score, right = joints
    found = reliability(score, right, 10)
    gap = 0
    for b in range(10):
        inside = [i for i, s in enumerate(score) if b / 10 <= s < (b + 1) / 10 or (b == 9 and s == 1)]
        assert found.count[b] == pytest.approx(len(inside), abs=3)  # edges of bins are no exact floats
        gap += abs(sum(score[i] for i in inside) - sum(right[i] for i in inside))
    assert found.count.sum() == 400
    assert found.ece() == pytest.approx(gap / 400, abs=0.01)


def test_ece_by_hand():
    found = reliability(np.array([0.9, 0.8, 0.1, 0.2]), np.array([1, 0, 0, 0]), 2)
    np.testing.assert_allclose(found.confidence, [0.15, 0.85])
    np.testing.assert_allclose(found.accuracy, [0, 0.5])
    assert found.ece() == pytest.approx((0.15 + 0.35) / 2)
    assert np.isnan(reliability(np.array([0.9]), np.array([1]), 2).accuracy[0])
    assert brier(np.array([0.9, 0.2]), np.array([1, 0])) == pytest.approx((0.01 + 0.04) / 2)


def test_ranking_by_all_pairs(joints):
    score, right = joints
    pairs = [(s > t) + 0.5 * (s == t) for s in score[right] for t in score[~right]]
    assert auroc(score, right) == pytest.approx(np.mean(pairs))
    order = np.unique(score)[::-1]
    recall, total = 0.0, 0.0
    for threshold in order:
        taken = score >= threshold
        total += (right[taken].sum() / right.sum() - recall) * right[taken].mean()
        recall = right[taken].sum() / right.sum()
    assert average_precision(score, right) == pytest.approx(total)


def test_risk_coverage_takes_ties_in_proportion():
    score, right = np.array([0.9, 0.5, 0.5, 0.5, 0.1]), np.array([1, 1, 0, 0, 0])
    np.testing.assert_allclose(
        risk_coverage(score, right, np.array([0.2, 0.4, 0.8, 1])), [1, (1 + 1 / 3) / 2, 0.5, 0.4]
    )
    # scores of one value rank nothing
    np.testing.assert_allclose(risk_coverage(np.ones(5), right), np.full(10, 0.4))


def test_summary_and_splits_in_which_all_are_right():
    out = summary(np.array([1.5, 0.5, -0.1]), np.array([True, True, False]), 2)
    assert out['clipped'] == 2 and out['AUROC'] == 1 and out['right'] == pytest.approx(2 / 3)
    assert out['ECE'] == pytest.approx((0.5 + 0.0) / 3)
    alike = summary(np.array([0.5, 0.6]), np.array([True, True]))
    assert 'AUROC' not in alike and alike['AURC'] == 0 and alike['right'] == 1
    assert auroc(np.array([0.5]), np.array([False])) is None is average_precision(np.array([0.5]), np.array([False]))


def test_bad_scores():
    with pytest.raises(ValueError, match='1 of 2 scores are not finite'):
        summary(np.array([0.5, np.nan]), np.array([True, False]))
    with pytest.raises(ValueError, match='reach from 0.5 to 2'):
        reliability(np.array([0.5, 2]), np.array([True, False]))
    with pytest.raises(ValueError, match='0 scores and 0 outcomes'):
        brier(np.array([]), np.array([]))


def test_false_joints_at_a_kept_share():
    score = np.array([0.9, 0.8, 0.7, 0.2, 0.75, 0.5, 0.1, 0.95])
    right = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)
    absent, none = np.array([0, 0, 0, 0, 1, 1, 1, 0], bool), np.zeros(8, bool)
    # three of four right joints stay from 0.7 on, and one of three absent ones; all four from 0.2 on
    assert false_joints(score, right, absent, 0.75) == pytest.approx(1 / 3)
    assert false_joints(score, right, absent, 0.76) == false_joints(score, right, absent, 1.0) == pytest.approx(2 / 3)
    assert false_joints(score, right, absent, 0.25) == 0
    assert false_joints(score, none, absent, 0.5) is None and false_joints(score, right, none, 1) is None
    with pytest.raises(ValueError, match='not finite'):
        false_joints(np.full(8, np.nan), right, absent, 0.5)
