import json

import numpy as np
import pytest
from mmpose.datasets import CocoDataset

from posestructs.datasets import AnnotationError, BadImageError, CocoOcclusionDataset
from tests.helpers import data_root, needs_data

SAMPLE = data_root() / 'coco-sample'


@pytest.fixture
def content():
    return json.loads((SAMPLE / 'test_coco.json').read_text())


@pytest.fixture
def write(tmp_path):
    def make(content):
        (tmp_path / 'a.json').write_text(content if isinstance(content, str) else json.dumps(content))
        return str(tmp_path / 'a.json')

    return make


def build(ann_file=None, **kwargs):
    return CocoOcclusionDataset(
        ann_file=ann_file or str(SAMPLE / 'test_coco.json'), data_prefix=dict(img=str(SAMPLE)), **kwargs
    )


@needs_data
def test_the_sample_beside_mmposes_data_set(content):
    ours = build(pipeline=[dict(type='LoadVerifiedImage')])
    theirs = CocoDataset(ann_file=str(SAMPLE / 'test_coco.json'), data_prefix=dict(img=str(SAMPLE)))
    flags = {a['id']: np.array(a['keypoints']).reshape(17, 3)[:, 2] for a in content['annotations']}
    assert len(ours) == len(theirs) == 12
    total = 0
    for i in range(12):
        a, b = ours[i], theirs[i]
        assert a['id'] == b['id'] and a['img_path'] == b['img_path']
        for key in ('keypoints', 'keypoints_visible', 'bbox', 'area'):
            np.testing.assert_array_equal(a[key], b[key])
        np.testing.assert_array_equal(a['keypoints_occluded'], [flags[a['id']] == 1])
        total += a['keypoints_occluded'].sum()
    assert total == 17  # every flag 1 of the file
    assert ours.metainfo['torso_pair'] and ours.num_outside == 0


@needs_data
def test_bottom_up_mode_keeps_images_without_persons():
    assert len(build(data_mode='bottomup', test_mode=True)) == 4
    item = build(data_mode='bottomup')[0]
    assert item['keypoints_occluded'].shape == item['keypoints_visible'].shape


@needs_data
@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (lambda a: a['keypoints'].pop(), r'annotation 442619: keypoints has 50 numbers.*allowed: 51'),
        (lambda a: a.__setitem__('keypoints', ['x'] * 51), r"annotation 442619: .* joint 0 \(nose\) is 'x'"),
        (lambda a: a.__setitem__('image_id', 7), 'annotation 442619: image_id 7 is not among its images'),
        (lambda a: a.pop('image_id'), 'annotation 442619: image_id None is not among its images'),
    ],
)
def test_values_that_cannot_be(content, write, edit, message):
    edit(content['annotations'][0])
    with pytest.raises(AnnotationError, match=f'a.json: {message}'):
        build(write(content))


@needs_data
def test_a_one_pixel_box(content, write):
    content['annotations'][0]['bbox'] = [100, 100, 1, 1]
    path = write(content)
    with pytest.raises(ValueError, match='persons cannot be used; the first: annotation 442619: bbox .* 1 x 1 pixels'):
        build(path, test_mode=True)
    assert len(build(path, max_bad_images=0.1)) == 11


@needs_data
def test_files_of_something_else(content, write):
    with pytest.raises(FileNotFoundError, match="ann_file='/.*/nowhere.json' does not exist"):
        build('nowhere.json')
    with pytest.raises(FileNotFoundError, match="ann_file='/.*' is a folder, allowed: path of a file"):
        build(str(SAMPLE))
    for text in ('', '{"images": [', '[]', '{}', '{"images": [], "annotations": []}'):
        with pytest.raises(AnnotationError, match='a.json'):
            build(write(text))
    with pytest.raises(AnnotationError, match='mpii_val.json: holds a list'):
        build(str(data_root() / 'mpii-val' / 'mpii_val.json'))
    with pytest.raises(AnnotationError, match='valid.h5: cannot be read'):
        build(str(data_root() / 'mpii-val' / 'valid.h5'))
    for annotation in content['annotations']:  # COCO's instances file
        del annotation['keypoints'], annotation['num_keypoints']
    with pytest.raises(AnnotationError, match='a.json: has 4 images and no annotation with joints and a box'):
        build(write(content))


@needs_data
def test_an_image_of_another_size_is_refused_when_it_is_loaded(content, write):
    content['images'][0]['width'] += 1
    path, load = write(content), [dict(type='LoadImage')]
    with pytest.raises(AnnotationError, match='pixels, the annotation file says'):
        build(path)
    unchecked = build(path, pipeline=load, check_images=False)
    assert unchecked[0]['img'].shape
    dataset = build(path, pipeline=load, check_images=False, test_mode=True)
    dataset.check_images = True  # as where the image is not one of those whose size is checked at build time
    with pytest.raises(BadImageError, match='000000000785.jpg: the image has .* pixels, the annotation file says'):
        dataset[0]


@needs_data
def test_metainfo_is_of_the_joints_behind_the_pipeline():
    mapping = [(6, 0), (5, 1), ((11, 12), 2)]
    convert = dict(type='KeypointConverter', num_keypoints=3, mapping=mapping)
    dataset = build(pipeline=[convert, dict(type='LoadImage'), dict(type='RandomFlip', prob=1.0)], test_mode=True)
    assert list(dataset.metainfo['keypoint_id2name'].values()) == [
        'right_shoulder', 'left_shoulder', 'left_hip+right_hip'
    ]  # fmt: skip
    sample, raw = dataset[0], dataset.get_data_info(0)
    width = sample['img'].shape[1]
    np.testing.assert_allclose(
        sample['keypoints'][0, 0], [width - 1 - raw['keypoints'][0, 5, 0], raw['keypoints'][0, 5, 1]]
    )
    target = np.reshape(sample['raw_ann_info']['keypoints'], (3, 3))
    np.testing.assert_allclose(target[:2, :2], raw['keypoints'][0, [6, 5]], rtol=1e-6)
    assert sample['raw_ann_info']['num_keypoints'] == (target[:, 2] > 0).sum()


@needs_data
def test_detected_boxes_have_no_labels(tmp_path):
    boxes = [dict(image_id=785, category_id=1, bbox=[280, 44, 218, 346], score=0.9)]
    (tmp_path / 'boxes.json').write_text(json.dumps(boxes))
    dataset = build(bbox_file=str(tmp_path / 'boxes.json'), test_mode=True)
    assert len(dataset) == 1 and 'keypoints_occluded' not in dataset[0]
    assert not dataset[0]['keypoints_visible'].any()  # its joints are placeholders
