"""A split by occlusion without occlusion labels: refused before the first step, in real runs on real annotations."""

import copy
import random

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmpose.registry import DATASETS

from posestructs.datasets import StickFigureDataset
from posestructs.datasets.base import CheckedPoseDataset
from posestructs.datasets.instances import box_from_joints, make_instance
from posestructs.engine.hooks.occlusion_truth_hook import may_have_occlusion_labels
from tests.helpers.tiny_model import CROP, PACK, TARGETS, tiny_model

STEPS = [dict(type='LoadVerifiedImage'), *CROP]
OCCLUDER = dict(type='RandomOccluder', prob=1.0, fills='flat')
SPLIT = dict(type='OcclusionSplitPCK', base=dict(type='TorsoPCK'))
PCK = dict(type='TorsoPCK')


class Persons(CheckedPoseDataset):
    """Six persons; of those from ``known`` on it is known what is occluded."""

    METAINFO = dict(from_file='lsp.py')

    def __init__(self, ann_file, known, **kwargs):
        self.known = known
        super().__init__(ann_file, **kwargs)

    def _load_annotations(self):
        rng, persons = np.random.default_rng(0), []
        for i in range(6):
            points, everything = rng.uniform(5, 59, (14, 2)), np.ones(14, bool)
            occluded = rng.integers(0, 2, 14) if i >= self.known else None
            file = f'{self.data_prefix["img"]}/{i}.png'
            box = box_from_joints(points, everything)
            persons.append(make_instance(points, everything, occluded, box, img_path=file, img_id=i, ann_id=i))
        return persons, [dict(img_id=i, img_path=person['img_path']) for i, person in enumerate(persons)]


@pytest.fixture
def part(tmp_path):
    """Config of a data set with files of its own."""
    (tmp_path / 'file.txt').write_text('')
    for i in range(6):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.full((64, 64, 3), 40 * i, np.uint8))

    def part(known=99, extra=(), pipeline=None):
        return dict(
            type=Persons,
            ann_file=str(tmp_path / 'file.txt'),
            known=known,
            data_prefix=dict(img=str(tmp_path)),
            test_mode=True,
            pipeline=[*STEPS, *extra, PACK] if pipeline is None else pipeline,
        )

    return part


@pytest.fixture
def persons(part):
    return lambda *args, **kwargs: DATASETS.build(part(*args, **kwargs))


def runner_of(folder, val=None, test=None, evaluator=(PCK, SPLIT)):
    def loader(dataset, training=False):
        sampler = dict(type='DefaultSampler', shuffle=training)
        return None if dataset is None else dict(batch_size=2, num_workers=0, sampler=sampler, dataset=dataset)

    train = StickFigureDataset(num_samples=2, image_size=32, pipeline=[*CROP, TARGETS, PACK])
    evaluator = copy.deepcopy(list(evaluator))
    return Runner(
        model=tiny_model(),
        work_dir=str(folder),
        train_dataloader=loader(train, True),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        val_dataloader=loader(val),
        val_cfg=None if val is None else dict(),
        val_evaluator=None if val is None else evaluator,
        test_dataloader=loader(test),
        test_cfg=None if test is None else dict(),
        test_evaluator=None if test is None else evaluator,
        custom_hooks=[dict(type='OcclusionTruthHook')],
        default_hooks=dict(checkpoint=None),
        default_scope='mmpose',
        experiment_name=folder.name,
    )


def test_training_does_not_begin(tmp_path, persons):
    runner = runner_of(tmp_path / 'run', val=persons())
    reported = r'val_evaluator has OcclusionSplitPCK, .* val_dataloader.dataset \(Persons\) gives no keypoints_occluded'
    with pytest.raises(ValueError, match=reported):
        runner.train()
    assert runner.iter == 0


@pytest.mark.parametrize(
    ('labels', 'evaluator'),
    [(dict(known=5), (SPLIT,)), (dict(extra=[dict(OCCLUDER, seed=0)]), (SPLIT,)), (dict(), (PCK,))],
    ids=['of one person', 'of an occluder', 'not asked for'],
)
def test_training_that_can_be_measured(tmp_path, persons, labels, evaluator):
    runner = runner_of(tmp_path / 'run', val=persons(**labels), evaluator=evaluator)
    metrics = runner.train() and runner.val()
    assert runner.iter == 1 and any(name.endswith('TorsoPCK@0.2/joints') for name in metrics)


def test_testing_does_not_begin(tmp_path, persons):
    with pytest.raises(ValueError, match='Leave OcclusionSplitPCK out of test_evaluator'):
        runner_of(tmp_path / 'run', test=persons()).test()
    runner_of(tmp_path / 'other', test=persons(0)).test()


def test_data_sets_by_hand(persons):
    assert not may_have_occlusion_labels(persons())
    assert may_have_occlusion_labels(persons(0)) and may_have_occlusion_labels(persons(5))
    assert may_have_occlusion_labels(persons(extra=[OCCLUDER]))
    assert may_have_occlusion_labels(persons(pipeline=[*STEPS, OCCLUDER]))
    # nothing is known of them
    assert may_have_occlusion_labels(torch.utils.data.TensorDataset(torch.zeros(2)))


@pytest.mark.parametrize('known', [99, 0])
def test_parts_of_a_combined_data_set(part, known):
    parts = [part(pipeline=[]), part(known, pipeline=[])]
    whole = dict(type='CombinedDataset', metainfo=Persons.METAINFO, datasets=parts, pipeline=[*STEPS, PACK])
    assert may_have_occlusion_labels(DATASETS.build(whole)) is (known == 0)


def test_random_numbers_are_those_of_a_run_without(persons):
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()

    def seed():
        random.seed(1), np.random.seed(1), torch.manual_seed(1)

    dataset = persons(extra=[OCCLUDER])
    seed()
    dataset[0]
    assert draw()[1] != (seed(), draw())[1][1]  # the pipeline draws
    seed()
    expected = draw()
    seed()
    assert may_have_occlusion_labels(dataset)
    assert draw() == expected
