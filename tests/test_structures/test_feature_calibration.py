"""Feature calibrations: probabilities, files, and refusals."""

import json

import numpy as np
import pytest

from posestructs.structures.feature_calibration import FeatureCalibration, Regression, load_calibration
from posestructs.structures.joint_features import NAMES, joint_features
from posestructs.structures.score_calibration import ScoreCalibration

MIRROR, LINKS = (1, 0, 2), ((0, 2), (1, 2))


@pytest.fixture(scope='module')
def maps():
    return np.random.default_rng(0).random((5, 3, 6, 6)) ** 4


def calibration(**changes):
    rule = Regression(dict.fromkeys(NAMES, 0.25), (0.0, 1.0, -1.0))
    fields = dict(joints=('a', 'b', 'c'), mirror=MIRROR, links=LINKS, correct=rule, present=rule)
    return FeatureCalibration(**dict(dict(fields, criterion='x', fingerprint='f', flip_test=False), **changes))


def test_probabilities_by_hand(maps):
    features = joint_features(maps, MIRROR, LINKS)
    found = calibration().apply(maps)
    expected = 1 / (1 + np.exp(-(0.25 * features.sum(2) + np.array([0, 1, -1]))))
    for key in ('keypoints_correct', 'keypoints_present'):
        np.testing.assert_allclose(found[key], expected)
    assert calibration(present=None).apply(maps).keys() == {'keypoints_correct'}
    with pytest.raises(ValueError, match='the calibration has 3 joints, the maps have the shape'):
        calibration().apply(maps[:, :2])


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
