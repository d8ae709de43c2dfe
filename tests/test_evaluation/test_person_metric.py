import logging

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.registry import METRICS
from mmpose.structures import PoseDataSample

PCP = dict(type='StrictPCP')


def test_visibility_may_have_channels_and_arrays_may_be_tensors(lsp_meta, samples_of, evaluate):
    """mmpose packs (N, K) or (N, K, 2), whose channel 0 is 'labelled' and channel 1 a weight."""
    rng = np.random.default_rng(0)
    gt, labelled = rng.random((5, 14, 2)) * 100, (rng.random((5, 14)) < 0.8).astype(float)
    plain = evaluate([PCP], lsp_meta, samples_of(gt + 4, gt, labelled))
    channels = np.stack([labelled, np.ones_like(labelled)], -1)
    assert evaluate([PCP], lsp_meta, samples_of(gt + 4, gt, channels)) == plain
    tensors = samples_of(gt + 4, gt, labelled)
    for s in tensors:
        s.pred_instances.keypoints = torch.from_numpy(s.pred_instances.keypoints)
    assert evaluate([PCP], lsp_meta, tensors) == plain


def test_several_persons_in_one_sample(lsp_meta, samples_of, evaluate):
    gt = np.random.default_rng(1).random((4, 14, 2)) * 100
    one_each = samples_of(gt + 9, gt)
    crowd = PoseDataSample()
    crowd.gt_instances = InstanceData.cat([s.gt_instances for s in one_each])
    crowd.pred_instances = InstanceData.cat([s.pred_instances for s in one_each])
    metrics = [PCP, dict(type='TorsoPCK')]
    assert evaluate(metrics, lsp_meta, [crowd]) == evaluate(metrics, lsp_meta, one_each)


def test_batches_and_order_do_not_matter(lsp_meta, samples_of, evaluate):
    rng = np.random.default_rng(2)
    gt = rng.random((23, 14, 2)) * 100
    samples = samples_of(gt + rng.normal(0, 9, gt.shape), gt, rng.random((23, 14)) < 0.8)
    metrics = [PCP, dict(type='PDJ')]
    assert evaluate(metrics, lsp_meta, samples, batch=1) == evaluate(metrics, lsp_meta, samples[::-1], batch=23)


def test_evaluating_twice_starts_afresh(lsp_meta, samples_of):
    gt = np.random.default_rng(3).random((4, 14, 2)) * 100
    metric = METRICS.build(dict(type='TorsoPCK'))
    metric.dataset_meta = lsp_meta
    assert metric.dataset_meta is lsp_meta
    for offset, right in ((0, 100), (1000, 0)):
        metric.process({}, [s.to_dict() for s in samples_of(gt + offset, gt)])
        assert metric.evaluate(4)['TorsoPCK@0.2'] == right


def test_what_is_kept_is_small(lsp_meta, samples_of):
    """Ranks exchange what is kept: joints and labels, never images or whole samples."""
    import pickle

    gt = np.zeros((1, 14, 2))
    metric = METRICS.build(dict(type='OcclusionSplitPCK', base=dict(type='TorsoPCK')))
    metric.dataset_meta = lsp_meta
    metric.process({}, [s.to_dict() for s in samples_of(gt, gt, keypoints_occluded=np.zeros((1, 14)))])
    (kept,) = metric.results
    assert all(isinstance(v, np.ndarray) for v in kept.values())
    assert len(pickle.dumps(kept)) < 1200


@pytest.mark.parametrize(
    ('broken', 'message'),
    [
        (
            lambda s: s['gt_instances'].pop('keypoints_visible'),
            'StrictPCP: a data sample has no gt_instances.keypoints_visi',
        ),
        (lambda s: s.pop('pred_instances'), 'StrictPCP: a data sample has no pred_instances.keypoints'),
        (lambda s: s['pred_instances'].update(keypoints=np.zeros((2, 14, 2))), r'\(2, 14, 2\), gt_instances.*0.jpg'),
        (lambda s: s['pred_instances'].update(keypoints=np.zeros((1, 16, 2))), r'\(1, 16, 2\).*\(14, 2\) joints'),
        (
            lambda s: s['gt_instances'].update(keypoints=np.zeros((1, 14, 3))),
            r'gt_instances.keypoints.shape=\(1, 14, 3\)',
        ),
        (lambda s: s['gt_instances'].update(keypoints_visible=np.zeros((1, 13))), r'keypoints_visible.shape=\(1, 13\)'),
    ],
)
def test_samples_that_do_not_fit(broken, message, lsp_meta, samples_of):
    metric = METRICS.build(PCP)
    metric.dataset_meta = lsp_meta
    gt = np.zeros((1, 14, 2))
    (sample,) = [s.to_dict() for s in samples_of(gt, gt)]
    broken(sample)
    with pytest.raises(ValueError, match=message):
        metric.process({}, [sample])


def test_without_metainfo(samples_of):
    gt = np.zeros((1, 14, 2))
    with pytest.raises(ValueError, match='TorsoPCK: dataset_meta is not set'):
        METRICS.build(dict(type='TorsoPCK')).process({}, [s.to_dict() for s in samples_of(gt, gt)])
    with pytest.raises(ValueError, match=r"keys \['classes'\], allowed: .* which has keypoint_name2id"):
        METRICS.build(dict(type='TorsoPCK')).dataset_meta = dict(classes=['person'])


def test_no_samples_at_all(lsp_meta, evaluate):
    with pytest.raises(ValueError, match='TorsoPCK: there are no predictions to measure'):
        evaluate([dict(type='TorsoPCK')], lsp_meta, [])


def test_no_metric_warns_of_its_prefix(lsp_meta, samples_of, evaluate, logged):
    split = dict(type='OcclusionSplitPCK', base=dict(type='TorsoPCK'))
    gt = np.random.default_rng(4).random((2, 14, 2)) * 100
    samples = samples_of(gt, gt, keypoints_occluded=np.tile([0.0, 1], (2, 7)))
    out = evaluate([PCP, dict(type='TorsoPCK'), dict(type='PDJ', prefix='a'), split], lsp_meta, samples)
    assert 'prefix' not in logged(logging.WARNING)
    # and no key has changed
    assert out['StrictPCP@0.5'] == out['TorsoPCK@0.2'] == out['a/PDJ@0.1'] == out['visible/TorsoPCK@0.2'] == 100


def test_predictions_that_are_not_finite_are_counted(lsp_meta, samples_of, evaluate, logged):
    gt = np.random.default_rng(4).random((3, 14, 2)) * 100
    pred, labelled = gt.copy(), np.ones((3, 14))
    pred[0, 0, 0], pred[1, 2] = np.nan, np.inf
    pred[2, 1], labelled[2, 1] = np.nan, 0
    evaluate([PCP], lsp_meta, samples_of(pred, gt, labelled))
    assert 'StrictPCP: 2 of 41 predictions are not finite; they count as wrong' in logged(logging.WARNING)
