"""Fields of joints after a conversion, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmpose.registry import TRANSFORMS

import posestructs  # noqa: F401
from posestructs.structures.joint_conversion import convert_metainfo, pipeline_metainfo
from posestructs.structures.metainfo import load_metainfo

NAMES = ['head', 'tail', 'left_wing', 'right_wing', 'left_leg', 'right_leg']
SWAP = {'left_wing': 'right_wing', 'right_wing': 'left_wing', 'left_leg': 'right_leg', 'right_leg': 'left_leg'}
LINKS = [('head', 'tail'), ('tail', 'left_wing'), ('tail', 'right_wing'), ('left_leg', 'tail')]


@pytest.fixture
def insect():
    return load_metainfo(
        dict(
            dataset_name='insect',
            keypoint_info={
                i: dict(name=n, id=i, color=[i, 0, 9], type='lower' if 'leg' in n else 'upper', swap=SWAP.get(n, ''))
                for i, n in enumerate(NAMES)
            },
            skeleton_info={i: dict(link=link, id=i, color=[0, i, 0]) for i, link in enumerate(LINKS)},
            joint_weights=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            sigmas=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
            torso_pair=('head', 'tail'),
            sticks=[
                dict(name='body', side=None, ends=('head', ('left_leg', 'right_leg'))),
                dict(name='wing', side='left', ends=('tail', 'left_wing')),
            ],
            joint_groups=dict(wings=['left_wing', 'right_wing'], legs=['left_leg', 'right_leg'], head=['head']),
        )
    )


def test_reordered_joints_take_everything_with_them(insect):
    # right_leg, left_leg, tail, head, and the legs' mean; the wings are dropped
    meta = convert_metainfo(insect, 5, [(5, 0), (4, 1), (1, 2), (0, 3), ((4, 5), 4)])
    assert meta['dataset_name'] == 'insect' and meta['num_keypoints'] == 5
    assert list(meta['keypoint_id2name'].values()) == ['right_leg', 'left_leg', 'tail', 'head', 'left_leg+right_leg']
    assert meta['keypoint_name2id']['tail'] == 2
    assert meta['flip_indices'] == [1, 0, 2, 3, 4] and sorted(meta['flip_pairs']) == [(0, 1), (1, 0)]
    assert meta['unpaired_joints'] == []
    assert (meta['upper_body_ids'], meta['lower_body_ids']) == ([2, 3], [0, 1, 4])
    np.testing.assert_allclose(meta['dataset_keypoint_weights'], [6, 5, 2, 1, 5.5])
    np.testing.assert_allclose(meta['sigmas'], [0.6, 0.5, 0.2, 0.1, 0.55], rtol=1e-6)
    np.testing.assert_array_equal(meta['keypoint_colors'][:, 0], [5, 4, 1, 0, 4])
    assert meta['skeleton_links'] == [(3, 2), (1, 2)] and meta['num_skeleton_links'] == 2
    np.testing.assert_array_equal(meta['skeleton_link_colors'], [[0, 0, 0], [0, 3, 0]])
    assert meta['torso_pair'] == ('head', 'tail')
    assert meta['sticks'] == [dict(name='body', side=None, ends=('head', ('left_leg', 'right_leg')))]
    assert meta['joint_groups'] == dict(legs=['left_leg', 'right_leg'], head=['head'])


def test_a_mean_takes_the_place_of_its_joints_in_a_stick(insect):
    meta = convert_metainfo(insect, 2, [(0, 0), ((5, 4), 1)])
    assert meta['sticks'] == [dict(name='body', side=None, ends=('head', 'left_leg+right_leg'))]
    assert 'torso_pair' not in meta and meta['joint_groups'] == dict(head=['head'])


def test_joints_without_mirror_image_or_source_or_name_of_their_own(insect):
    meta = convert_metainfo(insect, 4, [(2, 0), (0, 1), (0, 2)])
    assert meta['flip_indices'] == [0, 1, 2, 3] and meta['unpaired_joints'] == [0]
    assert list(meta['keypoint_id2name'].values()) == ['left_wing', 'head', 'head_2', 'unmapped_3']
    assert meta['dataset_keypoint_weights'].tolist() == [3, 1, 1, 0] and (meta['sigmas'] > 0).all()


def test_two_converters_in_a_pipeline_equal_one(insect):
    first = dict(type='KeypointConverter', num_keypoints=4, mapping=[(0, 3), (1, 2), (2, 1), (3, 0)])
    second = dict(type='mmpose.KeypointConverter', num_keypoints=2, mapping=[(0, 1), (1, 0)])
    both = pipeline_metainfo(insect, [dict(type='LoadImage'), first, second])
    init_default_scope('mmpose')
    built = pipeline_metainfo(insect, [TRANSFORMS.build(first), TRANSFORMS.build(dict(second))])
    once = convert_metainfo(insect, 2, [(2, 0), (3, 1)])
    for meta in (both, built):
        assert meta['keypoint_id2name'] == once['keypoint_id2name'] == {0: 'left_wing', 1: 'right_wing'}
        assert meta['flip_indices'] == once['flip_indices'] == [1, 0]
        np.testing.assert_array_equal(meta['sigmas'], once['sigmas'])
    assert pipeline_metainfo(insect, [dict(type='LoadImage')]) == insect


@pytest.mark.parametrize(
    ('mapping', 'message'),
    [([(0, 0), (6, 1)], 'from joint 6, allowed: 0 to 5'), ([(0, 2)], 'target 2, allowed: 0 to 1')],
)
def test_a_joint_that_does_not_exist_is_named(insect, mapping, message):
    with pytest.raises(ValueError, match=message):
        convert_metainfo(insect, 2, mapping)


def sample(meta) -> dict:
    rng = np.random.default_rng(0)
    keys = ('flip_indices', 'flip_pairs', 'upper_body_ids', 'lower_body_ids', 'dataset_keypoint_weights')
    return dict(
        {key: meta[key] for key in keys},
        img=np.zeros((90, 120, 3), np.uint8),
        img_shape=(90, 120),
        keypoints=rng.uniform(5, 85, (1, 6, 2)).astype(np.float32),
        keypoints_visible=np.ones((1, 6), np.float32),
        keypoints_occluded=np.array([[0, 1, 1, 0, 0, 1]], np.float32),
    )


@pytest.mark.parametrize('mapping', [[(3, 0), (2, 1), (0, 2), (5, 3), (4, 4), (1, 5)], [(4, 0), (5, 1), ((2, 3), 2)]])
def test_flip_after_a_conversion_equals_a_flip_before_it(insect, mapping):
    init_default_scope('mmpose')
    flip = TRANSFORMS.build(dict(type='RandomFlip', prob=1.0))
    convert = TRANSFORMS.build(dict(type='KeypointConverter', num_keypoints=len(mapping), mapping=mapping))
    after, before = flip(convert(sample(insect))), convert(flip(sample(insect)))
    for key in ('keypoints', 'keypoints_visible', 'keypoints_occluded'):
        np.testing.assert_allclose(after[key], before[key], atol=1e-6)
    assert after['lower_body_ids'] == [i for i, (source, _) in enumerate(mapping) if source in (4, 5)]


def test_a_flip_of_joints_without_their_mirror_images_is_refused(insect):
    init_default_scope('mmpose')
    convert = TRANSFORMS.build(dict(type='KeypointConverter', num_keypoints=2, mapping=[(0, 0), (2, 1)]))
    flip = TRANSFORMS.build(dict(type='RandomFlip', prob=1.0))
    assert convert(flip(sample(insect)))['keypoints'].shape == (1, 2, 2)
    with pytest.raises(ValueError, match=r'joints \[1\] without their mirror images: put RandomFlip before'):
        flip(convert(sample(insect)))


@pytest.mark.parametrize('entry', [((1, 2, 3), 1), ((1,), 1), (0.0, 1), ('head', 1), (True, 1), (0, '1'), (0, 1, 2), 3])
def test_an_entry_of_another_form_is_refused(entry):
    init_default_scope('mmpose')
    with pytest.raises(ValueError, match=r'^KeypointConverter.mapping\[1\]=.*, allowed: \(source, target\) or'):
        TRANSFORMS.build(dict(type='KeypointConverter', num_keypoints=2, mapping=[(0, 0), entry]))


@pytest.mark.parametrize('count', ['2', 0, 2.0])
def test_a_wrong_number_of_joints_is_refused(count):
    init_default_scope('mmpose')
    with pytest.raises(ValueError, match='^KeypointConverter.num_keypoints=.*, allowed: an integer'):
        TRANSFORMS.build(dict(type='KeypointConverter', num_keypoints=count, mapping=[(0, 0)]))
