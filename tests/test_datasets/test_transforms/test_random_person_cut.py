"""Persons cut by the edge of the image: pixels, boxes and labels agree, and absent joints become negatives."""

import copy

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import KEYPOINT_CODECS, TRANSFORMS
from mmpose.structures import PoseDataSample

from posestructs.datasets.transforms import PackPoseInputs
from posestructs.models.heads import AdversarialHead
from posestructs.models.pose_estimators.discriminator_targets import read_targets


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpose')


POINTS = [(40, 10), (30, 30), (50, 30), (30, 60), (50, 60), (30, 90), (50, 90), (0, 0)]
"""A standing person: head, shoulders, hips, ankles, and a joint that is not labelled."""
CODEC = dict(type='OcclusionHeatmap', input_size=(64, 64), heatmap_size=(16, 16), sigma=1)


def sample(turned=False):
    """A person whose labelled joints are the only bright pixels of the image."""
    points = np.array(POINTS, np.float32)[None]
    points = points[..., ::-1].copy() if turned else points
    visible = np.array([[1, 1, 1, 1, 1, 1, 1, 0]], np.float32)
    image = np.zeros((100, 80, 3), np.uint8).transpose(1, 0, 2) if turned else np.zeros((100, 80, 3), np.uint8)
    image = image.copy()
    for k in range(7):
        x, y = points[0, k].astype(int)
        image[y, x] = k + 1
    box = np.array([[20, 0, 60, 100]], np.float32)
    return dict(
        img=image,
        img_id=3,
        id=3,
        keypoints=points,
        keypoints_visible=visible,
        bbox=box[:, [1, 0, 3, 2]] if turned else box,
        upper_body_ids=[0, 1, 2],
        lower_body_ids=[3, 4, 5, 6],
        flip_indices=[0, 2, 1, 4, 3, 6, 5, 7],
    )


def cut(results, **kwargs):
    return TRANSFORMS.build(dict(type='RandomPersonCut', **dict(dict(prob=1.0, seed=0), **kwargs)))(results)


@pytest.mark.parametrize('cuts', ['edge', 'waist', 'side'])
@pytest.mark.parametrize('turned', [False, True])
def test_labels_pixels_and_box_agree(cuts, turned):
    seen = set()
    for seed in range(30):
        before = sample(turned)
        results = cut(copy.deepcopy(before), cuts=cuts, seed=seed)
        image, present = results['img'], results['keypoints_present'][0]
        assert present[7] == -1 and set(present[:7]) <= {0, 1}
        assert results.get('person_cut') == (cuts if image.shape != before['img'].shape else None)
        assert (present == 1).sum() >= 3
        for k in range(7):
            x, y = results['keypoints'][0, k].astype(int)
            # the pixel of each joint that is there, and of no other, is in the image
            assert (image == k + 1).any() == (present[k] == 1) == (results['keypoints_visible'][0, k] == 1)
            if present[k]:
                assert (image[y, x] == k + 1).all()
        # the shift of the joints is that of the box
        shift = before['keypoints'][0, 0] - results['keypoints'][0, 0]
        x1, y1, x2, y2 = results['bbox'][0] + np.tile(shift, 2)
        own = before['bbox'][0]
        assert (own[:2] <= (x1, y1)).all() and ((x2, y2) <= own[2:]).all() and (results['bbox'] >= 0).all()
        assert (results['bbox'][0, 2:] <= image.shape[1::-1]).all()
        seen.add(tuple(np.flatnonzero(present == 0)))
    if cuts == 'waist':
        # across the body, half-way between the mean heights (23.3 and 75) of upper and lower body, 49.2, within a tenth
        # of the extent of 80
        assert seen == {(3, 4, 5, 6)}
    if cuts == 'side':
        assert {(1, 3, 5), (2, 4, 6)} <= seen and not any(0 in lost and {1, 2} <= set(lost) for lost in seen)
    if cuts == 'edge':
        assert len(seen) > 4


def test_waist_follows_the_person():
    """Upside down, the upper rows of the image are lost."""
    results = sample()
    results['keypoints'][..., 1] = 99 - results['keypoints'][..., 1]
    results['img'] = results['img'][::-1]
    found = cut(results, cuts='waist', jitter=0)
    # edge = 99 - 49.2 = 49.8
    assert found['img'].shape == (50, 80, 3)
    assert found['keypoints_present'][0].tolist() == [1, 1, 1, 0, 0, 0, 0, -1]


def test_input_arrays_are_not_changed():
    results = sample()
    arrays = {key: results[key] for key in ('img', 'keypoints', 'keypoints_visible', 'bbox')}
    copies = copy.deepcopy(arrays)
    cut(results, cuts='waist')
    for key, value in arrays.items():
        np.testing.assert_array_equal(value, copies[key])


def test_centre_and_scale_are_those_of_the_new_box():
    results = TRANSFORMS.build(dict(type='GetBBoxCenterScale', padding=1.25))(sample())
    results = cut(results, cuts='waist')
    again = TRANSFORMS.build(dict(type='GetBBoxCenterScale', padding=1.25))(dict(bbox=results['bbox']))
    for key in ('bbox_center', 'bbox_scale'):
        np.testing.assert_allclose(results[key], again[key], rtol=1e-6)
        assert results[key].dtype == again[key].dtype


def test_seed_fixes_the_cut_of_a_sample_and_none_follows_numpy():
    first, second = (cut(sample(), seed=5)['img'] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    shapes = set()
    for state in (0, 1, 2, 3, 0):
        np.random.seed(state)
        shapes.add(cut(sample(), seed=None)['img'].shape)
    assert 2 <= len(shapes) <= 4


def test_uncut_persons_and_joints_outside_the_image():
    results = sample()
    results['keypoints'][0, 5] = (30, 120)
    results['keypoints_occluded'] = np.ones((1, 8), np.float32)
    found = cut(results, prob=0)
    assert found['img'] is results['img'] and found['img'].shape == (100, 80, 3)
    assert found['keypoints_present'][0].tolist() == [1, 1, 1, 1, 1, 0, 1, -1]
    assert found['keypoints_visible'][0].tolist() == [1, 1, 1, 1, 1, 0, 1, 0]
    assert found['keypoints_occluded'][0].tolist() == [1, 1, 1, 1, 1, 0, 1, 1]


def test_absent_joints_become_empty_maps_with_weight():
    steps = [
        dict(type='GetBBoxCenterScale'),
        dict(type='RandomPersonCut', prob=1.0, cuts='waist', seed=0),
        dict(type='TopdownAffine', input_size=(64, 64)),
        dict(type='RandomOccluder', prob=0.0),
        dict(type='GenerateTarget', encoder=dict(CODEC, negatives=True)),
    ]
    results = sample()
    for step in steps:
        results = TRANSFORMS.build(step)(results)
    weights, hidden = results['keypoint_weights'][0], results['occlusion_weights'][0]
    assert weights.tolist() == [1, 1, 1, 1, 1, 1, 1, 0]
    assert (results['heatmaps'][:8].reshape(8, -1).max(1) > 0).tolist() == [True] * 3 + [False] * 5
    assert hidden.tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    packed = PackPoseInputs()(results)['data_samples']
    assert packed.gt_instances.keypoints_present.tolist() == [[1, 1, 1, 0, 0, 0, 0, -1]]


def test_codec_with_and_without_negatives():
    points = np.array([[[32, 32], [200, 32], [32, 200]]], np.float32)
    visible, present = np.array([[1, 1, 0]], np.float32), np.array([[1, 1, 0]], np.float32)
    plain, codec = (KEYPOINT_CODECS.build(dict(CODEC, negatives=value)) for value in (False, True))
    assert plain.encode(points, visible, keypoints_present=present)['keypoint_weights'].tolist() == [[1, 0, 0]]
    # the second is in the image but outside the map, the third outside the image
    found = codec.encode(points, visible, keypoints_present=present)
    assert found['keypoint_weights'].tolist() == [[1, 1, 1]]
    assert not found['heatmaps'][1:3].any()
    with pytest.raises(ValueError, match='keypoints_present'):
        codec.encode(points, visible, keypoints_present=np.array([[1, 2, 0]]))
    with pytest.raises(ValueError, match='RandomPersonCut'):
        codec.encode(points, visible)


def test_training_reads_negatives():
    """A map that is empty as its target costs nothing, and is left out of the accuracy and of discriminators."""
    encoded = KEYPOINT_CODECS.build(dict(CODEC, negatives=True)).encode(
        np.array([[[32, 32], [32, 32]]], np.float32), np.array([[1, 0]]), keypoints_present=np.array([[1, 0]])
    )
    data = PoseDataSample(metainfo=dict(input_scale=(64, 64)))
    data.gt_fields = PixelData(heatmaps=torch.from_numpy(encoded['heatmaps']))
    labels = {k: torch.from_numpy(v) for k, v in encoded.items() if k != 'heatmaps'}
    data.gt_instance_labels = InstanceData(**{k: v if k != 'normaliser' else v[None] for k, v in labels.items()})
    head = AdversarialHead(in_channels=4, out_channels=2, decoder=CODEC)
    maps = torch.from_numpy(encoded['heatmaps'])[None].clone()
    exact = head.loss_from_maps([maps], [data])
    assert exact['loss_kpt'] == 0 and exact['acc_pose'] == 1
    maps[0, 1, 3, 3] = 1
    # 1/(2N) of the one squared error
    assert head.loss_from_maps([maps], [data])['loss_kpt'] == pytest.approx(0.5)
    assert read_targets([data], maps).labelled.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(prob=2), 'prob=2'),
        (dict(cuts='half'), "cuts='half'"),
        (dict(share=(0.5, 1)), 'share'),
        (dict(jitter=-1), 'jitter=-1'),
        (dict(seed=0.5), 'seed=0.5'),
    ],
)
def test_refused_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(dict(type='RandomPersonCut', **kwargs))


def test_refused_samples():
    with pytest.raises(ValueError, match='upper_body_ids'):
        cut({key: value for key, value in sample().items() if key != 'upper_body_ids'}, cuts='waist')
    with pytest.raises(ValueError, match='before TopdownAffine'):
        cut(dict(sample(), transformed_keypoints=np.zeros((1, 8, 2))))
    for step in (dict(type='RandomFlip', prob=1.0), dict(type='KeypointConverter', num_keypoints=1, mapping=[(0, 0)])):
        with pytest.raises(ValueError, match='after RandomPersonCut, allowed: before it'):
            TRANSFORMS.build(step)(cut(sample()))
    assert cut(dict(img=np.zeros((4, 4, 3)))).keys() == {'img'}
