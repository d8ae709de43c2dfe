"""The tiny files are what the data sets take for the official ones."""

import numpy as np
import pytest
from mmpose.registry import DATASETS

from tests.helpers.tiny_data import PERSONS, SIDE, place_data


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('tiny')


def read(folder, kind, name, **options):
    dataset = dict(type=kind, data_root=f'data/{name}/', data_prefix=dict(img='images/'), **options)
    place_data(dataset, folder)
    assert str(folder) in dataset['data_root']
    return DATASETS.build(dataset)


def test_lsp_knows_what_is_occluded_and_its_extension_what_is_labelled(folder):
    train = read(folder, 'LSPDataset', 'lsp', ann_file='joints.mat', split='train')
    test = read(folder, 'LSPDataset', 'lsp', ann_file='joints.mat', split='test', test_mode=True)
    assert len(train) == len(test) == 1000
    person = train.get_data_info(0)
    assert person['keypoints_occluded'].nonzero()[1].tolist() == [3] and person['keypoints_visible'].all()
    more = read(folder, 'LSPDataset', 'lspet-mini', ann_file='joints.mat', id_file='train.txt')
    person = more.get_data_info(0)
    assert len(more) == PERSONS and person['keypoints_occluded'] is None
    assert np.flatnonzero(person['keypoints_visible'] == 0).tolist() == [3]


def test_flic_has_persons_to_train_and_to_test_on(folder):
    for split in ('train', 'test'):
        dataset = read(folder, 'FLICDataset', 'flic', ann_file='examples.mat', split=split)
        assert len(dataset) == PERSONS // 2
        assert dataset.get_data_info(0)['keypoints_visible'].all()


def test_mpii_has_heads_and_occlusion(folder):
    options = dict(ann_file='annotations/val.json', headbox_file='data/mpii/mpii_gt_val.mat', test_mode=True)
    plain = read(folder, 'MpiiDataset', 'mpii', **options)
    ours = read(folder, 'MpiiOcclusionDataset', 'mpii', occlusion_file='annotations/val.npz', **options)
    assert len(plain) == len(ours) == PERSONS
    # 0.6 of the diagonal of 30 x 40 pixels
    assert plain.get_data_info(0)['head_size'] == pytest.approx(30)
    assert ours.get_data_info(0)['keypoints_occluded'][0].tolist() == [float(k % 3 == 0) for k in range(16)]


def test_coco_has_flags_and_boxes_of_a_detector(folder):
    options = dict(ann_file='annotations/val.json', data_mode='topdown')
    ours = read(folder, 'CocoOcclusionDataset', 'coco', **options)
    person = ours.get_data_info(0)
    assert person['keypoints_visible'][0].tolist() == [float(k != 3) for k in range(17)]
    assert person['keypoints_occluded'][0].tolist() == [float(k % 2 == 0) for k in range(17)]
    found = read(folder, 'CocoDataset', 'coco', bbox_file='data/coco/boxes.json', test_mode=True, **options)
    assert len(found) == PERSONS and found.get_data_info(0)['bbox_score'] == pytest.approx(0.9)
    hand = read(folder, 'FreiHandDataset', 'freihand', **options)
    assert len(hand) == PERSONS and hand.get_data_info(0)['keypoints'].shape == (1, 21, 2)


def test_joints_lie_inside_of_images_that_are_there(folder):
    dataset = read(folder, 'LSPDataset', 'lsp', ann_file='joints.mat', split='train', pipeline=[dict(type='LoadImage')])
    person = dataset[0]
    assert person['img'].shape == (SIDE, SIDE, 3) and person['img'].std() > 5
    assert (person['keypoints'] >= 20).all() and (person['keypoints'] < SIDE - 20).all()


def test_a_data_set_that_nobody_has_described(folder):
    with pytest.raises(KeyError, match='AnimalDataset: no tiny files for it, there are some for'):
        place_data(dict(type='AnimalDataset', data_root='data/x/', ann_file='a.json'), folder)
