"""Occluders: the marks are exact, the image changes nowhere else, and a seed fixes both."""

import copy
import multiprocessing
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmcv.transforms.utils import cache_random_params
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, TRANSFORMS

from posestructs.datasets.transforms import LoadVerifiedImage, RandomOccluder
from posestructs.datasets.transforms.random_occluder import sample_seed
from tests.helpers import data_root, needs_data

LINKS = [(0, 1), (1, 2), (2, 3), (3, 4)]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpose')


class Persons:
    """A data set of three images, each of one value."""

    values = (50, 100, 150)

    def __len__(self):
        return 3

    def get_data_info(self, i):
        return dict(img=np.full((70, 90, 3), self.values[i], np.uint8), img_id=i, img_path=None)


def sample(labels=None, persons=1, unlabelled=(), **extra):
    """Persons of five joints on a line each, on a black image."""
    points = np.array([[[10 + 15 * k, 12 + 22 * n] for k in range(5)] for n in range(persons)], dtype=np.float32)
    visible = np.ones((persons, 5), dtype=np.float32)
    visible[:, list(unlabelled)] = 0
    points[visible == 0] = 0
    results = dict(
        img=np.zeros((64, 96, 3), np.uint8),
        img_id=0,
        img_path=None,
        id=7,
        keypoints=points,
        keypoints_visible=visible,
        skeleton_links=LINKS,
        dataset=Persons(),
        **extra,
    )
    if not isinstance(labels, str):  # 'absent'
        results['keypoints_occluded'] = labels
    return results


def run(results, **kwargs):
    kwargs = dict(prob=1.0, seed=0) | kwargs
    return TRANSFORMS.build(dict(type='RandomOccluder', **kwargs))(results)


def changed(image):
    return image.any(axis=-1)


# -- marks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('fills', ['flat', 'noise', 'patch'])
@pytest.mark.parametrize('target', ['joint', 'limb'])
@pytest.mark.parametrize('labels', [None, 'absent'])
def test_marks_are_the_joints_under_changed_pixels(fills, target, labels):
    marked = 0
    for i in range(40):
        results = run(sample(labels, persons=2, unlabelled=(2,)), seed=i, fills=fills, targets=target, num=(1, 3))
        # black pixels of noise and colours are as good as never all 0, so that what changed is what is covered
        mask = changed(results['img'])
        for n in range(2):
            for k in range(5):
                x, y = results['keypoints'][n, k].astype(int)
                expected = mask[y, x] and k != 2
                assert results['keypoints_occluded'][n, k] == expected, (i, n, k)
        marked += results['keypoints_occluded'].sum()
        assert results['keypoints_occluded'].dtype == np.float32
    assert 40 <= marked <= 300, 'every occluder hides a joint or so, not everybody'


def test_what_was_known_before_stays_unless_covered():
    before = np.array([[1, 0, -1, 1, -1]], dtype=np.float32)
    seen = set()
    for i in range(60):
        results = run(sample(before.copy()), seed=i, num=1, size=0.2, fills='flat')
        mask = changed(results['img'])
        hit = np.array([mask[int(y), int(x)] for x, y in results['keypoints'][0]])
        np.testing.assert_array_equal(results['keypoints_occluded'][0], np.where(hit, 1, before[0]))
        seen |= set(np.flatnonzero(hit))
    assert seen == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(before, [[1, 0, -1, 1, -1]])


def test_unknown_instead_of_visible_where_asked():
    results = run(sample(None, unlabelled=(4,)), assume_visible=False, num=1, size=0.05, fills='flat')
    mask = changed(results['img'])
    expected = [1 if mask[int(y), int(x)] else -1 for x, y in results['keypoints'][0, :4]]
    np.testing.assert_array_equal(results['keypoints_occluded'], [[*expected, 0]])
    assert 1 in expected and -1 in expected


def test_samples_without_an_occluder_have_labels_too():
    results = run(sample(None), prob=0.0)
    np.testing.assert_array_equal(results['keypoints_occluded'], np.zeros((1, 5)))
    assert not changed(results['img']).any()
    labels = np.array([[1, -1, 0, 0, 1]], dtype=np.float32)
    np.testing.assert_array_equal(run(sample(labels.copy()), prob=0.0)['keypoints_occluded'], labels)


def test_margin_widens_and_narrows_the_marks_not_the_occluder():
    for i in range(20):
        narrow, exact, wide = (run(sample(), seed=i, mark_margin=m, fills='flat') for m in (-3, 0, 3))
        np.testing.assert_array_equal(narrow['img'], wide['img'])
        np.testing.assert_array_equal(exact['img'], wide['img'])
        far = changed(exact['img'])
        near = cv2.dilate(far.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
        for k, (x, y) in enumerate(exact['keypoints'][0].astype(int)):
            assert wide['keypoints_occluded'][0, k] == near[y, x]
            assert narrow['keypoints_occluded'][0, k] <= exact['keypoints_occluded'][0, k]


def test_limb_occluders_cover_the_limb_and_its_ends():
    for i in range(20):
        results = run(sample(), seed=i, num=1, targets='limb', shapes='rectangle', size=0.1, jitter=0, fills='flat')
        mask = changed(results['img'])
        joints = np.flatnonzero(results['keypoints_occluded'][0])
        assert len(joints) == 2 and joints[1] == joints[0] + 1, 'both ends of one link'
        (x0, y0), (x1, _) = results['keypoints'][0, joints].astype(int)
        assert mask[y0, x0 : x1 + 1].all()
        width = mask[:, x0].sum()
        assert 0.5 * 6 - 1 <= width <= 6 + 2, '0.1 of 60 pixels times 0.5 to 1'


def test_sizes_are_shares_of_the_person():
    for share in (0.2, 0.5):
        shapes = dict(shapes='rectangle', targets='joint', size=share, aspect=1, jitter=0, num=1, fills='flat')
        for i in range(10):
            results = run(sample(), seed=i, **shapes)
            mask = changed(results['img'])
            touches_border = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
            if not touches_border:
                assert mask.sum() == pytest.approx((60 * share + 1) ** 2, rel=0.15), 'and the rim'


def test_persons_without_limbs_or_joints():
    lonely = sample(unlabelled=(1, 3))  # no link has both ends
    assert run(lonely, targets='limb', num=1)['keypoints_occluded'].sum() >= 1
    nobody = run(sample(unlabelled=range(5)))
    assert not changed(nobody['img']).any() and not nobody['keypoints_occluded'].any()
    outside = sample()
    outside['keypoints'] += 1000
    assert not changed(run(outside)['img']).any()


def test_labels_made_after_a_flip_fit_it_and_those_made_before_a_foreign_flip_do_not():
    import mmpose.datasets.transforms as theirs

    flip = theirs.RandomFlip(prob=1.0)
    pack = TRANSFORMS.build(dict(type='PackPoseInputs'))
    pair = dict(flip_indices=[1, 0, 2, 3, 4], img_shape=(64, 96))
    labels = pack(run(flip(sample(**pair))))['data_samples'].gt_instances.keypoints_occluded
    assert labels.shape == (1, 5)
    with pytest.raises(ValueError, match='keypoints_occluded was not swapped'):
        pack(flip(run(sample(**pair))))


# -- the image ---------------------------------------------------------------------------------------------------------


def test_the_given_image_is_never_written_to():
    results = sample()
    image, labels = results['img'], np.zeros((1, 5), np.float32)
    image.setflags(write=False)  # as a cached or memory-mapped one may be
    results['keypoints_occluded'] = labels
    after = run(results)
    assert changed(after['img']).any() and not image.any() and not labels.any()


@pytest.mark.parametrize('own', [0, 1, 2])
def test_patches_come_from_other_images(own):
    seen = set()
    for i in range(30):
        results = dict(sample(), img_id=own)
        after = run(results, seed=i, fills='patch', num=1)
        seen |= set(np.unique(after['img']).tolist()) - {0}
    assert seen == set(Persons.values) - {Persons.values[own]}


def test_patches_are_read_as_the_data_set_reads_its_images(tmp_path):
    class Remembered(LoadVerifiedImage):
        def load(self, path):
            return np.full((40, 40, 3), 77, np.uint8)

    class Filed(Persons):
        pipeline = SimpleNamespace(transforms=[SimpleNamespace(), Remembered()])

        def get_data_info(self, i):
            return dict(img_id=i + 1, img_path=str(tmp_path / f'{i}.png'))

    assert 77 in run(dict(sample(), dataset=Filed()), fills='patch', num=1)['img']
    for i in range(len(Filed())):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.full((40, 40, 3), 55, np.uint8))
    own = run(dict(sample(), dataset=Filed()), fills='patch', num=1, backend_args=dict(backend='local'))['img']
    assert 55 in own and 77 not in own


def test_patch_falls_back_on_noise_where_there_is_no_other_image(tmp_path):
    class Alone(Persons):
        def __len__(self):
            return 1

    class Broken(Persons):
        def get_data_info(self, i):
            return dict(img_id=i + 1, img_path=str(tmp_path / 'missing.jpg'))

    for dataset in (Alone(), Broken()):
        after = run(dict(sample(), dataset=dataset), fills='patch', num=1)
        assert len(np.unique(after['img'])) > 20


def test_gray_and_float_images():
    gray = dict(sample(), img=np.zeros((64, 96), np.uint8))
    for fills in ('flat', 'noise', 'patch'):
        assert run(copy.copy(gray), fills=fills, seed=3)['img'].any()
        after = run(dict(sample(), img=np.zeros((64, 96, 3), np.float32)), fills=fills, seed=3)['img']
        assert after.dtype == np.float32 and after.any()


# -- determinism -------------------------------------------------------------------------------------------------------


def same(a, b):
    return np.array_equal(a['img'], b['img']) and np.array_equal(a['keypoints_occluded'], b['keypoints_occluded'])


def test_numpys_global_seed_decides_without_one_of_its_own():
    transform = RandomOccluder(prob=1.0)
    np.random.seed(3)
    first, second = transform(sample()), transform(sample())
    np.random.seed(3)
    assert same(first, transform(sample())) and same(second, transform(sample()))
    assert not same(first, second)


def test_one_draw_from_the_global_state_whatever_happens():
    """So that the transforms behind it see the same random numbers whether or not an occluder was pasted."""
    after = set()
    for kwargs in (dict(prob=0.0), dict(prob=1.0, num=5), dict(prob=1.0, fills='noise')):
        np.random.seed(0)
        RandomOccluder(**kwargs)(sample())
        after.add(np.random.rand())
    assert len(after) == 1
    np.random.seed(0)
    untouched = np.random.rand()
    np.random.seed(0)
    run(sample(), seed=1)
    assert np.random.rand() == untouched, 'with a seed of its own it leaves the global state alone'


def test_mmcvs_cache_of_randomness():
    transform = RandomOccluder(prob=1.0)
    with cache_random_params(transform):
        assert same(transform(sample()), transform(sample()))


def test_a_seed_fixes_each_sample_by_its_id():
    transform = RandomOccluder(prob=1.0, seed=5)
    by_id = {i: transform(dict(sample(), id=i)) for i in (1, 2, 3)}
    again = RandomOccluder(prob=1.0, seed=5)
    np.random.seed(99)
    for i in (3, 1, 2, 1):  # another order, another epoch, another state of numpy
        assert same(again(dict(sample(), id=i)), by_id[i])
        assert same(again(dict(sample(), id=np.int64(i))), by_id[i])
    assert not same(by_id[1], by_id[2])
    assert not same(RandomOccluder(prob=1.0, seed=6)(dict(sample(), id=1)), by_id[1])


def test_what_a_seed_gives_is_fixed_for_ever():
    """A change of these numbers changes every published figure on artificially occluded persons."""
    assert sample_seed(0, dict(id=1, img_id=5)) == 3820034703
    marks = [
        run(dict(sample(), id=i), seed=0, fills='flat')['keypoints_occluded'][0].astype(int).tolist() for i in range(4)
    ]
    assert marks == [[0, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 1, 0, 0, 1], [0, 1, 0, 1, 1]]
    assert sample_seed(0, dict(id=[1, 2])) == sample_seed(0, dict(id=np.array([1, 2])))
    assert sample_seed(0, dict(img_path='a.jpg')) != sample_seed(0, dict(img_path='b.jpg'))
    with pytest.raises(ValueError, match="seed=0 needs id, img_id or img_path in the sample, it has \\['img'\\]"):
        sample_seed(0, dict(img=1))


def lspe(pipeline):
    init_default_scope('mmpose')
    return DATASETS.build(
        dict(
            type='LSPDataset',
            data_root=str(data_root() / 'lspet-mini'),
            ann_file='joints.mat',
            id_file='val.txt',
            test_mode=True,
            pipeline=pipeline,
        )
    )


PIPELINE = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=(64, 64)),
    dict(type='RandomOccluder', prob=0.8, seed=1),
    dict(type='PackPoseInputs'),
]


def fingerprint(batch):
    return [
        (int(d.id), int(i.long().sum()), d.gt_instances.keypoints_occluded.astype(int).tolist())
        for i, d in zip(batch['inputs'], batch['data_samples'], strict=True)
    ]


def in_another_process(indices):
    np.random.seed(12345)
    dataset = lspe(PIPELINE)
    samples = [dataset[i] for i in indices]
    return fingerprint(dict(inputs=[s['inputs'] for s in samples], data_samples=[s['data_samples'] for s in samples]))


@needs_data
def test_the_same_in_workers_and_other_processes_on_real_persons():
    from mmengine.dataset import pseudo_collate
    from torch.utils.data import DataLoader, Subset

    indices = list(range(0, 60, 5))
    dataset = Subset(lspe(PIPELINE), indices)
    runs = []
    for workers, shuffle in ((0, False), (2, True)):
        loader = DataLoader(dataset, 4, shuffle=shuffle, num_workers=workers, collate_fn=pseudo_collate)
        runs.append(sorted(item for batch in loader for item in fingerprint(batch)))
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        runs.append(sorted(pool.apply(in_another_process, (indices[::-1],))))
    assert runs[0] == runs[1] == runs[2]
    marked = np.array([labels for _, _, labels in runs[0]])
    assert marked.shape == (12, 1, 14) and 0.03 < marked.mean() < 0.4
    assert set(np.unique(marked)) == {0, 1}


@needs_data
@pytest.mark.parametrize('after_affine', [True, False])
def test_real_persons_before_and_after_the_crop(after_affine):
    """Marks agree with the pixels that differ from the same pipeline without the occluder."""
    occluder = dict(type='RandomOccluder', prob=1.0, seed=2)
    steps = PIPELINE[:3] if after_affine else PIPELINE[:1]
    plain, hidden = lspe(steps), lspe([*steps, occluder])
    rates = []
    for i in range(0, 200, 10):
        clear, dark = plain[i], hidden[i]
        assert dark['img'].shape == clear['img'].shape
        differs = (dark['img'] != clear['img']).any(axis=-1)
        points = clear['transformed_keypoints' if after_affine else 'keypoints'][0]
        known = clear['keypoints_visible'][0] > 0
        labels = dark['keypoints_occluded'][0]
        assert not labels[~known].any()
        for k in np.flatnonzero(known):
            x, y = np.floor(points[k] + 0.5).astype(int)
            if 0 <= x < differs.shape[1] and 0 <= y < differs.shape[0] and differs[y, x]:
                assert labels[k] == 1
        # the other way round a pasted pixel can have the colour that was there before, but not a whole neighbourhood
        for k in np.flatnonzero(labels):
            x, y = np.floor(points[k] + 0.5).astype(int)
            assert differs[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].any()
        np.testing.assert_array_equal(dark['keypoints'], clear['keypoints'])
        rates.append(labels[known].mean())
    assert 0.1 < np.mean(rates) < 0.4


# -- bad configs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(prob=1.5), 'RandomOccluder.prob=1.5, allowed: a number from 0 to 1'),
        (dict(num=0), 'RandomOccluder.num=0, allowed: an integer from 1'),
        (dict(num=(3, 1)), r'RandomOccluder.num=\(3, 1\), allowed: a pair'),
        (dict(size=-0.1), 'RandomOccluder.size=-0.1, allowed: a number'),
        (dict(aspect=2), 'RandomOccluder.aspect=2, allowed: a number from 0.001 to 1'),
        (dict(targets='arm'), r"RandomOccluder.targets='arm', allowed: the names 'joint', 'limb'"),
        (dict(shapes=dict(star=1)), 'RandomOccluder.shapes=.*allowed: the names .*polygon'),
        (dict(fills=[]), 'RandomOccluder.fills=.*allowed: at least one of'),
        (dict(jitter=-1), 'RandomOccluder.jitter=-1'),
        (dict(mark_margin=0.5), 'RandomOccluder.mark_margin=0.5, allowed: an integer'),
        (dict(seed=1.0), 'RandomOccluder.seed=1.0, allowed: an integer'),
        (dict(skeleton_links=[1, 2]), r'RandomOccluder.skeleton_links=\[1, 2\], allowed: a list of pairs'),
        (dict(skeleton_links=[(0, 1, 2)]), r'RandomOccluder.skeleton_links=\[\(0, 1, 2\)\], allowed: a list of pairs'),
        (dict(shapes=5), 'RandomOccluder.shapes=5, allowed: a name, a list of names or a dict'),
        (dict(fills=None), 'RandomOccluder.fills=None, allowed: a name, a list of names or a dict'),
    ],
)
def test_bad_arguments_are_refused_at_build_time(kwargs, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(dict(type='RandomOccluder', **kwargs))


def test_no_links_means_joints():
    after = run(sample(), skeleton_links=[], targets='limb', num=1)
    assert after['keypoints_occluded'].sum() >= 1


def test_links_of_the_data_set_where_the_sample_has_none():
    class Linked(Persons):
        metainfo = dict(num_keypoints=5, skeleton_links=[(1, 2)])

    class Other(Persons):
        metainfo = dict(num_keypoints=9, skeleton_links=[(1, 8)])

    occluder = dict(num=1, targets='limb', shapes='rectangle', size=0.1, jitter=0, fills='flat')
    seen = set()
    for seed in range(12):
        results = dict(sample(), dataset=Linked())
        del results['skeleton_links']
        marks = run(results, seed=seed, **occluder)['keypoints_occluded'][0]
        assert np.flatnonzero(marks).tolist() == [1, 2]
        results = dict(sample(), dataset=Other())
        del results['skeleton_links']
        seen.add(run(results, seed=seed, **occluder)['keypoints_occluded'].sum())
    assert 1 in seen  # single joints: links of other joints are not used


def test_links_after_a_converter_are_those_of_the_new_joints():
    mapping = [(k, 4 - k) for k in range(5)]
    convert = TRANSFORMS.build(dict(type='KeypointConverter', num_keypoints=5, mapping=mapping))
    for seed in range(6):
        results = convert(dict(sample(), skeleton_links=[(0, 1)]))
        after = run(results, seed=seed, num=1, targets='limb', shapes='rectangle', size=0.1, jitter=0, fills='flat')
        assert np.flatnonzero(after['keypoints_occluded'][0]).tolist() == [3, 4]


def test_what_only_the_sample_can_show():
    results = sample()
    results.pop('dataset')
    with pytest.raises(ValueError, match="fills has 'patch', which needs the sample's dataset"):
        run(dict(results))
    assert changed(run(dict(results), fills=['flat', 'noise'])['img']).any()
    with pytest.raises(ValueError, match=r'skeleton_links=\[\[0, 9\]\] do not fit 5 joints'):
        run(dict(sample(), skeleton_links=[(0, 9)]))
    assert changed(run(dict(sample(), skeleton_links=[(0, 9)]), skeleton_links=[(0, 1)])['img']).any()
    with pytest.raises(TypeError, match='img is of type list, allowed: one image'):
        run(dict(sample(), img=[np.zeros((4, 4, 3))]))


def test_a_users_image_without_joints_stays_as_it_is():
    """In an inferencer, which runs the pipeline of the test set."""
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    # what TopdownAffine leaves where there are no joints
    results = dict(img=image.copy(), transformed_keypoints=np.zeros([]), keypoints_visible=np.ones((1, 1, 1)))
    done = RandomOccluder(prob=1.0, seed=0)(dict(results))
    assert set(done) == set(results)
    np.testing.assert_array_equal(done['img'], image)
