"""Feature calibrations: fit of a known rule, files, and refusals."""

import json

import numpy as np
import pytest

from posestructs.evaluation.calibration import auroc
from posestructs.evaluation.feature_fit import fit_regression
from posestructs.structures.feature_calibration import FeatureCalibration, Regression, load_calibration
from posestructs.structures.joint_features import NAMES, joint_features
from posestructs.structures.score_calibration import ScoreCalibration

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


def calibration(**changes):
    rule = Regression(dict.fromkeys(NAMES, 0.25), (0.0, 1.0, -1.0))
    fields = dict(joints=('a', 'b', 'c'), mirror=MIRROR, links=LINKS, correct=rule, present=rule)
    return FeatureCalibration(**dict(dict(fields, criterion='x', fingerprint='f', flip_test=False), **changes))


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


def test_probabilities_by_hand(drawn):
    maps, features, *_ = drawn
    found = calibration().apply(maps[:5])
    expected = 1 / (1 + np.exp(-(0.25 * features[:5].sum(2) + np.array([0, 1, -1]))))
    for key in ('keypoints_correct', 'keypoints_present'):
        np.testing.assert_allclose(found[key], expected)
    assert calibration(present=None).apply(maps[:5]).keys() == {'keypoints_correct'}
    with pytest.raises(ValueError, match='the calibration has 3 joints, the maps have the shape'):
        calibration().apply(maps[:5, :2])


def test_file_round_trip(tmp_path):
    for present in (None, calibration().present):
        made = calibration(present=present, report=dict(score=dict(ECE=0.1)))
        made.save(tmp_path / 'c.json')
        assert load_calibration(tmp_path / 'c.json') == made
    curve = ScoreCalibration(('a',), 'platt', ([1.0, 0.0],), 'x', 'f', False)
    curve.save(tmp_path / 'c.json')
    assert load_calibration(tmp_path / 'c.json').method == 'platt'


@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (lambda c: c['correct'].update(bias=[1]), '1 biases for 3 joints'),
        (lambda c: c['correct']['weights'].pop('peak'), 'weights of the features'),
        (lambda c: c['correct'].update(bias=[0, 0, float('nan')]), 'not finite'),
        (lambda c: c.update(mirror=[0, 0, 1]), 'do not fit 3 joints'),
        (lambda c: c.update(links=[[0, 5]]), 'do not fit 3 joints'),
        (lambda c: c.update(version=0), 'not a file of fit_calibration.py'),
        (lambda c: c.pop('fingerprint'), 'fingerprint=None'),
        (lambda c: c.update(joints=['a', 'a', 'b']), 'different names'),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, edit, message):
    path = tmp_path / 'c.json'
    calibration().save(path)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f'calibration .*c.json: .*{message}'):
        load_calibration(path)


def test_fit_refusals(drawn):
    _, features, _, right = drawn
    every = np.ones(right.shape, bool)
    with pytest.raises(ValueError, match='needs right and wrong ones'):
        fit_regression(features, every, every, MIRROR)
    broken = features.copy()
    broken[0, 0, 3] = np.nan
    with pytest.raises(ValueError, match='not finite'):
        fit_regression(broken, right, every, MIRROR)
