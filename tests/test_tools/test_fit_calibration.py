"""From a checkpoint of mmpose's own classes to probabilities in its predictions, through the tools."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from posestructs.evaluation.prediction_files import read_predictions
from posestructs.structures.feature_calibration import load_calibration
from posestructs.structures.score_calibration import ScoreCalibration
from posestructs.utils.safe_pickle import load_pickle
from tests.helpers import needs_data


@pytest.fixture(scope='module')
def checkpoint(tiny, tmp_path_factory):
    """Random weights: some joints of large persons are right within two torsos."""
    init_default_scope('mmpose')
    torch.manual_seed(3)
    model = MODELS.build(Config.fromfile(tiny).model)
    path = tmp_path_factory.mktemp('weights') / 'random.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return path


@needs_data
def test_fit_and_use(main, tiny, checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main('analysis/fit_calibration.py', tiny, checkpoint, '--thr', 0.8, '--holdout', 0.4, '--out', 'c.json')
    out = capsys.readouterr().out
    assert '| ECE ' in out and 'too few right or wrong labels' in out
    found = ScoreCalibration.load('c.json')
    assert found.criterion == 'TorsoPCK@0.8' and len(found.joints) == 16 and not found.flip_test
    assert found.source == '3 persons of the val set of tiny_mpii-64x64.py'
    (tmp_path / 'calibrated.py').write_text(f"""
_base_ = {str(tiny)!r}
model = dict(type='CalibratedPoseEstimator', test_cfg=dict(calibration='c.json'))
test_evaluator = [dict(type='KeypointCalibration', base=dict(type='TorsoPCK', thr=0.8))]
""")
    main('test.py', 'calibrated.py', checkpoint, '--work-dir', 'w', '--dump', 'd.pkl', '--out', 'm.json')
    poses = read_predictions('d.pkl')
    assert abs(poses.fields['keypoints_correct'] - found.apply(poses.scores)).max() < 1e-6
    metrics = json.loads((tmp_path / 'm.json').read_text())
    assert 0 <= metrics['KeypointCalibration/keypoints_correct/ECE'] <= 1
    # the dump of the same persons gives the same file; one of other persons is refused
    flags = ['--thr', 0.8, '--holdout', 0.4, '--out', 'again.json']
    main('analysis/fit_calibration.py', tiny, checkpoint, '--pred', 'd.pkl', *flags)
    assert (tmp_path / 'again.json').read_text() == (tmp_path / 'c.json').read_text()
    fewer = ['--cfg-options', 'val_dataloader.dataset.indices=2']
    with pytest.raises(SystemExit, match='predicts other persons than the val set'):
        main('analysis/fit_calibration.py', tiny, checkpoint, '--pred', 'd.pkl', *flags, *fewer)


@needs_data
def test_features_and_cut_persons(main, tiny, checkpoint, tmp_path, monkeypatch, capsys):
    """The head of mmpose predicts by the file that was fitted to its own maps."""
    monkeypatch.chdir(tmp_path)
    flags = ['--method', 'features', '--thr', 0.8, '--holdout', 0.4, '--out', 'c.json', '--dump', 'd.pkl']
    main('analysis/fit_calibration.py', tiny, checkpoint, *flags, '--cut-persons', '--dump-cut', 'cut.pkl')
    assert 'absent drawn at 95 % kept' in capsys.readouterr().out
    cut = load_pickle('cut.pkl')
    assert {sample.get('person_cut') for sample in cut} & {'waist', 'side'}
    assert len(cut) == len(load_pickle('d.pkl')) and 'person_cut' not in load_pickle('d.pkl')[0]
    found, fitted_on = load_calibration('c.json'), read_predictions('d.pkl')
    assert found.present is not None and len(found.joints) == 16 and found.links
    (tmp_path / 'calibrated.py').write_text(f"""
_base_ = {str(tiny)!r}
model = dict(type='CalibratedPoseEstimator', test_cfg=dict(calibration='c.json'))
""")
    main('test.py', 'calibrated.py', checkpoint, '--work-dir', 'w', '--dump', 'e.pkl')
    poses, features = read_predictions('e.pkl'), fitted_on.fields['keypoint_features']
    for key, rule in dict(keypoints_correct=found.correct, keypoints_present=found.present).items():
        assert abs(poses.fields[key] - rule.probability(features)).max() < 1e-4
    # a dump without features cannot be fitted to
    with pytest.raises(SystemExit, match='e.pkl has no keypoint_features'):
        main('analysis/fit_calibration.py', tiny, checkpoint, *flags[:2], '--pred', 'e.pkl')


@needs_data
@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--thr', 100], 'needs right and wrong ones; use another split or threshold'),
        (['--thr', 0], '--thr 0: allowed: above 0'),
        (['--holdout', 1], '--holdout 1: allowed: from 0 to below 1'),
        (['--cut-persons'], '--cut-persons needs --method features, got --method platt'),
        (['--dump-cut', 'cut.pkl'], '--dump-cut needs --cut-persons'),
        (['--method', 'features', '--pooled'], '--pooled is for isotonic, platt'),
        (['--pred', 'absent.pkl'], 'absent.pkl: no such file'),
        (['--torso-pair', 'head', 'tail'], "torso_pair names ['head', 'tail']"),
    ],
)
def test_errors_are_one_line(main, tiny, checkpoint, tmp_path, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main('analysis/fit_calibration.py', tiny, checkpoint, *flags)
    assert message in str(stop.value) and not (tmp_path / 'work_dirs').exists()
