"""Heads and data sets with other numbers of joints: refused before the first step."""

from types import SimpleNamespace

import pytest
from mmengine.dataset import Compose, ConcatDataset
from mmpose.registry import DATASETS, MODELS

from posestructs.engine.hooks import JointCheckHook
from posestructs.utils.usage import UsageError

TO_FIVE = dict(type='KeypointConverter', num_keypoints=5, mapping=[(i, i) for i in range(5)])
FIGURES = dict(type='StickFigureDataset', num_samples=1)
TREE = dict(type='PartScoreHead', in_channels=26, tree=dict(from_file='lsp-26.py'))


def check(head, *pipeline, combined=False, concatenated=False, neck=None):
    dataset = DATASETS.build(dict(FIGURES, pipeline=list(pipeline)))
    if concatenated:
        dataset = ConcatDataset([dataset, dataset])
    if combined:
        dataset = SimpleNamespace(datasets=[dataset], metainfo=dataset.metainfo, pipeline=Compose([]))
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))
    model = SimpleNamespace(head=MODELS.build(head), neck=neck and MODELS.build(neck))
    JointCheckHook().before_test(SimpleNamespace(model=model, test_loop=loop))


def heatmaps(joints):
    return dict(type='HeatmapHead', in_channels=4, out_channels=joints, deconv_out_channels=None)


@pytest.mark.parametrize('args', [(heatmaps(14),), (heatmaps(5), TO_FIVE), (dict(TREE),)])
def test_equal_numbers_pass(args):
    check(*args)


@pytest.mark.parametrize(
    'args, numbers', [((heatmaps(15),), (15, 14)), ((heatmaps(14), TO_FIVE), (14, 5)), ((dict(TREE), TO_FIVE), (14, 5))]
)
def test_other_numbers_are_refused(args, numbers):
    message = r'model.head \(\w+\) predicts {} joints, and test_dataloader.dataset \(StickFigureDataset\) has {}'
    with pytest.raises(UsageError, match=message.format(*numbers)):
        check(*args)


def test_a_union_is_checked_by_its_own_joints():
    with pytest.raises(UsageError, match='predicts 15 joints'):
        check(heatmaps(15), combined=True)


def test_a_concatenation_is_checked_by_its_parts():
    check(heatmaps(5), TO_FIVE, concatenated=True)
    with pytest.raises(UsageError, match=r'predicts 14 joints, .*ConcatDataset\) has 5'):
        check(heatmaps(14), TO_FIVE, concatenated=True)


def residual(tree):
    return dict(type='ResidualMessagePassing', in_channels=4, tree=dict(from_file=tree), part_channels=2)


def test_trees_of_other_joints_are_refused():
    check(heatmaps(14), neck=residual('lsp-26.py'))
    message = r'model.neck.tree has the joints nose, left_eye, .*dataset \(StickFigureDataset\) has right_ankle'
    with pytest.raises(UsageError, match=message):
        check(heatmaps(14), neck=residual('coco-17.py'))
    # the converter's joints have no names
    check(heatmaps(5), TO_FIVE, neck=residual('coco-17.py'))
