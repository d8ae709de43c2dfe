"""Predictions that are not finite: refused in a test, counted in a validation."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.codecs import MSRAHeatmap
from mmpose.structures import PoseDataSample

from posestructs.engine.hooks import FinitePredictionHook
from posestructs.utils.usage import UsageError


def sample(name, maps):
    """As a head of mmpose decodes maps."""
    codec = MSRAHeatmap(input_size=(16, 16), heatmap_size=(4, 4), sigma=1, unbiased=False)
    keypoints, scores = codec.decode(maps)
    result = PoseDataSample(metainfo=dict(img_path=name))
    result.pred_instances = InstanceData(keypoints=keypoints, keypoint_scores=scores)
    return result


@pytest.fixture
def samples():
    good, bad = np.random.default_rng(0).random((2, 3, 4, 4)).astype(np.float32)
    bad[1] = np.nan
    return [sample('good.jpg', good), sample('bad.jpg', bad)]


def test_a_test_refuses_them(samples):
    FinitePredictionHook().after_test_iter(None, 0, None, samples[:1])
    with pytest.raises(UsageError, match=r'a prediction is not finite.*keypoint_scores has nan \(image bad.jpg\)'):
        FinitePredictionHook().after_test_iter(None, 0, None, samples)


def test_tensors_and_samples_without_joints():
    tensors = PoseDataSample(metainfo={})
    tensors.pred_instances = InstanceData(keypoints=torch.tensor([[[torch.inf, 0]]]))
    with pytest.raises(UsageError, match='keypoints has inf'):
        FinitePredictionHook().after_test_iter(None, 0, None, [PoseDataSample(), tensors])


def test_a_validation_counts_them(samples, caplog):
    hook, runner = FinitePredictionHook(), SimpleNamespace(logger=logging.getLogger('validation'))
    for _ in range(2):  # each validation counts anew
        caplog.clear()
        hook.before_val_epoch(runner)
        hook.after_val_iter(runner, 0, None, samples)
        hook.after_val_iter(runner, 1, None, samples[1:])
        hook.after_val_epoch(runner)
        assert 'predictions of 2 persons are not finite' in caplog.text and 'bad.jpg' in caplog.text
    caplog.clear()
    hook.before_val_epoch(runner)
    hook.after_val_iter(runner, 0, None, samples[:1])
    hook.after_val_epoch(runner)
    assert not caplog.text
