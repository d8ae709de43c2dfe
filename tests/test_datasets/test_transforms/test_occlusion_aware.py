"""Occlusion labels stay with their joints through mmpose's own transforms, built by mmpose's own names."""

import copy

import mmpose.datasets.transforms as theirs
import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, TRANSFORMS

import posestructs.datasets.transforms as ours
from tests.helpers import data_root, needs_data

# joints 0 and 1 are a pair, so are 2 and 4; 3 and 5 are their own mirror images
FLIP = [1, 0, 4, 3, 2, 5]
NAMES = (
    'RandomFlip',
    'HandRandomFlip',
    'RandomFlipAroundRoot',
    'KeypointConverter',
    'SingleHandConverter',
    'FilterAnnotations',
    'BottomupRandomCrop',
    'Mosaic',
    'YOLOXMixUp',
    'PackPoseInputs',
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpose')


def sample(n=1, seed=0, k=6, size=(40, 60)):
    """A sample of n persons whose labels hold all three values, and a position that tells each joint."""
    rng = np.random.default_rng(seed)
    h, w = size
    occluded = rng.integers(-1, 2, (n, k)).astype(np.float32)
    occluded[0, :3] = [1, 0, -1]
    visible = np.ones((n, k), dtype=np.float32)
    visible[:, -1] = 0
    occluded[:, -1] = 0
    return dict(
        img=rng.integers(0, 256, (h, w, 3), dtype=np.uint8),
        img_shape=(h, w),
        ori_shape=(h, w),
        img_id=1,
        img_path='a.jpg',
        id=np.arange(n).tolist(),
        category_id=np.ones(n, dtype=int),
        bbox=np.tile(np.array([[2, 3, w - 4, h - 5]], dtype=np.float32), (n, 1)),
        bbox_score=np.ones(n, dtype=np.float32),
        area=np.full(n, 500.0, dtype=np.float32),
        keypoints=(rng.random((n, k, 2)) * [w - 1, h - 1]).astype(np.float32),
        keypoints_visible=visible,
        keypoints_occluded=occluded,
        flip_indices=list(FLIP),
    )


def same(a, b):
    """Equality of nested results, arrays with their type and every bit."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and a == b


def test_mmposes_names_give_our_classes():
    for name in NAMES:
        assert TRANSFORMS.get(name) is getattr(ours, name)
        assert TRANSFORMS.get(f'mmpose.{name}') is getattr(ours, name)
        assert issubclass(getattr(ours, name), getattr(theirs, name))
        assert getattr(theirs, name) is not getattr(ours, name), 'mmpose itself must stay as it is'


# -- flips -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('n', [1, 3])
@pytest.mark.parametrize('direction', ['horizontal', 'vertical'])
def test_flip_swaps_left_and_right_labels_once_and_back(direction, n):
    flip = TRANSFORMS.build(dict(type='RandomFlip', prob=1.0, direction=direction))
    before = sample(n)
    once = flip(copy.deepcopy(before))
    np.testing.assert_array_equal(once['keypoints_occluded'], before['keypoints_occluded'][:, FLIP])
    np.testing.assert_array_equal(once['keypoints_visible'], before['keypoints_visible'][:, FLIP])
    assert not np.array_equal(once['keypoints_occluded'], before['keypoints_occluded'])
    # each label is still with its joint: follow every joint by its position
    axis, end = (0, 59) if direction == 'horizontal' else (1, 39)
    for person in range(n):
        for joint, (x, y) in enumerate(once['keypoints'][person]):
            back = np.array([x, y])
            back[axis] = end - back[axis]
            source = int(np.abs(before['keypoints'][person] - back).sum(axis=1).argmin())
            assert once['keypoints_occluded'][person, joint] == before['keypoints_occluded'][person, source]
    twice = flip(copy.deepcopy(once))
    for key in ('keypoints_occluded', 'keypoints_visible', 'img'):
        assert same(twice[key], before[key])
    np.testing.assert_allclose(twice['keypoints'], before['keypoints'], atol=1e-4)


def test_diagonal_flip_and_no_flip_keep_the_labels_in_place():
    before = sample(2)
    for config in (dict(prob=1.0, direction='diagonal'), dict(prob=0.0)):
        after = TRANSFORMS.build(dict(type='RandomFlip', **config))(copy.deepcopy(before))
        assert same(after['keypoints_occluded'], before['keypoints_occluded'])
        assert same(after['keypoints_visible'], before['keypoints_visible'])


def test_flip_with_visibility_weights_in_a_second_channel():
    before = sample(2)
    weights = np.arange(12, dtype=np.float32).reshape(2, 6)
    before['keypoints_visible'] = np.stack([before['keypoints_visible'], weights], axis=-1)
    after = TRANSFORMS.build(dict(type='RandomFlip', prob=1.0))(copy.deepcopy(before))
    assert same(after['keypoints_visible'], before['keypoints_visible'][:, FLIP])
    assert same(after['keypoints_occluded'], before['keypoints_occluded'][:, FLIP])


def test_hand_flip():
    before = dict(sample(), hand_type=np.array([[1, 0]]), rel_root_depth=np.array([2.0]))
    after = TRANSFORMS.build(dict(type='HandRandomFlip', prob=1.0))(copy.deepcopy(before))
    assert same(after['keypoints_occluded'], before['keypoints_occluded'][:, FLIP])
    assert after['hand_type'].tolist() == [[0, 1]] and after['rel_root_depth'] == -2


def lifting_sample():
    rng = np.random.default_rng(1)
    return dict(
        sample(3),
        lifting_target=rng.random((1, 6, 3)),
        lifting_target_visible=np.ones((1, 6)),
        camera_param=dict(c=np.array([1.0, 2.0])),
    )


AROUND_ROOT = dict(
    type='RandomFlipAroundRoot',
    keypoints_flip_cfg=dict(center_mode='static', center_x=0.0),
    target_flip_cfg=dict(center_mode='root', center_index=0),
    flip_prob=1,
)


def test_flip_around_root():
    before = lifting_sample()
    after = TRANSFORMS.build(AROUND_ROOT)(copy.deepcopy(before))
    assert same(after['keypoints_occluded'], before['keypoints_occluded'][:, FLIP])
    assert same(after['keypoints_visible'], before['keypoints_visible'][:, FLIP])
    never = TRANSFORMS.build(dict(AROUND_ROOT, flip_prob=-1))(copy.deepcopy(before))
    assert same(never['keypoints_occluded'], before['keypoints_occluded'])


def test_flip_around_root_of_labels_only_leaves_the_keypoints_labels():
    before = lifting_sample()
    before.update(keypoint_labels=before['keypoints'], lifting_target_label=before['lifting_target'])
    after = TRANSFORMS.build(dict(AROUND_ROOT, flip_label=True))(copy.deepcopy(before))
    assert same(after['keypoints'], before['keypoints'])
    assert same(after['keypoints_occluded'], before['keypoints_occluded'])


# -- converters --------------------------------------------------------------------------------------------------------


def test_converter_one_to_one():
    before = sample(2)
    convert = TRANSFORMS.build(
        dict(type='KeypointConverter', num_keypoints=5, mapping=[(0, 3), (1, 0), (2, 1), (5, 4)])
    )
    after = convert(copy.deepcopy(before))
    source = before['keypoints_occluded']
    expected = np.zeros((2, 5), dtype=np.float32)  # target 2 has no source, the source of target 4 is not labelled
    expected[:, 3], expected[:, 0], expected[:, 1] = source[:, 0], source[:, 1], source[:, 2]
    assert same(after['keypoints_occluded'], expected)
    np.testing.assert_array_equal(after['keypoints_visible'][0, :, 0], [1, 1, 0, 1, 0])


def test_converter_of_pairs():
    """All kinds of pairs of values; joint 5 is not labelled."""
    before = sample()
    before.pop('flip_indices')  # which mmpose cannot convert where there are more targets than sources
    before['keypoints_occluded'] = np.array([[1, 0, -1, 0, -1, 0]], dtype=np.float32)
    pairs = {(0, 0): 1, (0, 1): 1, (0, 2): 1, (1, 2): -1, (1, 3): 0, (2, 4): -1, (0, 5): 0, (5, 2): 0}
    mapping = [(pair, i) for i, pair in enumerate(pairs)]
    after = TRANSFORMS.build(dict(type='KeypointConverter', num_keypoints=9, mapping=mapping))(copy.deepcopy(before))
    np.testing.assert_array_equal(after['keypoints_occluded'], [[*pairs.values(), 0]])
    np.testing.assert_array_equal(after['keypoints_visible'][0, :, 0], [1, 1, 1, 1, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(
        after['keypoints'][0, 1], before['keypoints'][0, :2].astype(np.float64).mean(axis=0), rtol=1e-6
    )


def test_converter_maps_the_links():
    mapping = [(0, 3), (1, 0), ((2, 3), 1), ((4, 4), 2)]
    links = [(0, 1), (1, 2), [4, 0], (3, 1), (5, 0)]
    results = ours.KeypointConverter(num_keypoints=4, mapping=mapping)(dict(sample(), skeleton_links=links))
    assert results['skeleton_links'] == [(3, 0), (2, 3)]
    assert len(links) == 5, 'the list of the data set must not change'
    assert 'skeleton_links' not in ours.KeypointConverter(num_keypoints=4, mapping=mapping)(sample())


def test_single_hand_converter():
    before = dict(sample(), hand_type=np.array([[0, 1]]))
    mapping = [(i, 5 - i) for i in range(6)]
    convert = TRANSFORMS.build(
        dict(type='SingleHandConverter', num_keypoints=6, left_hand_mapping=mapping, right_hand_mapping=mapping)
    )
    assert type(convert.left_hand_converter) is type(convert.right_hand_converter) is ours.KeypointConverter
    after = convert(copy.deepcopy(before))
    assert same(after['keypoints_occluded'], np.ascontiguousarray(before['keypoints_occluded'][:, ::-1]))


# -- persons dropped and mixed -----------------------------------------------------------------------------------------


def test_filter_annotations_keeps_rows_in_step():
    before = sample(4)
    before['area'] = np.array([1, 900, 2, 800], dtype=np.float32)
    drop = TRANSFORMS.build(dict(type='FilterAnnotations', by_area=True, by_kpt=False, min_gt_area=100))
    after = drop(copy.deepcopy(before))
    for key in ('keypoints', 'keypoints_visible', 'keypoints_occluded'):
        assert same(after[key], before[key][[1, 3]])
    nobody = TRANSFORMS.build(dict(type='FilterAnnotations', by_area=True, min_gt_area=10**6))
    assert nobody(copy.deepcopy(before)) is None


def test_bottomup_crop_keeps_rows_in_step():
    before = sample(3)
    del before['bbox_score']  # mmpose asks for the truth value of the whole array
    del before['category_id']
    before['bbox'] = np.array([[0, 0, 1, 1], [5, 5, 50, 35], [58, 38, 59, 39]], dtype=np.float32)
    crop = ours.BottomupRandomCrop(crop_size=(30, 20))
    crop._rand_offset = lambda margin: (10, 10)
    after = crop(copy.deepcopy(before))
    inside = before['keypoints_visible'][1] * (
        (before['keypoints'][1] >= 10) & (before['keypoints'][1] <= [10 + 30, 10 + 20])
    ).all(axis=1)
    np.testing.assert_array_equal(after['keypoints_visible'], [inside])
    np.testing.assert_array_equal(after['keypoints_occluded'], [before['keypoints_occluded'][1] * inside])


def mixed(cls_name, **kwargs):
    """Run a mixing transform of ours and mmpose's on the same input and random state."""
    mix = [dict(sample(2, seed=s), img_id=s) for s in range(1, 1 + kwargs.pop('others'))]
    first = sample(3)
    after = []
    for module in (ours, theirs):
        results = copy.deepcopy(dict(first, mixed_data_list=copy.deepcopy(mix)))
        np.random.seed(0)
        after.append(getattr(module, cls_name)(**kwargs).apply_mix(results))
    return first, mix, *after


def test_mosaic_stacks_the_labels_of_all_images():
    first, mix, after, plain = mixed('Mosaic', others=3, img_scale=(64, 64))
    expected = np.concatenate([r['keypoints_occluded'] for r in (first, *mix)])
    assert same(after['keypoints_occluded'], expected)
    for key in ('keypoints', 'keypoints_visible', 'bbox', 'img'):
        assert same(after[key], plain[key])


def test_mixup_flips_the_other_images_labels_with_its_joints():
    first, mix, after, plain = mixed('YOLOXMixUp', others=1, img_scale=(64, 64), flip_ratio=0.0)
    expected = np.concatenate([first['keypoints_occluded'], mix[0]['keypoints_occluded'][:, FLIP]])
    assert same(after['keypoints_occluded'], expected)
    for key in ('keypoints', 'keypoints_visible', 'bbox', 'img'):
        assert same(after[key], plain[key])


@pytest.mark.parametrize('lacking', [0, 2])
def test_mosaic_of_images_with_and_without_labels(lacking):
    persons = [sample(2, seed=s) for s in range(4)]
    persons[lacking]['keypoints_occluded'] = None
    results = dict(copy.deepcopy(persons[0]), mixed_data_list=copy.deepcopy(persons[1:]))
    after = ours.Mosaic(img_scale=(64, 64)).apply_mix(results)['keypoints_occluded']
    for i in range(4):
        expected = -persons[i]['keypoints_visible'] if i == lacking else persons[i]['keypoints_occluded']
        np.testing.assert_array_equal(after[2 * i : 2 * i + 2], expected)


# -- no labels: mmpose's own behaviour, bit for bit --------------------------------------------------------------------


def plain_runs():
    hand = dict(hand_type=np.array([[0, 1]]), rel_root_depth=np.array([1.0]))
    mapping = [((0, 1), 0), (2, 1), (3, 2)]
    two = dict(num_keypoints=4, left_hand_mapping=mapping, right_hand_mapping=mapping)
    lifting = {k: v for k, v in AROUND_ROOT.items() if k != 'type'}
    mix = dict(mixed_data_list=[sample(2, seed=s) for s in (1, 2, 3)])
    one = dict(mixed_data_list=mix['mixed_data_list'][:1])
    return [
        ('RandomFlip', dict(prob=[0.4, 0.3, 0.2], direction=['horizontal', 'vertical', 'diagonal']), {}),
        ('HandRandomFlip', dict(prob=0.5), hand),
        ('RandomFlipAroundRoot', dict(lifting, flip_prob=0.5), lifting_sample()),
        ('KeypointConverter', dict(num_keypoints=4, mapping=mapping), {}),
        ('KeypointConverter', dict(num_keypoints=4, mapping=[(0, 3), (4, 1)]), {}),
        ('SingleHandConverter', two, hand),
        ('FilterAnnotations', dict(min_kpt_vis=2), {}),
        ('BottomupRandomCrop', dict(crop_size=(30, 20)), dict(bbox_score=np.ones(1))),
        ('Mosaic', dict(img_scale=(64, 64)), mix),
        ('YOLOXMixUp', dict(img_scale=(64, 64)), one),
        ('PackPoseInputs', {}, {}),
    ]


@pytest.mark.parametrize(('name', 'kwargs', 'extra'), plain_runs(), ids=lambda v: v if isinstance(v, str) else '')
@pytest.mark.parametrize('labels', ['absent', 'None'])
def test_without_labels_everything_is_mmposes(name, kwargs, extra, labels):
    def strip(results):
        for r in (results, *results.get('mixed_data_list', ())):
            r.pop('keypoints_occluded')
            if labels == 'None':
                r['keypoints_occluded'] = None
        return results

    for seed in range(5):
        outputs = []
        for module in (theirs, ours):
            results = strip(copy.deepcopy(dict(sample(1 if name != 'RandomFlipAroundRoot' else 3), **extra)))
            np.random.seed(seed)
            transform = getattr(module, name)(**kwargs)
            outputs.append((transform.apply_mix if 'mixed_data_list' in extra else transform)(results))
        their, our = outputs
        if name == 'PackPoseInputs':
            assert same(their['inputs'].numpy(), our['inputs'].numpy())
            their, our = (dict(o['data_samples'].gt_instances.items()) for o in outputs)
        else:
            our.pop('occlusion_flipped', None)  # the only trace that ours leave
            if 'Converter' in name:  # these convert more than mmpose's; test_joint_conversion.py has the right values
                for key in ('flip_indices', 'unpaired_joints', 'skeleton_links'):
                    their.pop(key, None), our.pop(key, None)
        assert same(their, our)


# -- packing -----------------------------------------------------------------------------------------------------------


def test_packing_with_none_with_absent_and_with_labels():
    pack = TRANSFORMS.build(dict(type='PackPoseInputs'))
    with_labels = pack(sample(2))['data_samples'].gt_instances
    assert same(with_labels.keypoints_occluded, sample(2)['keypoints_occluded'])
    for labels in ({}, dict(keypoints_occluded=None)):
        results = sample(2)
        results.pop('keypoints_occluded')
        instances = pack(dict(results, **labels))['data_samples'].gt_instances
        assert 'keypoints_occluded' not in instances and len(instances) == 2


def test_packing_with_a_codecs_own_table():
    table = dict(keypoints='keypoints', bbox='bboxes')
    packed = ours.PackPoseInputs()(dict(sample(2), instance_mapping_table=table))['data_samples'].gt_instances
    assert sorted(packed.keys()) == ['bboxes', 'keypoints', 'keypoints_occluded']
    assert table == dict(keypoints='keypoints', bbox='bboxes'), "the codec's table must not change"


@pytest.mark.parametrize('direction', ['horizontal', 'vertical'])
def test_a_flip_that_forgets_the_labels_is_caught(direction):
    flipped = theirs.RandomFlip(prob=1.0, direction=direction)(sample())
    with pytest.raises(ValueError, match='keypoints_occluded was not swapped by the flip'):
        ours.PackPoseInputs()(flipped)
    ours.PackPoseInputs()(theirs.RandomFlip(prob=1.0, direction='diagonal')(sample()))
    ours.PackPoseInputs()(theirs.RandomFlip(prob=0.0)(sample()))
    ours.PackPoseInputs()(dict(flipped, keypoints_occluded=None))


@pytest.mark.parametrize('k', [4, 6])
def test_a_converter_that_forgets_the_labels_is_caught(k):
    """With another number of joints by the shape, with the same by a mark that ours leaves."""
    mapping = [(i, k - 1 - i) for i in range(k)]
    pack, after = ours.PackPoseInputs(), {}
    for module in (theirs, ours):
        after[module] = module.KeypointConverter(num_keypoints=k, mapping=mapping)(sample())
    with pytest.raises(ValueError, match='keypoints_occluded .*type="KeypointConverter"'):
        pack(copy.deepcopy(after[theirs]))
    packed = pack(copy.deepcopy(after[ours]))['data_samples'].gt_instances
    np.testing.assert_array_equal(packed.keypoints_occluded, sample()['keypoints_occluded'][:, k - 1 :: -1])
    pack(dict(after[theirs], keypoints_occluded=None))
    # labels that are made after the conversion fit it, whoever did it; so does what is mixed of converted persons
    unlabelled = dict(after[theirs], keypoints_occluded=None)
    pack(ours.RandomOccluder(prob=0.0)(unlabelled))
    mixed = copy.deepcopy(dict(after[ours], mixed_data_list=[copy.deepcopy(after[ours]) for _ in range(3)]))
    assert ours.Mosaic(img_scale=(64, 64)).apply_mix(mixed)['occlusion_converted'] is True


# -- a whole pipeline on real persons ----------------------------------------------------------------------------------

CODEC = dict(type='MSRAHeatmap', input_size=(48, 64), heatmap_size=(12, 16), sigma=2)
TOPDOWN = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal', prob=1.0),
    dict(type='RandomHalfBody'),
    dict(type='RandomBBoxTransform'),
    dict(type='TopdownAffine', input_size=(48, 64)),
    dict(type='GenerateTarget', encoder=CODEC),
    dict(type='PackPoseInputs'),
]


def coco(pipeline, **kwargs):
    """mmpose's own COCO data set: it knows nothing of occlusion, the labels are put in by hand."""
    return DATASETS.build(
        dict(
            type='CocoDataset',
            data_root=str(data_root() / 'coco-sample'),
            ann_file='test_coco.json',
            data_prefix=dict(img=''),
            pipeline=pipeline,
            **kwargs,
        )
    )


def flags_as_labels(results):
    """COCO's flag 1 means labelled and occluded."""
    flags = results['raw_ann_info']
    flags = flags if isinstance(flags, list) else [flags]
    flags = np.array([ann['keypoints'] for ann in flags]).reshape(len(flags), -1, 3)[..., 2]
    results['keypoints_occluded'] = (flags == 1).astype(np.float32)
    return results


@needs_data
def test_topdown_pipeline_to_the_packed_sample():
    dataset = coco([flags_as_labels, *TOPDOWN])
    swap = dataset.metainfo['flip_indices']
    total = 0
    for i in range(len(dataset)):
        flags = np.array(dataset.get_data_info(i)['raw_ann_info']['keypoints']).reshape(17, 3)[:, 2]
        packed = dataset[i]['data_samples'].gt_instances
        np.testing.assert_array_equal(packed.keypoints_occluded, [(flags == 1)[swap]])
        np.testing.assert_array_equal(packed.keypoints_visible > 0, [(flags > 0)[swap]])
        total += packed.keypoints_occluded.sum()
    assert total > 10, 'the sample must hold occluded joints for this to say something'


@needs_data
@pytest.mark.parametrize('labels', ['absent', 'None'])
def test_topdown_pipeline_without_labels(labels):
    def set_none(results):
        return dict(results, keypoints_occluded=None) if labels == 'None' else results

    packed = coco([set_none, *TOPDOWN])[0]['data_samples'].gt_instances
    assert 'keypoints_occluded' not in packed


def visible_as_labels(results):
    """Labels that must end up exactly where the visibility does."""
    results['keypoints_occluded'] = results['keypoints_visible'].copy()
    return results


@needs_data
def test_bottomup_pipeline_with_mixing():
    pre = [visible_as_labels, dict(type='LoadImage')]
    pipeline = [
        *pre,
        dict(type='Mosaic', img_scale=(160, 160), pre_transform=pre),
        dict(type='BottomupRandomAffine', input_size=(160, 160), bbox_keep_corner=False, clip_border=True),
        dict(type='YOLOXMixUp', img_scale=(160, 160), pre_transform=pre),
        dict(type='RandomFlip', prob=1.0),
        dict(type='FilterAnnotations', by_kpt=True, by_box=True, keep_empty=False),
        dict(type='GenerateTarget', encoder=dict(type='YOLOXPoseAnnotationProcessor', input_size=(160, 160))),
        dict(type='PackPoseInputs'),
    ]
    dataset = coco(pipeline, data_mode='bottomup')
    np.random.seed(0)
    persons = unlabelled = 0
    for i in range(len(dataset)):
        packed = dataset[i]['data_samples'].gt_instances
        assert packed.keypoints_occluded.shape == packed.keypoints_visible.shape == packed.keypoints.shape[:2]
        # clipping at the border makes some joints invisible, apart from that the two are the same
        assert (packed.keypoints_occluded[packed.keypoints_visible > 0] == 1).all()
        persons += len(packed)
        unlabelled += (packed.keypoints_occluded == 0).sum()
    assert persons > 10 and unlabelled > 50
