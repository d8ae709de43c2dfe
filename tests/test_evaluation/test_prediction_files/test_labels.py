"""Labels of COCO json files and of data sets."""

import json

import numpy as np
import pytest

from posestructs.datasets import StickFigureDataset
from posestructs.evaluation.prediction_files import labels_of_dataset, read_coco_labels
from posestructs.evaluation.prediction_files.labels import mirror_by_names


def test_coco_json(ann):
    labels = read_coco_labels(ann, image_root='/data')
    assert labels.ids == [11, 12, 13] and labels.images == [1, 1, 2]
    assert labels.paths[2] == '/data/video/img0002.png' and set(labels.known_images) == {1, 2, 3}
    assert labels.meta['flip_indices'] == [0, 2, 1, 4, 3, 5]
    assert labels.labelled.sum() == 17 and not labels.labelled[2, 0]
    assert labels.occluded[0].tolist() == [0, 0, 1, 0, 0, 0] and labels.occluded[2, 0] == -1


def test_shipped_metainfo_of_the_same_joints(tmp_path, coco, coco_meta):
    names = [coco_meta['keypoint_id2name'][i] for i in range(17)]
    coco['categories'][0]['keypoints'] = names
    coco['annotations'] = [dict(id=1, image_id=1, keypoints=[1, 2, 2] * 17, area=0, bbox=[0, 0, 10, 20])]
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(coco))
    labels = read_coco_labels(path)
    assert len(labels.meta['sigmas']) == 17 and labels.meta['torso_pair']
    assert labels.areas.tolist() == [10 * 20 * 0.53]
    # one flag for all joints says labelled, not visible
    assert (labels.occluded == -1).all()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c.pop('images'), 'not a COCO json with images'),
        (lambda c: c['categories'].clear(), 'name 0 sets of joints'),
        (lambda c: c['categories'].append(dict(keypoints=['a'])), 'name 2 sets of joints'),
        (lambda c: c['annotations'][1].update(id=11), 'annotation ids are not unique'),
        (lambda c: c['annotations'][1].update(image_id=9), 'annotation 12: image_id=9 is not among the images'),
        (lambda c: c['annotations'][1]['keypoints'].pop(), 'annotation 12: keypoints has 17 numbers'),
        (lambda c: c['annotations'][1].update(keypoints=[1, 2]), 'annotation 12: keypoints has 2 numbers'),
        (
            lambda c: c['annotations'][1]['keypoints'].__setitem__(5, 3),
            '12: joint 1: flag=3, allowed: 0, 1, 2',
        ),
        (lambda c: c['annotations'][1]['keypoints'].__setitem__(2, -1), 'annotation 12: joint 0: flag=-1'),
        (lambda c: c['annotations'][1]['keypoints'].__setitem__(3, None), 'annotation 12: joint 1: position=nan'),
        (lambda c: c['annotations'].append(None), 'annotations are not a list of objects'),
        (lambda c: c['images'][1].update(id=1), 'image id 1 occurs twice, for '),
        (lambda c: c['annotations'].clear(), 'no person has a labelled joint'),
    ],
)
def test_bad_json(tmp_path, coco, change, message):
    change(coco)
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(coco))
    with pytest.raises(ValueError, match=message):
        read_coco_labels(path)


def test_persons_without_keypoints_are_skipped(tmp_path, coco):
    coco['annotations'] += [dict(id=90, image_id=1, keypoints=None), dict(id=91, image_id=1, keypoints=[0] * 18)]
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(coco))
    assert read_coco_labels(path).ids == [11, 12, 13]


def test_metainfo_of_other_joints(ann):
    with pytest.raises(ValueError, match=r"its joints are \['nose', .*lsp.py \['right_ankle'"):
        read_coco_labels(ann, metainfo='configs/_base_/datasets/lsp.py')
    with pytest.raises(ValueError, match="from_file='absent.py': neither this file nor"):
        read_coco_labels(ann, metainfo='absent.py')


def test_mirror_joints_by_name():
    names = ['LeftEye', 'RightEye', 'l_ear', 'r_ear', 'hind-left', 'hind-right', 'leftPaw', 'rightPaw', 'tail', 'L Hip']
    assert mirror_by_names(names) == [1, 0, 3, 2, 5, 4, 7, 6, 8, 9]
    # letters within words are no sides
    assert mirror_by_names(['heel', 'heer', 'tl', 'tr', 'l', 'r']) == [0, 1, 2, 3, 5, 4]


def test_data_set_with_occlusion_labels():
    dataset = StickFigureDataset(num_samples=3, image_size=48, pipeline=[])
    labels = labels_of_dataset(dataset)
    for i in range(3):
        info = dataset.get_data_info(i)
        np.testing.assert_array_equal(labels.keypoints[i], info['keypoints'][0])
        np.testing.assert_array_equal(labels.occluded[i], info['keypoints_occluded'][0])
    assert set(np.unique(labels.occluded)) == {0, 1} and labels.meta['torso_pair']
