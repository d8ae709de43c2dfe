"""Faults of COCO files under mmpose's own data sets."""

import json

import cv2
import numpy as np
import pytest
from mmpose.datasets import CocoDataset

from posestructs.engine.hooks.annotation_check_hook import check_datasets
from posestructs.utils.usage import UsageError


@pytest.fixture
def load(tmp_path):
    cv2.imwrite(str(tmp_path / '1.png'), np.zeros((120, 160, 3), np.uint8))

    def make(*changes, test_mode=False, width=160):
        good = dict(image_id=1, category_id=1, keypoints=[40, 30, 2] * 17, num_keypoints=17, bbox=[22, 22, 76, 66])
        anns = [dict(good, id=i, area=50, iscrowd=0) | change for i, change in enumerate([{}, *changes], start=1)]
        images = [dict(id=1, file_name='1.png', width=width, height=120)]
        content = dict(images=images, annotations=anns, categories=[dict(id=1, name='person')])
        (tmp_path / 'a.json').write_text(json.dumps(content).replace('"id": 9', '"id": 1'))
        return CocoDataset(
            ann_file='a.json', data_root=str(tmp_path), data_prefix=dict(img=''), test_mode=test_mode, lazy_init=True
        )

    return make


def test_a_good_file_passes(load):
    check_datasets(load(test_mode=True))
    check_datasets(None)


def test_persons_who_are_lost_are_refused_in_a_test_set(load):
    for change, fault in ((dict(num_keypoints=0), 'num_keypoints is 0'), (dict(bbox=None), 'bbox is absent')):
        message = f'a.json: 1 of 2 persons with labelled joints are left out; the first: annotation 2: {fault}'
        with pytest.raises(UsageError, match=f'{message}.*CocoDataset would read it without an error'):
            check_datasets(load(change, test_mode=True))
        with pytest.raises(UsageError, match='allowed: at most 1%'):
            check_datasets(load(change))
    check_datasets(load(dict(keypoints=[0] * 51, num_keypoints=0), test_mode=True))


def test_ids_and_sizes(load):
    with pytest.raises(UsageError, match='a.json: annotation id 1 occurs twice'):
        check_datasets(load(*[{}] * 8))
    with pytest.raises(UsageError, match=r'image 1 \(.*1.png\): the image has 160 x 120 pixels, .* says 320 x 120'):
        check_datasets(load(width=320))
