"""Fit of the regressions of a feature calibration, to outcomes drawn by a known rule."""

import numpy as np
import pytest

from posestructs.evaluation.calibration import auroc
from posestructs.evaluation.feature_fit import fit_regression
from posestructs.structures.joint_features import NAMES, joint_features

MIRROR, LINKS = (1, 0, 2), ((0, 2), (1, 2))


@pytest.fixture(scope='module')
def drawn():
    """Features of random maps, and outcomes drawn by a known rule."""
    rng = np.random.default_rng(0)
    maps = rng.random((3000, 3, 6, 6)) ** 4
    features = joint_features(maps, MIRROR, LINKS)
    logit = 6 * (features[..., NAMES.index('peak')] - 0.9) - 2 * features[..., NAMES.index('mirror_distance')] + 3
    logit = logit + np.array([0.5, 0.5, -1])
    return maps, features, logit, rng.random(logit.shape) < 1 / (1 + np.exp(-logit))


def test_a_known_rule_is_found(drawn):
    _, features, logit, right = drawn
    measured = np.ones(right.shape, bool)
    measured[::3, 1] = False
    right = right & measured  # what is not measured must not matter
    found = fit_regression(features, right, measured, MIRROR)
    probability = found.probability(features)
    # of 9,000 outcomes a probability is known to a few hundredths
    assert np.abs(probability - 1 / (1 + np.exp(-logit)))[measured].mean() < 0.03
    assert found.bias[0] == found.bias[1] != found.bias[2]
    # better than the peak alone, as the rule reads more
    assert auroc(probability[measured], right[measured]) > auroc(features[..., 0][measured], right[measured]) + 0.02


def test_fit_refusals(drawn):
    _, features, _, right = drawn
    every = np.ones(right.shape, bool)
    with pytest.raises(ValueError, match='needs right and wrong ones'):
        fit_regression(features, every, every, MIRROR)
    broken = features.copy()
    broken[0, 0, 3] = np.nan
    with pytest.raises(ValueError, match='not finite'):
        fit_regression(broken, right, every, MIRROR)
