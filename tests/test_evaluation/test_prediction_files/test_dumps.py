"""Dumps as mmengine writes them, and samples that do not fit."""

import numpy as np
import pytest
import torch
from mmengine.evaluator import DumpResults
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from posestructs.evaluation.prediction_files import read_predictions
from posestructs.evaluation.prediction_files.dumps import poses_of_samples


def samples(count=3, **fields):
    rng, out = np.random.default_rng(0), []
    for i in range(count):
        sample = PoseDataSample(metainfo=dict(img_path=f'im{i}.jpg', id=np.array([i + 10]), img_id=i))
        points = rng.uniform(0, 99, (1, 4, 2)).astype(np.float32)
        sample.gt_instances = InstanceData(keypoints=points, keypoints_visible=torch.tensor([[1.0, 1, 0, 1]]))
        arrays = dict(keypoints=points + 1, keypoint_scores=np.full((1, 4), 0.5, np.float32)) | fields
        sample.pred_instances = InstanceData(**arrays)
        out.append(sample)
    return out


def test_dump_of_mmengine(tmp_path):
    path = tmp_path / 'a.pkl'
    metric = DumpResults(str(path))
    correct = np.array([[0.1, 0.2, 0.3, 0.4]])
    data = samples(keypoints_correct=correct)
    metric.process(None, [sample.to_dict() for sample in data])
    metric.evaluate(3)
    poses = read_predictions(path)
    assert poses.images == ['im0.jpg', 'im1.jpg', 'im2.jpg'] and poses.ids == [10, 11, 12]
    np.testing.assert_array_equal(poses.keypoints[1], data[1].pred_instances.keypoints[0])
    np.testing.assert_allclose(poses.labels['keypoints'] + 1, poses.keypoints, atol=1e-5)
    assert poses.labels['labelled'].tolist() == [[True, True, False, True]] * 3
    np.testing.assert_array_equal(poses.fields['keypoints_correct'], np.repeat(correct, 3, 0))
    assert 'keypoints_occluded' not in poses.fields


def test_samples_that_do_not_fit():
    good = samples()
    with pytest.raises(ValueError, match='x: data sample 1 has no pred_instances.keypoints'):
        poses_of_samples([good[0], PoseDataSample()], 'x')
    with pytest.raises(ValueError, match=r'data sample 0: pred_instances.keypoint_scores.shape=.*, allowed: \(1, 4\)'):
        poses_of_samples(samples(keypoint_scores=np.ones((1, 3))), 'x')
    other = samples(keypoints=np.ones((1, 5, 2)), keypoint_scores=np.ones((1, 5)))
    with pytest.raises(ValueError, match=r'different numbers of joints: \[4, 5\]'):
        poses_of_samples([good[0], other[1]], 'x')
    nameless = samples()[0]
    nameless.set_metainfo(dict(img_path=None, img_id=None))
    with pytest.raises(ValueError, match='has neither img_path nor img_id'):
        poses_of_samples([nameless], 'x')
