"""Curves that recover known probabilities."""

import numpy as np
import pytest

from posestructs.evaluation.calibration_fit import fit_curves, hold_out
from posestructs.structures.score_calibration import ScoreCalibration


def logistic(z):
    return 1 / (1 + np.exp(-z))


@pytest.fixture(scope='module')
def scores():
    """Two joints of different difficulty, and one with hardly any label."""
    rng = np.random.default_rng(0)
    score = rng.uniform(-1, 3, (4000, 3))
    target = logistic(np.array([2, 1, 0.5]) * score + np.array([-3, 1, 0]))
    measured = np.ones((4000, 3), bool)
    measured[30:, 2] = False
    return score, rng.random((4000, 3)) < target, measured, target


@pytest.mark.parametrize(('method', 'tolerance'), [('platt', 0.02), ('isotonic', 0.04)])
def test_curves_recover_the_probabilities(scores, method, tolerance):
    score, right, measured, target = scores
    curves, shared = fit_curves(score, right, measured, method)
    assert shared == [2]
    found = ScoreCalibration(('a', 'b', 'c'), method, tuple(curves), 'x', 'f', False).apply(score)
    inner = np.abs(score - 1) < 1.8
    assert np.abs(found - target)[:, :2][inner[:, :2]].mean() < tolerance
    # without labels of its own a joint gets the curve of all
    pooled, every = fit_curves(score, right, measured, method, pooled=True)
    assert pooled[0] == pooled[1] == pooled[2] == curves[2] and every == [0, 1, 2]
    assert 0 < found.min() and found.max() < 1


def test_bad_input(scores):
    score, right, measured, _ = scores
    broken = score.copy()
    broken[5, 1] = np.nan
    with pytest.raises(ValueError, match='1 scores are not finite, the first: joint 1 of person 5 is nan'):
        fit_curves(broken, right, measured)
    for all_alike in (np.ones_like(right), np.zeros_like(right)):
        with pytest.raises(ValueError, match='needs right and wrong ones; use another split'):
            fit_curves(score, all_alike, measured)
    with pytest.raises(ValueError, match="method='beta', allowed: isotonic, platt"):
        fit_curves(score, right, measured, 'beta')


def test_held_out_persons_share_no_image():
    images = [f'{n // 3}.jpg' for n in range(300)]
    held = hold_out(images, 0.25, seed=1)
    assert held.sum() == 75 and (held.reshape(100, 3).all(1) | ~held.reshape(100, 3).any(1)).all()
    assert (hold_out(images, 0.25, seed=1) == held).all() and (hold_out(images, 0.25, seed=2) != held).any()
    assert not hold_out(images, 0).any()
