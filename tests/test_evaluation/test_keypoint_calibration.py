"""KeypointCalibration in mmengine's evaluator."""

import json

import cv2
import numpy as np
import pytest
from mmpose.registry import METRICS

from posestructs.evaluation.calibration import auroc, summary
from posestructs.structures.metainfo import load_metainfo, metainfo_file


@pytest.fixture(scope='module')
def lsp():
    return load_metainfo(dict(from_file=metainfo_file('lsp')))


def persons(samples_of, score, **fields):
    """20 persons with a torso of 50 pixels; joints are right at an offset below 10."""
    rng = np.random.default_rng(0)
    gt = rng.uniform(0, 200, (20, 14, 2))
    gt[:, 9] = gt[:, 2] + [30, 40]
    offset = rng.uniform(0, 20, (20, 14))
    labelled = rng.random((20, 14)) > 0.2
    labelled[:, [2, 9]] = True
    samples = samples_of(gt + offset[..., None] * [0.6, 0.8], gt, labelled, **fields)
    scores = score(offset)
    for i, sample in enumerate(samples):
        for key, value in scores.items():
            sample.pred_instances.set_field(value[i : i + 1], key)
    return samples, offset, labelled


def test_scores_and_probabilities(lsp, samples_of, evaluate, tmp_path):
    """The probability is looked at where there is one; only labelled joints count, as in TorsoPCK."""
    rng = np.random.default_rng(1)
    probability = rng.random((20, 14))
    data, offset, labelled = persons(
        samples_of, lambda o: dict(keypoint_scores=3 - o / 10, keypoints_correct=probability)
    )
    metrics = [dict(type='KeypointCalibration', out_dir=str(tmp_path)), dict(type='TorsoPCK')]
    out = evaluate(metrics, lsp, data)
    right = offset < 10
    expected = summary(probability[labelled], right[labelled])
    stem = 'KeypointCalibration/keypoints_correct'
    for key, value in expected.items():
        assert out[f'{stem}/{key}'] == pytest.approx(value), key
    assert 100 * out[f'{stem}/right'] == pytest.approx(out['TorsoPCK@0.2'])
    content = json.loads((tmp_path / 'calibration.json').read_text())
    assert sum(content['reliability']['count']) == labelled.sum()
    assert content['risk_coverage']['right'][-1] == pytest.approx(expected['right'])
    assert cv2.imread(str(tmp_path / 'calibration.png')) is not None
    raw = evaluate([dict(type='KeypointCalibration', field='keypoint_scores')], lsp, data)
    assert raw['KeypointCalibration/keypoint_scores/AUROC'] == 1
    assert raw['KeypointCalibration/keypoint_scores/clipped'] == ((3 - offset / 10)[labelled] > 1).sum()


def test_occlusion(lsp, samples_of, evaluate, logged):
    rng = np.random.default_rng(2)
    target, score = rng.integers(-1, 2, (20, 14)), rng.random((20, 14))
    data, _, labelled = persons(
        samples_of, lambda o: dict(keypoints_occluded=score), keypoints_occluded=target.astype(float)
    )
    out = evaluate([dict(type='KeypointCalibration')], lsp, data)
    known = labelled & (target >= 0)
    stem = 'KeypointCalibration/keypoints_occluded'
    assert out[f'{stem}/AUROC'] == pytest.approx(auroc(score[known], target[known] == 1))
    assert out[f'{stem}/joints'] == known.sum() and 0 < out[f'{stem}/AP'] < 1
    visible, _, _ = persons(samples_of, lambda o: dict(keypoints_occluded=score), keypoints_occluded=np.zeros((20, 14)))
    assert f'{stem}/AUROC' not in evaluate([dict(type='KeypointCalibration')], lsp, visible)
    assert '0 are occluded: there is no AUROC' in logged(30)


def test_all_right(lsp, samples_of, evaluate, logged):
    data, _, _ = persons(samples_of, lambda o: dict(keypoint_scores=o / 20))
    for sample in data:
        sample.pred_instances.keypoints = sample.gt_instances.keypoints
    out = evaluate([dict(type='KeypointCalibration')], lsp, data)
    assert out['KeypointCalibration/keypoint_scores/right'] == 1
    assert 'KeypointCalibration/keypoint_scores/AUROC' not in out
    assert 'all measured joints are right: there is no AUROC' in logged(30)


def test_bad_input(lsp, samples_of, evaluate):
    nan = np.full((20, 14), np.nan)
    data, _, _ = persons(samples_of, lambda o: dict(keypoint_scores=nan))
    with pytest.raises(ValueError, match=r'pred_instances.keypoint_scores of joint \d+ is nan in image 0.jpg'):
        evaluate([dict(type='KeypointCalibration')], lsp, data)
    data, _, _ = persons(samples_of, lambda o: {})
    with pytest.raises(ValueError, match='predicts no keypoints_correct for every person; .*fit_calibration.py'):
        evaluate([dict(type='KeypointCalibration', field='keypoints_correct')], lsp, data)
    for settings, message in (
        (dict(base=dict(type='TorsoPCK', thr=[0.1, 0.2])), 'a PCK with one threshold'),
        (dict(base=dict(type='StrictPCP')), 'a PCK with one threshold'),
        (dict(field='scores'), "KeypointCalibration.field='scores', allowed: None, 'keypoints_correct'"),
        (dict(bins=1), 'KeypointCalibration.bins=1, allowed'),
    ):
        with pytest.raises(ValueError, match=message):
            METRICS.build(dict(type='KeypointCalibration', **settings))
