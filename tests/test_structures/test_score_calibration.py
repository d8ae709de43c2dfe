"""The calibration file: curves by hand, and files of no use."""

import json

import numpy as np
import pytest

from posestructs.structures.score_calibration import ScoreCalibration

FIELDS = dict(criterion='TorsoPCK@0.2', fingerprint='abc', flip_test=True, source='12 persons', report={})


def test_curves_and_file(tmp_path):
    isotonic = ScoreCalibration(('a', 'b'), 'isotonic', ([[0.2, 0.4], [0.1, 0.9]], [[0.5], [0.3]]), **FIELDS)
    found = isotonic.apply(np.array([[[0.3, 7], [0.0, np.nan]]]))
    np.testing.assert_allclose(found, [[[0.5, 0.3], [0.1, np.nan]]])
    platt = ScoreCalibration(('a',), 'platt', ([2.0, -1.0],), **FIELDS)
    np.testing.assert_allclose(platt.apply(np.array([[0.5], [1.0], [-1e6]]))[:, 0], [0.5, 1 / (1 + np.exp(-1)), 0])
    for calibration in (isotonic, platt):
        calibration.save(tmp_path / 'c.json')
        assert ScoreCalibration.load(tmp_path / 'c.json') == calibration
    with pytest.raises(ValueError, match='has 1 joints, the scores have 3'):
        platt.apply(np.zeros((2, 3)))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(version=2), 'not a file of fit_calibration.py'),
        (dict(method='beta'), "method='beta', allowed: isotonic, platt"),
        (dict(joints=['a', 'b']), r"1 curves for the joints \['a', 'b'\]"),
        (dict(joints=[1]), r'joints=\[1\], allowed: names'),
        (dict(flip_test='yes'), "flip_test='yes', allowed: a bool"),
        (dict(fingerprint=None), 'fingerprint=None, allowed: a str'),
        (dict(curves=[[1]]), 'the curve of a is not a pair'),
        (dict(curves=[[1.0, [2.0]]]), 'the curve of a is not a finite platt curve'),
        (dict(curves=[[float('nan'), 1.0]]), 'the curve of a is not a finite platt curve'),
        (dict(method='isotonic', curves=[[[0.2, 0.1], [0.1, 0.2]]]), 'allowed: rising x'),
        (dict(method='isotonic', curves=[[[0.1, 0.2], [0.1, 1.2]]]), 'probabilities from 0 to 1'),
        (dict(extra=1), 'unexpected keyword'),
    ],
)
def test_files_of_no_use(tmp_path, change, message):
    path = tmp_path / 'c.json'
    content = dict(version=1, joints=['a'], method='platt', curves=[[1.0, 0.0]], **FIELDS)
    path.write_text(json.dumps(content))
    ScoreCalibration.load(path)
    path.write_text(json.dumps(content | change))
    with pytest.raises(ValueError, match=f'c.json: .*{message}'):
        ScoreCalibration.load(path)


def test_absent_or_no_json(tmp_path):
    with pytest.raises(ValueError, match='No such file'):
        ScoreCalibration.load(tmp_path / 'c.json')
    (tmp_path / 'c.json').write_text('[[')
    with pytest.raises(ValueError, match='c.json'):
        ScoreCalibration.load(tmp_path / 'c.json')
