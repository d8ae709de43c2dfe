"""Probabilities beside scores, for a head of mmpose and for both estimators of this project."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

from posestructs.apis.persons import instance_dicts
from posestructs.models.pose_estimators import AdversarialPoseEstimator, StructuredPoseEstimator
from posestructs.models.pose_estimators.calibrated_pose_estimator import CalibratedPoseEstimator, CalibrationMixin
from posestructs.structures.feature_calibration import FeatureCalibration, Regression
from posestructs.structures.joint_features import NAMES, joint_features
from posestructs.structures.score_calibration import ScoreCalibration
from posestructs.utils.model_fingerprint import model_fingerprint

JOINTS = ('a', 'b', 'c')
CODEC = dict(type='MSRAHeatmap', input_size=(32, 32), heatmap_size=(8, 8), sigma=1)


IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def build(calibration=None, seed=0, head=None, **test_cfg):
    torch.manual_seed(seed)
    stage = dict(num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,))
    backbone = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4, **stage)
    head = head or dict(type='HeatmapHead', in_channels=4, out_channels=3, deconv_out_channels=None, decoder=CODEC)
    neck = dict(type='GlobalAveragePooling') if head['type'] == 'RegressionHead' else None
    cfg = dict(type='CalibratedPoseEstimator', backbone=backbone, neck=neck, head=head, test_cfg=test_cfg)
    if calibration is not None:
        cfg['test_cfg']['calibration'] = str(calibration)
    return MODELS.build(cfg).eval()


def predict(model, whole=False):
    """Predictions of two images."""
    samples = []
    for _ in range(2):
        meta = dict(input_center=np.array([16, 16]), input_scale=np.array([32, 32]), input_size=(32, 32))
        sample = PoseDataSample(metainfo=dict(meta, flip_indices=[0, 2, 1]))
        sample.gt_instances = InstanceData(bboxes=np.zeros((1, 4)), bbox_scores=np.ones(1))
        samples.append(sample)
    with torch.no_grad():
        samples = model.predict(IMAGES, samples)
    return samples if whole else [sample.pred_instances for sample in samples]


@pytest.fixture
def save(tmp_path):
    def write(model, joints=JOINTS, flip_test=False, **fields):
        curves = tuple([2.0 + k, -1.0] for k in range(len(joints)))
        fields = dict(fingerprint=model_fingerprint(model)) | fields
        calibration = ScoreCalibration(joints, 'platt', curves, 'TorsoPCK@0.2', flip_test=flip_test, **fields)
        calibration.save(tmp_path / 'c.json')
        return tmp_path / 'c.json'

    return write


def test_probabilities_of_a_head_of_mmpose(save):
    plain = build()
    path = save(plain)
    before, after = predict(plain), predict(build(path))
    for old, new in zip(before, after, strict=True):
        assert 'keypoints_correct' not in old
        np.testing.assert_array_equal(new.keypoint_scores, old.keypoint_scores)
        expected = ScoreCalibration.load(path).apply(old.keypoint_scores)
        np.testing.assert_allclose(new.keypoints_correct, expected, rtol=1e-6)
        # what drawing compares with its threshold
        np.testing.assert_array_equal(new.keypoints_visible, new.keypoints_correct)
    assert before[0].keypoint_scores.std() > 0


def test_selected_joints_keep_their_probabilities(save):
    plain = build()
    all_joints, model = predict(build(save(plain))), build(save(plain))
    model.test_cfg['output_keypoint_indices'] = [2, 0]
    for some, every in zip(predict(model), all_joints, strict=True):
        np.testing.assert_array_equal(some.keypoints_correct, every.keypoints_correct[:, [2, 0]])


def test_calibration_of_another_model_is_refused(save):
    path = save(build(seed=1))
    model = build(path)
    with pytest.raises(ValueError, match='was fitted to other weights .*fit_calibration.py'):
        predict(model)
    model.load_state_dict(build(seed=1).state_dict())
    predict(model)
    # training changes the weights
    model.train()
    with torch.no_grad():
        model.head.final_layer.weight.mul_(1.1)
    with pytest.raises(ValueError, match='other weights'):
        predict(model.eval())


def test_calibration_of_other_joints_or_settings_is_refused(save, tmp_path):
    with pytest.raises(ValueError, match=r'is of 2 joints \(a, b\), the head gives 3'):
        build(save(build(), joints=('a', 'b')))
    with pytest.raises(ValueError, match='fitted with flip_test=True, test_cfg has False'):
        predict(build(save(build(), flip_test=True)))
    named = build(save(build()))
    named.dataset_meta = dict(keypoint_id2name={0: 'a', 1: 'c', 2: 'b'})
    with pytest.raises(ValueError, match='is of the joints'):
        predict(named)
    with pytest.raises(ValueError, match='absent.json: No such file'):
        build(tmp_path / 'absent.json')


def test_estimators_of_the_project_read_it_too():
    for kind in (AdversarialPoseEstimator, StructuredPoseEstimator, CalibratedPoseEstimator):
        assert issubclass(kind, CalibrationMixin)


def test_feature_calibration_reads_the_maps(tmp_path):
    """Probabilities, the features for fitting, and no maps in the results unless they are asked for."""
    mirror, links = (0, 2, 1), ((0, 1), (0, 2))
    rules = [Regression({name: f * 0.1 for f, name in enumerate(NAMES)}, (0.0, bias, bias)) for bias in (-1.0, 1.0)]
    plain = build()
    FeatureCalibration(
        JOINTS, mirror, links, *rules, criterion='x', fingerprint=model_fingerprint(plain), flip_test=False
    ).save(tmp_path / 'c.json')
    plain.test_cfg['output_heatmaps'] = True
    with torch.no_grad():
        maps = plain.head.forward(plain.extract_feat(IMAGES)).numpy()
    features = joint_features(maps, mirror, links)
    model = build(tmp_path / 'c.json')
    samples = predict(model, whole=True)
    for sample, one in zip(samples, features, strict=True):
        found = sample.pred_instances
        for rule, key in zip(rules, ('keypoints_correct', 'keypoints_present'), strict=True):
            np.testing.assert_allclose(found.get(key), rule.probability(one)[None], rtol=1e-4)
        np.testing.assert_array_equal(found.keypoints_visible, found.keypoints_correct)
        assert 'pred_fields' not in sample and 'keypoint_features' not in found
        assert instance_dicts(sample)[0]['keypoints_present'] == pytest.approx(found.keypoints_present[0].tolist())
    model = build(output_features=dict(mirror=mirror, links=links), output_heatmaps=True)
    for sample, one in zip(predict(model, whole=True), features, strict=True):
        np.testing.assert_allclose(sample.pred_instances.keypoint_features, one[None], rtol=1e-4, atol=1e-6)
        assert 'keypoints_correct' not in sample.pred_instances and 'heatmaps' in sample.pred_fields
    with pytest.raises(ValueError, match='was fitted to other weights'):
        predict(build(tmp_path / 'c.json', seed=1))


def test_features_of_a_head_without_heatmaps_are_refused():
    head = dict(
        type='RegressionHead', in_channels=4, num_joints=3, decoder=dict(type='RegressionLabel', input_size=(32, 32))
    )
    model = build(head=head, output_features=dict(mirror=(0, 2, 1), links=()))
    with pytest.raises(ValueError, match='RegressionHead does not give'):
        predict(model)
