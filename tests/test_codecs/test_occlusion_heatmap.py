"""OcclusionHeatmap: targets, masks, both directions against mmpose's codecs, probability of occlusion, pipelines."""

import numpy as np
import pytest
from mmpose.codecs import MSRAHeatmap, UDPHeatmap
from mmpose.datasets.transforms import GenerateTarget
from mmpose.registry import KEYPOINT_CODECS, TRANSFORMS

from posestructs.datasets import LSPDataset, StickFigureDataset
from tests.helpers import data_root, needs_data

SIZES = dict(input_size=(96, 64), heatmap_size=(24, 16))


def codec(**kwargs):
    return KEYPOINT_CODECS.build(dict(dict(type='OcclusionHeatmap', sigma=1, **SIZES), **kwargs))


def person(seed=0, joints=6):
    rng = np.random.default_rng(seed)
    return rng.uniform((8, 8), (88, 56), (1, joints, 2)).astype(np.float32)


THEIRS = {
    'argmax_shift': lambda **kw: MSRAHeatmap(**SIZES, **kw),
    'dark': lambda **kw: MSRAHeatmap(**SIZES, unbiased=True, **kw),
    'udp': lambda **kw: UDPHeatmap(**SIZES, **kw),
}


@pytest.mark.parametrize('decode', list(THEIRS))
def test_pose_maps_and_joints_are_those_of_mmpose(decode):
    keypoints, visible = person(), np.array([[1, 1, 0, 1, 1, 1]], np.float32)
    ours, theirs = codec(decode=decode, sigma=2), THEIRS[decode](sigma=2)
    encoded, expected = ours.encode(keypoints, visible), theirs.encode(keypoints, visible)
    np.testing.assert_allclose(encoded['heatmaps'][:6], expected['heatmaps'], atol=3e-7)
    np.testing.assert_array_equal(encoded['keypoint_weights'], expected['keypoint_weights'])
    rng = np.random.default_rng(1)
    maps = np.concatenate([expected['heatmaps'] + rng.normal(0, 0.02, expected['heatmaps'].shape)] * 2)
    maps = maps.astype(np.float32)
    found, wanted = ours.decode(maps), theirs.decode(maps[:6])
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    assert found[0].shape == (1, 6, 2) and found[1].shape == (1, 6)


@pytest.mark.parametrize(('decode', 'limit'), [('plain', 2.9), ('argmax_shift', 2.9), ('dark', 0.2)])
def test_round_trip(decode, limit):
    """Within half a cell of 4 pixels in each direction, DARK closer (away from the edge, where its blur sees zeros)."""
    keypoints = person(joints=30)
    if decode == 'dark':
        keypoints = 28 + keypoints % (40, 8)
    ours = codec(decode=decode, sigma=2)
    found, scores = ours.decode(ours.encode(keypoints)['heatmaps'])
    assert np.hypot(*(found - keypoints).reshape(-1, 2).T).max() < limit
    assert scores.min() > 0.8
    if decode == 'plain':
        np.testing.assert_array_equal(found, np.floor(keypoints / 4 + 0.5) * 4)


def test_occlusion_maps_and_masks():
    """Occluded, visible, unknown, not labelled, outside; one joint each."""
    keypoints = np.array([[[20, 20], [40, 20], [60, 20], [80, 20], [-60, 20]]], np.float32)
    visible = np.array([[1, 1, 1, 0, 1]], np.float32)
    occluded = np.array([[1, 0, -1, 1, 1]], np.float32)
    out = codec().encode(keypoints, visible, occluded)
    pose, occlusion = out['heatmaps'][:5], out['heatmaps'][5:]
    assert out['keypoint_weights'].tolist() == [[1, 1, 1, 0, 0]]
    assert out['occlusion_weights'].tolist() == [[1, 1, 0, 0, 0]]
    np.testing.assert_array_equal(occlusion[0], pose[0])
    assert pose[0, 5, 5] == 1 and not occlusion[1:].any()
    assert pose[1, 5, 10] == 1 and pose[2, 5, 15] == 1 and not pose[3:].any()
    np.testing.assert_array_equal(out['keypoint_cells'], keypoints / 4)
    assert all(value.dtype == np.float32 for value in out.values())


@pytest.mark.parametrize('occluded', [None, np.full((1, 6), -1.0)])
def test_unknown_occlusion_weighs_nothing(occluded):
    out = codec().encode(person(), keypoints_occluded=occluded)
    assert not out['occlusion_weights'].any() and out['keypoint_weights'].all()
    assert out['heatmaps'].shape == (12, 16, 24) and not out['heatmaps'][6:].any()


def test_labels_are_not_changed():
    visible, occluded = np.ones((1, 6), np.float32), np.zeros((1, 6), np.float32)
    keypoints = person()
    keypoints[0, 0] = -500
    before = keypoints.copy()
    assert codec().encode(keypoints, visible, occluded)['keypoint_weights'][0, 0] == 0
    assert visible.all() and np.array_equal(keypoints, before)


def test_without_occlusion_maps():
    out = codec(with_occlusion=False).encode(person(), keypoints_occluded=np.ones((1, 6)))
    assert out['heatmaps'].shape == (6, 16, 24)
    # what is known of the joints stays available
    assert out['occlusion_weights'].all()
    found, _ = codec(with_occlusion=False).decode(out['heatmaps'])
    assert found.shape == (1, 6, 2)
    with pytest.raises(ValueError, match='no occlusion maps to decode'):
        codec(with_occlusion=False).decode_occlusion(out['heatmaps'])


def test_probability_of_true_maps():
    occluded = np.array([[1, 0, 1, 0, 0, 1]], np.float32)
    for decode in ('argmax_shift', 'udp', 'dark'):
        ours = codec(decode=decode)
        maps = ours.encode(person(), keypoints_occluded=occluded)['heatmaps']
        np.testing.assert_allclose(ours.decode_occlusion(maps), occluded, atol=1e-6)


def test_probability_is_the_share_of_occluded_worlds():
    """The maps that minimise the squared error over worlds: a joint here or there, occluded in seven of ten.

    The occlusion map alone says far less than 0.7, the more the place is open.
    """
    rng = np.random.default_rng(0)
    ours, worlds, mean = codec(sigma=1), 4000, 0
    hidden = rng.permutation(np.arange(worlds) < 0.7 * worlds).astype(np.float32)
    for occluded in hidden:
        place = (np.array([48.0, 32.0]) + rng.normal(0, 8, 2))[None, None]
        mean = mean + ours.encode(place, keypoints_occluded=np.full((1, 1), occluded))['heatmaps'] / worlds
    assert ours.decode_occlusion(mean)[0, 0] == pytest.approx(0.7, abs=0.03)
    assert mean[1].max() < 0.25


def test_probability_by_hand():
    """Sums of 3 x 3 cells, those below zero and outside left out, clipped; 0.5 where there is no peak."""
    maps = np.zeros((8, 16, 24), np.float32)
    pose, occlusion = maps[:4], maps[4:]
    pose[0, 4, 5], pose[0, 4, 6], pose[0, 4, 4], pose[0, 9, 9] = 1.0, 0.5, -3, 0.9
    occlusion[0, 4, 5], occlusion[0, 5, 6], occlusion[0, 9, 9], occlusion[0, 3, 4] = 0.2, 0.1, 1, -5
    pose[1, 0, 0] = 0.5
    occlusion[1, 0, 1], occlusion[1, 15, 23] = 0.1, 1  # nothing wraps around
    pose[2, 15, 23], occlusion[2, 15, 23] = 0.5, 0.9
    occlusion[3, 3, 3] = 1
    np.testing.assert_allclose(codec().decode_occlusion(maps), [[0.3 / 1.5, 0.2, 1.0, 0.5]], rtol=1e-6)


def test_normaliser_in_cells():
    keypoints = np.array([[[10, 10], [40, 50]]], np.float32)
    sample = dict(bbox=np.array([[0, 0, 200, 100]]), input_scale=np.array([192.0, 128.0]))
    assert codec(normalize='torso', pair=(0, 1)).encode(keypoints)['normaliser'].tolist() == [12.5]
    # 200 image pixels are 100 of the input's, 25 cells
    assert codec().encode(keypoints, **sample)['normaliser'].tolist() == [25]
    head = codec(normalize='head').encode(keypoints, head_size=np.array([16.0]), input_scale=sample['input_scale'])
    assert head['normaliser'].tolist() == [2]
    visible = np.array([[1, 0]], np.float32)
    assert codec(normalize='torso', pair=(0, 1)).encode(keypoints, visible)['normaliser'].tolist() == [0]
    # labelled, though outside the map: its position is known all the same
    far = np.array([[[10, 10], [10, 810]]], np.float32)
    out = codec(normalize='torso', pair=(0, 1)).encode(far)
    assert out['normaliser'].tolist() == [200] and out['keypoint_weights'].tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(decode='megvii'), "decode='megvii', allowed: "),
        (dict(sigma=0), 'sigma=0, allowed: a finite number above 0'),
        (dict(heatmap_size=(24, 0)), r'heatmap_size=\(24, 0\), allowed: .width, height.'),
        (dict(blur_kernel_size=4), 'blur_kernel_size=4, allowed: an odd'),
        (dict(require_occlusion=True, with_occlusion=False), 'require_occlusion=True requires'),
        (dict(normalize='torso'), "normalize='torso' needs pair"),
    ],
)
def test_refusals_at_build_time(kwargs, match):
    with pytest.raises(ValueError, match=match):
        codec(**kwargs)


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(keypoints=np.zeros((2, 6, 2))), r'keypoints has the shape \(2, 6, 2\), allowed: one person, \(1, K, 2\)'),
        (dict(keypoints_visible=np.ones((1, 5))), r'keypoints_visible has the shape \(1, 5\), allowed: \(1, 6\)'),
        (
            dict(keypoints_occluded=np.full((1, 6), 2)),
            r'keypoints_occluded holds 2, allowed: 1 \(occluded\), 0 \(visible\), -1',
        ),
        (dict(keypoints_occluded=np.full((1, 6), np.nan)), 'keypoints_occluded holds nan'),
        (dict(keypoints_occluded=np.ones((1, 5))), r'keypoints_occluded has the shape \(1, 5\), allowed: \(1, 6\)'),
    ],
)
def test_refusals_of_labels(kwargs, match):
    with pytest.raises(ValueError, match=match):
        codec().encode(**dict(dict(keypoints=person()), **kwargs))


def test_occlusion_labels_can_be_demanded():
    strict = codec(require_occlusion=True)
    with pytest.raises(ValueError, match='require_occlusion=True, and the sample has no keypoints_occluded'):
        strict.encode(person())
    with pytest.raises(ValueError, match='require_occlusion=True, and keypoints_occluded of the sample is -1'):
        strict.encode(person(), keypoints_occluded=np.full((1, 6), -1.0))
    strict.encode(person(), keypoints_occluded=np.zeros((1, 6)))
    strict.encode(person(), np.zeros((1, 6)), np.full((1, 6), -1.0))  # nobody is labelled: nothing is missing


@pytest.mark.parametrize('decode', ['plain', 'argmax_shift', 'dark', 'udp'])
def test_maps_with_nan_are_refused(decode):
    maps = np.zeros((12, 16, 24), np.float32)
    maps[3, 4, 5] = np.nan
    with pytest.raises(ValueError, match='OcclusionHeatmap: the heatmaps contain NaN'):
        codec(decode=decode).decode(maps)
    with pytest.raises(ValueError, match='OcclusionHeatmap: the heatmaps contain NaN'):
        codec(decode=decode).decode_occlusion(maps)


def test_odd_number_of_maps():
    with pytest.raises(ValueError, match='5 maps, allowed with with_occlusion=True: an even number'):
        codec().decode(np.zeros((5, 16, 24), np.float32))


def pipeline(encoder, *before):
    steps = [
        dict(type='GetBBoxCenterScale'),
        *before,
        dict(type='TopdownAffine', input_size=encoder['input_size']),
        dict(type='GenerateTarget', encoder=encoder),
        dict(type='PackPoseInputs'),
    ]
    return [TRANSFORMS.build(step) for step in steps]


def through(steps, sample):
    for step in steps:
        sample = step(sample)
    return sample['data_samples']


@pytest.mark.parametrize('normalize', ['box', 'torso', 'head'])
def test_in_a_pipeline(normalize):
    """Stick figures: the packed targets decode to the true joints and to their occlusion."""
    data = StickFigureDataset(8, image_size=128)
    kwargs = {} if normalize != 'torso' else dict(pair=(9, 2))
    encoder = dict(type='OcclusionHeatmap', sigma=1, input_size=(128, 128), heatmap_size=(32, 32), normalize=normalize)
    steps, ours = pipeline(dict(encoder, **kwargs)), KEYPOINT_CODECS.build(dict(encoder, **kwargs))
    seen = 0
    for number in range(len(data)):
        sample = data[number]
        packed = through(steps, sample)
        labels = packed.gt_instance_labels
        maps = packed.gt_fields.heatmaps.numpy()
        assert maps.shape == (28, 32, 32)
        joints, _ = ours.decode(maps)
        use = labels.keypoint_weights.numpy() > 0
        # the crop's frame, from the cells
        assert np.abs(joints - 4 * labels.keypoint_cells.numpy())[use].max() <= 2.01
        known = labels.occlusion_weights.numpy() > 0
        target = packed.gt_instances.keypoints_occluded
        np.testing.assert_allclose(ours.decode_occlusion(maps)[known], target[known], atol=1e-6)
        seen += target[known].sum()
        # size in cells = size in image pixels / image pixels per input pixel / 4
        zoom = 128 / packed.metainfo['input_scale'][0]
        box = packed.gt_instances.bboxes[0]
        size = dict(
            box=max(box[2] - box[0], box[3] - box[1]),
            head=packed.gt_instances.head_size[0],
            torso=np.hypot(*(packed.gt_instances.keypoints[0, 9] - packed.gt_instances.keypoints[0, 2])),
        )[normalize]
        assert float(labels.normaliser[0]) == pytest.approx(size * zoom / 4, rel=1e-4)
    assert seen > 3


def test_beside_another_codec_in_one_pipeline():
    """mmpose's list of encoders asks for each auxiliary key of each sample."""
    sample = StickFigureDataset(1, image_size=64)[0]
    sample['transformed_keypoints'] = sample['keypoints']
    ours = dict(type='OcclusionHeatmap', sigma=1, input_size=(64, 64), heatmap_size=(16, 16), normalize='torso')
    other = dict(type='RegressionLabel', input_size=(64, 64))
    step = GenerateTarget(encoder=[dict(ours, pair=(9, 2)), other])
    out = step(sample)
    assert len(out['keypoint_weights']) == 2 and out['heatmaps'].shape == (28, 16, 16)


@needs_data
def test_real_persons_without_occlusion_labels():
    """LSP-extended labels no occlusion; artificial occluders in the pipeline do."""
    data = LSPDataset(
        data_root=str(data_root() / 'lspet-mini'),
        ann_file='joints.mat',
        id_file='val.txt',
        data_prefix=dict(img='images/'),
    )
    load = TRANSFORMS.build(dict(type='LoadVerifiedImage'))
    encoder = dict(type='OcclusionHeatmap', sigma=1, input_size=(128, 128), heatmap_size=(32, 32))
    plain = through(pipeline(encoder), load(data[0])).gt_instance_labels
    assert plain.keypoint_weights.any() and not plain.occlusion_weights.any()
    occluder = dict(type='RandomOccluder', prob=1.0)
    drawn = through(pipeline(encoder, occluder), load(data[0])).gt_instance_labels
    assert drawn.occlusion_weights.any()
