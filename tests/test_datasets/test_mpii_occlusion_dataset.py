import json

import h5py
import numpy as np
import pytest
from mmpose.datasets import MpiiDataset

from posestructs.datasets import AnnotationError, MpiiOcclusionDataset, metainfo_file
from posestructs.datasets.mpii_files import check_mpii_json, save_sidecar
from posestructs.datasets.mpii_visibility import match_persons, read_visibility
from tests.helpers import data_root, needs_data

VAL, SAMPLE = data_root() / 'mpii-val', data_root() / 'mpii-sample'
HEADBOX = str(VAL / 'mpii_gt_val.mat')


@pytest.fixture(scope='module')
def sidecars(tmp_path_factory):
    """Side-cars of the validation json and of mmpose's sample."""
    folder = tmp_path_factory.mktemp('sidecars')
    source = read_visibility(VAL / 'valid.h5')
    for path in (VAL / 'mpii_val.json', SAMPLE / 'test_mpii.json'):
        images, joints, labelled = check_mpii_json(json.loads(path.read_text()), path)
        save_sidecar(folder / f'{path.stem}.npz', match_persons(images, joints, labelled, source)[0], images, joints)
    return folder


@needs_data
def test_all_validation_persons_beside_mmposes_data_set(sidecars):
    args = dict(ann_file=str(VAL / 'mpii_val.json'), headbox_file=HEADBOX, test_mode=True, serialize_data=False)
    ours = MpiiOcclusionDataset(occlusion_file=str(sidecars / 'mpii_val.npz'), check_images=False, **args)
    theirs = MpiiDataset(**args)
    with h5py.File(VAL / 'valid.h5') as file:
        visible = file['visible'][()]
    assert len(ours) == len(theirs) == 2958
    labelled = occluded = 0
    for i in range(2958):
        a, b = ours.data_list[i], theirs.data_list[i]
        for key in set(b) - {'keypoints'}:
            np.testing.assert_array_equal(a[key], b[key], err_msg=key)
        on = b['keypoints_visible'][0] > 0
        np.testing.assert_array_equal(a['keypoints'][0, on], b['keypoints'][0, on])
        assert not a['keypoints'][0, ~on].any() and a['keypoints_visible'].dtype == np.float32
        np.testing.assert_array_equal(a['keypoints_occluded'][0], on & (visible[i] == 0))
        labelled, occluded = labelled + on.sum(), occluded + a['keypoints_occluded'].sum()
    assert 100 * occluded / labelled == pytest.approx(23.2, abs=0.05)


@needs_data
def test_real_images_through_a_pipeline(sidecars):
    dataset = MpiiOcclusionDataset(
        data_root=str(SAMPLE),
        ann_file='test_mpii.json',
        data_prefix=dict(img='images'),
        occlusion_file=str(sidecars / 'test_mpii.npz'),
        pipeline=[dict(type='LoadVerifiedImage')],
    )
    items = [dataset[i] for i in range(5)]
    assert all(item['img'].ndim == 3 for item in items) and dataset.num_outside == 0
    # mmpose's sample is not truncated (neck at 982.7591): matched within the tolerance
    assert sum(item['keypoints_occluded'].sum() for item in items) == 2
    assert dataset.metainfo['sticks'] and dataset.metainfo['dataset_name'] == 'mpii'


@needs_data
def test_without_a_side_car_there_are_no_occlusion_labels():
    dataset = MpiiOcclusionDataset(ann_file=str(SAMPLE / 'test_mpii.json'), check_images=False)
    assert all(dataset.get_data_info(i)['keypoints_occluded'] is None for i in range(5))


@needs_data
def test_bottom_up_mode(sidecars):
    dataset = MpiiOcclusionDataset(
        str(VAL / 'mpii_val.json'),
        occlusion_file=str(sidecars / 'mpii_val.npz'),
        data_mode='bottomup',
        check_images=False,
        serialize_data=False,
    )
    items = dataset.data_list
    assert len(items) == 2729 and sum(len(item['keypoints_occluded']) for item in items) == 2958
    assert sum(item['keypoints_occluded'].sum() for item in items) == 10243


@needs_data
def test_files_that_do_not_belong_together(sidecars):
    sample = str(SAMPLE / 'test_mpii.json')
    with pytest.raises(AnnotationError, match=r'mpii_val.npz: key occluded has shape \(2958, 16\), allowed: \(5, 16\)'):
        MpiiOcclusionDataset(sample, occlusion_file=str(sidecars / 'mpii_val.npz'), check_images=False)
    with pytest.raises(FileNotFoundError, match="occlusion_file 'nowhere.npz'"):
        MpiiOcclusionDataset(sample, occlusion_file='nowhere.npz', check_images=False)
    with pytest.raises(AnnotationError, match=r"'headboxes_src' has shape \(2, 2, 2958\), allowed: \(2, 2, 5\)"):
        MpiiOcclusionDataset(sample, headbox_file=HEADBOX, test_mode=True, check_images=False)


@needs_data
def test_annotation_files_of_other_data_sets():
    with pytest.raises(AnnotationError, match='test_coco.json: holds a dict with the keys'):
        MpiiOcclusionDataset(str(data_root() / 'coco-sample' / 'test_coco.json'))
    with pytest.raises(AnnotationError, match='valid.h5: cannot be read as JSON'):
        MpiiOcclusionDataset(str(VAL / 'valid.h5'))
    with pytest.raises(FileNotFoundError, match="ann_file='/.*/nowhere.json' does not exist"):
        MpiiOcclusionDataset('nowhere.json')


def test_arguments_that_cannot_be():
    with pytest.raises(ValueError, match="^ann_file='', allowed: path of a file$"):
        MpiiOcclusionDataset()
    lsp = dict(from_file=metainfo_file('lsp'))
    with pytest.raises(
        ValueError, match=r"metainfo is of another body .*\['right_ankle', .*'upper_neck', 'head_top', "
    ):
        MpiiOcclusionDataset('a.json', metainfo=lsp)
    theirs = MpiiOcclusionDataset('a.json', metainfo=dict(from_file='mpii.py'), lazy_init=True)  # the same joints
    assert theirs.metainfo['num_keypoints'] == 16


def test_a_person_without_size_or_joints(tmp_path, log_lines):
    joints = [[10.0 * k, 5.0 * k] for k in range(16)]
    persons = [
        dict(image=f'{i + 1:09d}.jpg', joints=joints, joints_vis=[1] * 16, center=[80.0, 40.0], scale=1.0)
        for i in range(4)
    ]
    path = tmp_path / 'a.json'
    for changes, message in ((dict(scale=0.004), 'is 0.8'), (dict(joints_vis=[0] * 16), 'no joint is labelled')):
        path.write_text(json.dumps([*persons[:2], dict(persons[2], **changes), persons[3]]))
        with pytest.raises(
            ValueError, match=f'a.json: 1 of 4 persons cannot be used; the first: person 2 of .*{message}'
        ):
            MpiiOcclusionDataset(str(path), check_images=False, test_mode=True)
        assert len(MpiiOcclusionDataset(str(path), check_images=False, max_bad_images=0.3)) == 3
    assert len(log_lines) == 2
