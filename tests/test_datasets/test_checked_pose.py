import copy
import logging
import pickle

import cv2
import mmpose.datasets.transforms as mmpose_transforms
import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmpose.datasets import CombinedDataset
from PIL import Image
from scipy.io import loadmat
from torch.utils.data import DataLoader

from posestructs.datasets import (
    AnnotationError,
    BadImageError,
    CocoOcclusionDataset,
    LSPDataset,
    MpiiOcclusionDataset,
)
from posestructs.datasets.instances import outside_joints
from tests.helpers import data_root, needs_data

LOAD = [dict(type='LoadVerifiedImage')]


def build(folder, **kwargs):
    return LSPDataset(data_root=str(folder), id_file='ids.txt', **{'pipeline': LOAD, **kwargs})


def truncate(folder, *numbers):
    for number in numbers:
        path = folder / 'images' / f'im{number:05d}.jpg'
        path.write_bytes(path.read_bytes()[:-2000])


# -- images that are missing -----------------------------------------------------------------------------------------


def test_one_missing_image_is_left_out_with_one_warning(lspe_folder, log_lines):
    folder = lspe_folder(10)
    (folder / 'images' / 'im00004.jpg').unlink()
    dataset = build(folder, max_bad_images=0.1)
    assert [dataset[i]['id'] for i in range(len(dataset))] == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert dataset.num_dropped == 1
    [line] = log_lines
    assert '1 of 10 persons have no image' in line and 'images/im00004.jpg does not exist' in line


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (dict(test_mode=True, max_bad_images=1.0), 'A test set must be complete'),
        (dict(max_bad_images=0.1), 'max_bad_images=0.1 allows 10.00% of them'),
        (dict(max_bad_images=1.0, strict=True), 'strict=True allows none'),
    ],
)
def test_missing_images_are_an_error(lspe_folder, args, message):
    folder = lspe_folder(10)
    for i in (4, 7):
        (folder / 'images' / f'im{i:05d}.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=f'2 of 10 persons have .*im00004.jpg does not exist.*{message}'):
        build(folder, **args)


def test_a_missing_folder_is_an_error_unless_images_are_not_asked_for(lspe_folder):
    folder = lspe_folder(3, images=False)
    with pytest.raises(
        FileNotFoundError, match='joints.mat: 3 of 3 persons have no image; the first: .*images/im00001.jpg'
    ):
        build(folder)
    assert len(build(folder, check_images=False)) == 3
    assert len(build(folder, data_prefix=dict(img='s3://bucket/images'))) == 3


def test_no_image_is_opened_at_build_time(lspe_folder):
    folder = lspe_folder(3)
    for path in (folder / 'images').iterdir():
        path.write_bytes(b'')
    assert len(build(folder)) == 3


# -- images that are there but bad -----------------------------------------------------------------------------------


def test_a_truncated_image_is_skipped_named_once_and_counted(lspe_folder, log_lines):
    folder = lspe_folder(8)
    truncate(folder, 3)
    dataset = build(folder, max_bad_images=0.2)
    assert log_lines == [] and dataset.num_skipped == 0
    for _ in range(3):
        ids = [dataset[i]['id'] for i in range(8)]
        assert len(ids) == 8 and 3 not in ids  # another sample stands in for it
    assert dataset.num_skipped == 1
    [line] = log_lines
    assert 'images/im00003.jpg' in line and 'skipped' in line


@pytest.mark.parametrize('args', [dict(test_mode=True), dict(strict=True)])
def test_a_truncated_image_is_an_error(lspe_folder, args):
    folder = lspe_folder(4)
    truncate(folder, 3)
    dataset = build(folder, max_bad_images=1.0, **args)
    assert dataset[1]['id'] == 2
    with pytest.raises(BadImageError, match='images/im00003.jpg'):
        dataset[2]


def test_more_bad_images_than_allowed_are_an_error(lspe_folder):
    folder = lspe_folder(10)
    (folder / 'images' / 'im00009.jpg').unlink()
    truncate(folder, 2, 5)
    dataset = build(folder, max_bad_images=0.2)
    assert dataset[1]['id'] != 2  # one missing and one bad: 2 of 10
    with pytest.raises(BadImageError, match='im00005.jpg.*3 of 10 samples are bad, max_bad_images=0.2 allows 20.00%'):
        dataset[4]


def test_by_default_one_bad_image_in_a_small_data_set_is_an_error(lspe_folder):
    folder = lspe_folder(5)
    truncate(folder, 2)
    with pytest.raises(BadImageError, match='1 of 5 samples are bad'):
        build(folder)[1]


@pytest.mark.parametrize(('method', 'workers'), [('fork', 2), ('spawn', 1)])
def test_workers_share_the_count_and_warn_once(lspe_folder, method, workers, tmp_path):
    folder = lspe_folder(12)
    truncate(folder, 3, 8)
    dataset = build(folder, max_bad_images=0.5)
    loader = DataLoader(
        dataset, batch_size=3, num_workers=workers, multiprocessing_context=method, collate_fn=pseudo_collate
    )
    handler = logging.FileHandler(tmp_path / 'log')
    MMLogger.get_current_instance().addHandler(handler)
    for _ in range(2 if method == 'fork' else 1):
        ids = [i for batch in loader for i in batch['id']]
        assert len(ids) == 12 and not {3, 8} & set(ids)
    MMLogger.get_current_instance().removeHandler(handler)
    assert dataset.num_skipped == 2
    if method == 'fork':  # a spawned worker has a log of its own
        lines = (tmp_path / 'log').read_text().splitlines()
        assert sorted(line.split('images/')[1][:11] for line in lines) == ['im00003.jpg', 'im00008.jpg']


def test_too_many_bad_images_reach_the_training_process_by_name(lspe_folder):
    folder = lspe_folder(6)
    truncate(folder, 2)
    loader = DataLoader(build(folder), batch_size=6, num_workers=1, collate_fn=pseudo_collate)
    with pytest.raises(OSError, match='im00002.jpg'):
        list(loader)


@pytest.mark.parametrize('load', ['LoadImage', mmpose_transforms.LoadImage])
def test_mmposes_own_loader_skips_bad_images_too(lspe_folder, log_lines, load):
    folder = lspe_folder(8)
    dataset = build(folder, max_bad_images=0.3, pipeline=[dict(type=load)])
    (folder / 'images' / 'im00003.jpg').unlink()  # after the look at build time
    (folder / 'images' / 'im00005.jpg').write_bytes(b'\xff\xd8\xff')
    ids = [dataset[i]['id'] for i in range(8)]
    assert len(ids) == 8 and not {3, 5} & set(ids)
    assert dataset.num_skipped == 2
    assert ['im00003' in line or 'im00005' in line for line in log_lines] == [True, True]
    with pytest.raises(BadImageError, match='im00003.jpg'):
        build(folder, max_bad_images=1.0, check_images=False, strict=True, pipeline=[dict(type=load)])[2]


# -- joints outside their image --------------------------------------------------------------------------------------


def move_joint(joints):
    joints[5, :2, 1] = [170, 50]  # the images are 160 x 120
    joints[6, :2, 3] = [-30, 50]


def test_a_joint_outside_its_image_counts_as_not_labelled_in_training(lspe_folder, log_lines):
    dataset = build(lspe_folder(4, edit=move_joint))
    for _ in range(2):
        items = [dataset[i] for i in range(4)]
        assert [x['keypoints_visible'].sum() for x in items] == [14, 13, 14, 13]
        assert items[1]['keypoints'][0, 5].tolist() == [0, 0] and items[1]['keypoints_visible'][0, 5] == 0
        assert items[3]['keypoints'][0, 6].tolist() == [0, 0] and items[3]['keypoints_visible'][0, 6] == 0
    assert dataset.num_outside == 2
    [line] = log_lines
    assert 'id 2: joint left_ankle at (170.00, 50.00) is outside its image' in line and 'of 160 x 120 pixels' in line


def test_a_joint_outside_its_image_stays_in_a_test_set(lspe_folder, log_lines):
    item = build(lspe_folder(4, edit=move_joint), test_mode=True)[1]
    assert item['keypoints'][0, 5].tolist() == [170, 50] and item['keypoints_visible'].all()
    assert log_lines == []


def test_a_joint_outside_its_image_is_an_error_with_strict(lspe_folder):
    dataset = build(lspe_folder(4, edit=move_joint), strict=True)
    with pytest.raises(AnnotationError, match=r'joints.mat: id 2: joint left_ankle at \(170.00, 50.00\) is outside'):
        dataset[1]


def test_the_look_at_joints_comes_before_any_transform_moves_them(lspe_folder):
    """A joint that only a transform carries out of the image is the transform's business."""

    def shift(results):
        results['keypoints'] = results['keypoints'] + 1000
        return results

    dataset = build(lspe_folder(2), pipeline=[*LOAD, shift])
    assert dataset[0]['keypoints_visible'].all() and dataset[0]['keypoints'].min() > 1000
    assert dataset.num_outside == 0


@needs_data
def test_how_many_joints_of_real_persons_are_outside():
    """The figures that the documentation of the module quotes."""
    folder = data_root() / 'lspet-mini'
    joints = loadmat(folder / 'joints.mat')['joints'].transpose(2, 0, 1)
    found, labelled, distance = [], 0, []
    for path in sorted((folder / 'images').iterdir()):
        person = joints[int(path.stem[2:]) - 1]
        width, height = Image.open(path).size  # reads the header only
        labelled += int(person[:, 2].sum())
        for joint in np.flatnonzero(outside_joints(person[:, :2], person[:, 2], (height, width))):
            found.append((path.name, int(joint)))
            distance.append(max(*(-person[joint, :2]), *(person[joint, :2] - [width, height])))
    assert labelled == 79954
    assert found == [('im00024.jpg', 13), ('im06367.jpg', 5), ('im07393.jpg', 6)]
    assert max(distance) < 1.2


# -- persons without joints or size -----------------------------------------------------------------------------------


def shrink(joints):
    joints[:, :2, 2] = [50, 50]
    joints[0, :2, 2] = [50.5, 50.9]


def unlabel(joints):
    joints[:, 2, 2] = 0


@pytest.mark.parametrize(
    ('edit', 'what'),
    [(shrink, r'box \[50.0, 50.0, 50.5, 50.9.*\] is 0.5 x 0.9.* pixels'), (unlabel, 'no joint is labelled')],
)
def test_a_one_pixel_box_and_a_person_without_joints(lspe_folder, log_lines, edit, what):
    folder = lspe_folder(4, edit=edit)
    dataset = build(folder, max_bad_images=0.25)
    assert [dataset[i]['id'] for i in range(len(dataset))] == [1, 2, 4] and dataset.num_dropped == 1
    assert len(log_lines) == 1 and 'person 3 of' in log_lines[0]
    for args in (dict(test_mode=True), dict(strict=True), dict()):
        with pytest.raises(
            ValueError, match=f'joints.mat: 1 of 4 persons cannot be used; the first: person 3 of .*{what}'
        ):
            build(folder, **args)


def test_a_set_that_ends_up_empty_is_an_error(lspe_folder):
    def edit(joints):
        joints[:, 2] = 0

    with pytest.raises(AnnotationError, match='joints.mat: LSPDataset finds no usable person in it'):
        build(lspe_folder(3, edit=edit), max_bad_images=1.0)
    with pytest.raises(AnnotationError, match='joints.mat: LSPDataset finds no usable person in it'):
        build(lspe_folder(3), max_bad_images=1.0, data_prefix=dict(img='elsewhere'))
    with pytest.raises(ValueError, match='indices=0 leaves none of the 3 persons'):
        build(lspe_folder(3), indices=0)
    with pytest.raises(IndexError, match=r'indices=\[1, 5\] has 5, there are 3 persons'):
        build(lspe_folder(3), indices=[1, 5])


# -- through mmpose's pipelines ---------------------------------------------------------------------------------------


def pipeline(flip):
    codec = dict(type='MSRAHeatmap', input_size=(64, 64), heatmap_size=(16, 16), sigma=2)
    return [
        dict(type='LoadVerifiedImage'),
        dict(type='GetBBoxCenterScale'),
        dict(type='RandomFlip', direction='horizontal', prob=float(flip)),
        dict(type='RandomHalfBody', prob=1.0, min_total_keypoints=5),
        dict(type='RandomBBoxTransform'),
        dict(type='TopdownAffine', input_size=(64, 64)),
        dict(type='GenerateTarget', encoder=codec),
        dict(type='PackPoseInputs'),
    ]


@needs_data
@pytest.mark.parametrize('kind', ['LSPE', 'MPII', 'COCO'])
def test_real_persons_through_mmposes_training_pipeline(kind):
    root = data_root()
    build_one = {
        'LSPE': lambda p: LSPDataset(data_root=str(root / 'lspet-mini'), id_file='val.txt', indices=12, pipeline=p),
        'MPII': lambda p: MpiiOcclusionDataset(
            str(root / 'mpii-sample' / 'test_mpii.json'),
            data_prefix=dict(img=str(root / 'mpii-sample' / 'images')),
            pipeline=p,
        ),
        'COCO': lambda p: CocoOcclusionDataset(
            str(root / 'coco-sample' / 'test_coco.json'), data_prefix=dict(img=str(root / 'coco-sample')), pipeline=p
        ),
    }[kind]
    plain, flipped = build_one(pipeline(0)), build_one(pipeline(1))
    swap = plain.metainfo['flip_indices']
    for i in range(len(plain)):
        a, b = plain[i], flipped[i]
        assert a['inputs'].shape == b['inputs'].shape == (3, 64, 64)
        target, mirrored = a['data_samples'].gt_instances, b['data_samples'].gt_instances
        labels = plain.get_data_info(i)['keypoints_occluded']
        if labels is None:
            assert 'keypoints_occluded' not in target and 'keypoints_occluded' not in mirrored
        else:
            np.testing.assert_array_equal(target.keypoints_occluded, labels)
            np.testing.assert_array_equal(mirrored.keypoints_occluded, labels[:, swap])
        assert a['data_samples'].gt_fields.heatmaps.shape == (len(swap), 16, 16)
    assert (kind == 'COCO') == (labels is not None)


# -- what mmengine's data sets can do --------------------------------------------------------------------------------


def test_lazy_indices_and_plain_lists(lspe_folder):
    folder = lspe_folder(6)
    lazy = build(folder, lazy_init=True)
    assert lazy.num_skipped == lazy.num_outside == 0
    assert not lazy._fully_initialized and lazy.metainfo['torso_pair']
    assert len(lazy) == 6 and lazy[5]['id'] == 6
    assert [x['id'] for x in (build(folder, indices=[4, 1])[i] for i in (0, 1))] == [5, 2]
    assert len(build(folder, indices=2)) == 2
    assert build(folder, serialize_data=False)[3]['id'] == 4


@pytest.mark.parametrize('serialize', [True, False])
def test_subsets_count_for_themselves(lspe_folder, serialize):
    folder = lspe_folder(6)
    truncate(folder, 5)
    dataset = build(folder, max_bad_images=0.5, serialize_data=serialize)
    subset = dataset.get_subset([4, 5])
    assert len(subset) == 2 and subset[0]['id'] == 6
    assert (subset.num_skipped, dataset.num_skipped) == (1, 0)
    dataset.get_subset_([3, 4])
    assert [dataset[0]['id'], dataset[1]['id']] == [4, 4] and dataset.num_skipped == 1


@pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_a_copy_gives_the_same_samples(lspe_folder, duplicate):
    dataset = build(lspe_folder(3))
    other = duplicate(dataset)
    for i in range(3):
        a, b = dataset[i], other[i]
        assert a.keys() == b.keys()
        for key in ('img', 'keypoints', 'keypoints_visible', 'bbox'):
            np.testing.assert_array_equal(a[key], b[key])


def test_samples_do_not_share_memory_with_the_data_set(lspe_folder):
    dataset = build(lspe_folder(2), serialize_data=False)
    dataset[0]['keypoints'][:] = -1
    assert (dataset[0]['keypoints'] > 0).all()


def test_in_a_combined_data_set_bad_images_are_skipped_by_the_own_pipeline(lspe_folder):
    folder = lspe_folder(8)
    truncate(folder, 3)
    part = dict(type='LSPDataset', data_root=str(folder), id_file='ids.txt', max_bad_images=0.2, pipeline=LOAD)
    both = CombinedDataset(
        metainfo=dict(from_file='configs/_base_/datasets/lsp.py'), datasets=[part, part], pipeline=[]
    )
    ids = [both[i]['id'] for i in range(16)]
    assert len(ids) == 16 and 3 not in ids
    assert [d.num_skipped for d in both.datasets] == [1, 1]


def test_a_plain_list_of_functions_works_as_pipeline(lspe_folder):
    def load(results):
        results['img'] = cv2.imread(results['img_path'])
        results['ori_shape'] = results['img'].shape[:2]
        return results

    dataset = build(
        lspe_folder(2, edit=lambda j: j[:, :2].__setitem__((0, 0, 1), 900)), pipeline=[load, lambda r: None]
    )
    assert dataset.prepare_data(0) is None  # a transform may refuse a sample
    assert dataset.prepare_data(1) is None and dataset.num_outside == 1
