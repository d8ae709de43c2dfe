"""Metrics of one name, arguments of torch.compile and numbers of mmpose's codecs, before a run."""

import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from mmpose.registry import METRICS

from posestructs.utils.config_parts import check_codecs, check_compile, check_metric_names

PCK = dict(type='PCKAccuracy', thr=0.2, norm_item='torso')
PCP = dict(type='StrictPCP', thr=0.5)


@pytest.mark.parametrize(
    'metrics, clash',
    [
        ((dict(type='EPE'), dict(type='EPE')), True),
        ((dict(type='EPE'), dict(type='EPE', prefix='second')), False),
        ((dict(type='AUC'), dict(type='AUC', norm_factor=20)), True),
        ((PCK, dict(PCK, thr=0.1)), True),  # its name has no threshold
        ((PCK, dict(PCK, norm_item='bbox')), False),
        ((PCP, dict(PCP, thr=0.4)), False),
        ((PCP, dict(PCP, collect_device='gpu')), True),
        ((PCP, dict(type='TorsoPCK')), False),
    ],
)
def test_metrics_of_one_name(metrics, clash):
    if clash:
        with pytest.raises(
            ValueError, match=r"val_evaluator\[1\]='.*' gives results of .* as val_evaluator\[0\], allowed:"
        ):
            check_metric_names('val_evaluator', metrics)
    else:
        check_metric_names('val_evaluator', metrics)


@pytest.mark.parametrize('second, clash', [(dict(type='AUC', norm_factor=20), True), (dict(type='EPE'), False)])
def test_mmengine_refuses_the_same_after_an_epoch(second, clash):
    """The table of settings that names of results show is that of mmpose."""
    evaluator = Evaluator([METRICS.build(part) for part in (dict(type='AUC'), second)])
    evaluator.dataset_meta = dict(CLASSES=())
    joints = dict(keypoints=np.ones((1, 2, 2)), keypoints_visible=np.ones((1, 2)))
    evaluator.process([dict(pred_instances=joints, gt_instances=joints)])
    if clash:
        with pytest.raises(ValueError, match='results with the same metric name'):
            evaluator.evaluate(1)
    else:
        assert len(evaluator.evaluate(1)) == 2


@pytest.mark.parametrize(
    'value, message',
    [
        ('x', "compile='x', allowed: True, False"),
        (dict(backend='nonsense'), "compile.backend='nonsense', allowed: .*'inductor'"),
        (dict(mode='fast'), "compile.mode='fast', allowed: 'default'"),
        (dict(dynamic='no'), "compile.dynamic='no'"),
        (dict(fast=True), "compile: unknown keys 'fast', allowed: 'fullgraph'"),
    ],
)
def test_arguments_of_compile(value, message):
    with pytest.raises(ValueError, match=message):
        check_compile(value)
    for allowed in (None, True, dict(backend='eager', mode='default')):
        check_compile(allowed)


@pytest.mark.parametrize(
    'codec, message',
    [
        (dict(type='MSRAHeatmap', sigma=-1), 'sigma=-1, allowed: .* above 0'),
        (dict(type='mmpose.UDPHeatmap', sigma=2, blur_kernel_size=4), 'blur_kernel_size=4, allowed: an odd integer'),
        (dict(type='MSRAHeatmap', sigma=2, heatmap_size=(0, 4)), r'heatmap_size=\(0, 4\), allowed: \(width, height\)'),
        (dict(type='SimCCLabel', simcc_split_ratio=0), 'simcc_split_ratio=0'),
    ],
)
def test_numbers_of_codecs(codec, message):
    pipeline = [dict(type='LoadImage'), dict(type='GenerateTarget', encoder=[dict(type='MSRAHeatmap', sigma=2), codec])]
    for cfg, key in (
        (dict(model=dict(head=dict(decoder=codec))), 'model.head.decoder.'),
        (
            dict(train_dataloader=dict(dataset=dict(pipeline=pipeline))),
            r'train_dataloader.dataset.pipeline\[1\].encoder\[1\].',
        ),
    ):
        with pytest.raises(ValueError, match=key + message):
            check_codecs(cfg)
