"""Data sets of mmpose, whose parser drops our metainfo keys, under our metrics."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmpose.datasets import CombinedDataset
from mmpose.datasets.datasets import CocoDataset, MpiiDataset

from posestructs.evaluation.shipped_metainfo import SHIPPED, complete
from posestructs.structures.metainfo import metainfo_file
from tests.helpers import data_root, needs_data

METRICS = [dict(type='StrictPCP'), dict(type='TorsoPCK'), dict(type='PDJ', thr=0.1)]
LEFT_ARM = [dict(name='arm', side='left', ends=('left_shoulder', 'left_wrist'))]


def combined():
    init_default_scope('mmpose')
    lsp = dict(
        type='LSPDataset',
        data_root=str(data_root() / 'lspet-mini'),
        ann_file='joints.mat',
        id_file='val.txt',
        indices=3,
        pipeline=[],
    )
    return CombinedDataset(metainfo=dict(from_file=metainfo_file('lsp')), datasets=[lsp, lsp])


def one_wrist_wrong(meta):
    """Five persons with pairwise distant joints, the left wrist far off."""
    ids = meta['keypoint_name2id']
    gt = np.random.default_rng(0).permutation(5 * len(ids)).reshape(5, -1, 1) * [40.0, 30.0]
    pred = gt.copy()
    pred[:, ids['left_wrist']] += 1e5
    return pred, gt


@needs_data
@pytest.mark.parametrize(
    'build, groups',
    [
        (lambda: MpiiDataset(lazy_init=True), 7),
        (lambda: CocoDataset(lazy_init=True), 9),
        (combined, 7),
    ],
    ids=['mpii', 'coco', 'combined'],
)
def test_data_sets_of_mmpose_are_measured(build, groups, samples_of, evaluate):
    meta = build().metainfo
    assert not {'sticks', 'torso_pair', 'joint_groups'} & set(meta)  # or nothing is tested here
    pred, gt = one_wrist_wrong(meta)
    out = evaluate(METRICS, meta, samples_of(pred, gt))
    assert out['StrictPCP@0.5/lower_arm'] == 50 and out['StrictPCP@0.5/upper_arm'] == out['StrictPCP@0.5/torso'] == 100
    assert out['TorsoPCK@0.2/wrist'] == out['PDJ@0.1/wrist'] == 50
    joints = gt.shape[1]
    assert out['TorsoPCK@0.2'] == pytest.approx(100 * (joints - 1) / joints)
    assert len([key for key in out if key.startswith('PDJ/AUC/')]) == groups


def test_what_a_data_set_has_goes_first(lsp_meta):
    meta = {k: v for k, v in lsp_meta.items() if k != 'joint_groups'} | dict(sticks=LEFT_ARM)
    whole = complete(meta)
    assert whole['sticks'] == LEFT_ARM and whole['joint_groups'] == lsp_meta['joint_groups']
    assert 'joint_groups' not in meta
    assert complete(lsp_meta) == lsp_meta


def test_another_order_of_joints_is_another_data_set(lsp_meta, evaluate):
    ids = dict(lsp_meta['keypoint_name2id'], neck=13, head_top=12)
    meta = dict(dataset_name='lsp', keypoint_name2id=ids)
    assert complete(meta) == meta
    error = r"StrictPCP: the metainfo of data set 'lsp' has no 'sticks'.*metric's config, e.g. sticks=\[.*posestructs"
    with pytest.raises(ValueError, match=error):
        evaluate([dict(type='StrictPCP')], meta, [])
    with pytest.raises(ValueError, match='there are no predictions to measure'):  # the way that the message tells
        evaluate([dict(type='StrictPCP', sticks=LEFT_ARM)], meta, [])


def test_every_shipped_file_is_looked_at():
    assert {p.stem for p in Path(metainfo_file('lsp')).parent.glob('*.py')} == set(SHIPPED)
