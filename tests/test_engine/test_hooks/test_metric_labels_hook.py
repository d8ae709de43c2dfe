"""Metrics for which no person has the labels: refused before the first step, in real runs on real annotations."""

import json

import cv2
import numpy as np
import pytest
from mmengine.runner import Runner
from mmpose.registry import DATASETS, METRICS

from posestructs.datasets import StickFigureDataset
from posestructs.engine.hooks.metric_labels_hook import unmeasured
from posestructs.structures.metainfo import load_metainfo
from tests.helpers.tiny_model import CROP, PACK, TARGETS, tiny_model

METAINFO = dict(from_file='lsp.py')
NAMES = list(load_metainfo(METAINFO)['keypoint_name2id'])
HIPS = ('left_hip', 'right_hip')
TORSO = dict(type='TorsoPCK', thr=0.2)


@pytest.fixture
def persons(tmp_path):
    """Four persons in a file of COCO's format, of whom the last has the joints of ``last`` labelled as well."""

    def persons(labelled, last=(), pipeline=(*CROP, PACK)):
        rng, content = np.random.default_rng(0), dict(images=[], annotations=[])
        for i in range(1, 5):
            flags = np.isin(NAMES, [*labelled, *(last if i == 4 else ())])
            joints = np.column_stack([rng.uniform(5, 59, (14, 2)), 2 * np.ones(14)]) * flags[:, None]
            person = dict(id=i, image_id=i, category_id=1, bbox=[4, 4, 56, 56], iscrowd=0)
            content['annotations'].append(
                person | dict(keypoints=joints.ravel().tolist(), num_keypoints=int(flags.sum()))
            )
            content['images'].append(dict(id=i, file_name=f'{i}.png', width=64, height=64))
            cv2.imwrite(str(tmp_path / f'{i}.png'), np.full((64, 64, 3), 40 * i, np.uint8))
        content['categories'] = [dict(id=1, name='person', keypoints=NAMES)]
        (tmp_path / 'val.json').write_text(json.dumps(content))
        config = dict(metainfo=METAINFO, data_root=str(tmp_path), ann_file='val.json', data_prefix=dict(img=''))
        steps = [dict(type='LoadVerifiedImage'), *pipeline]
        return DATASETS.build(dict(type='CocoOcclusionDataset', test_mode=True, pipeline=steps, **config))

    return persons


def metric_of(dataset, **config):
    metric = METRICS.build(config)
    metric.dataset_meta = dataset.metainfo
    return metric


@pytest.fixture
def runner_of(tmp_path):
    def runner_of(dataset, evaluator):
        loader = dict(batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False))
        train = StickFigureDataset(num_samples=2, image_size=32, pipeline=[*CROP, TARGETS, PACK])
        return Runner(
            model=tiny_model(),
            work_dir=str(tmp_path / 'run'),
            train_dataloader=dict(loader, dataset=train),
            train_cfg=dict(by_epoch=True, max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            val_dataloader=dict(loader, dataset=dataset),
            val_cfg=dict(),
            val_evaluator=evaluator,
            test_dataloader=dict(loader, dataset=dataset),
            test_cfg=dict(),
            test_evaluator=evaluator,
            custom_hooks=[dict(type='MetricLabelsHook')],
            default_hooks=dict(checkpoint=None),
            default_scope='mmpose',
            experiment_name=tmp_path.name,
        )

    return runner_of


@pytest.mark.parametrize(
    'metric', [TORSO, dict(type='PDJ'), dict(type='OcclusionSplitPCK', base=dict(type='TorsoPCK'))]
)
def test_labels_without_hips(persons, runner_of, metric):
    runner = runner_of(persons(set(NAMES) - set(HIPS)), [dict(type='BoxPCK'), dict(metric)])
    name = metric.get('base', metric)['type']
    reported = (
        f'val_evaluator has {name}, but none of the 4 persons of val_dataloader.dataset .CocoOcclusionDataset. has a '
        f"torso, both left_shoulder and right_hip labelled. Use dict.type='BoxPCK'. instead of {name}"
    )
    with pytest.raises(ValueError, match=reported):
        runner.train()
    assert runner.iter == 0
    with pytest.raises(ValueError, match=reported.replace('val_', 'test_')):
        runner.test()


def test_what_can_be_measured_is_measured(persons, runner_of):
    runner = runner_of(persons(set(NAMES) - set(HIPS), last=HIPS), [dict(TORSO), dict(type='BoxPCK')])
    runner.train()
    assert runner.iter == 1
    assert runner.val()['TorsoPCK@0.2/people'] == 1


def test_metrics_by_hand(persons):
    one = persons(['neck'])
    assert unmeasured(metric_of(one, type='StrictPCP'), one) == 4
    assert unmeasured(metric_of(one, **TORSO, torso_pair=('neck', 'head_top')), one) == 4
    assert unmeasured(metric_of(one, type='KeypointCalibration', base=dict(TORSO)), one) == 4
    assert unmeasured(metric_of(one, type='BoxPCK'), one) == 0
    assert unmeasured(metric_of(one, type='BoxPCK', exclude=['neck']), one) == 4
    head = persons(['neck', 'head_top'])
    assert unmeasured(metric_of(head, type='StrictPCP'), head) == 0
    assert unmeasured(metric_of(head, **TORSO, torso_pair=('neck', 'head_top')), head) == 0


def test_no_image_is_read(persons, tmp_path):
    dataset = persons(['neck'])
    for file in tmp_path.glob('*.png'):
        file.unlink()
    assert unmeasured(metric_of(dataset, **TORSO), dataset) == 4


def test_converted_joints_are_not_judged(persons):
    steps = [*CROP, dict(type='KeypointConverter', num_keypoints=14, mapping=[(i, i) for i in range(14)]), PACK]
    dataset = persons(['neck'], pipeline=steps)
    assert unmeasured(metric_of(dataset, **TORSO), dataset) == 0
