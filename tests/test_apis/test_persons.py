"""Persons of an image as samples and as plain numbers."""

import json

import numpy as np
import pytest
from mmengine.structures import InstanceData, PixelData
from mmpose.structures import PoseDataSample

from posestructs.apis.persons import instance_dicts, keep_distinct, merge_persons


def person(x, score, **more):
    sample = PoseDataSample(metainfo=dict(img_path='a.png'))
    sample.pred_instances = InstanceData(
        keypoints=np.float32([[[x, 1], [x, 9], [x + 5, 5]]]),
        keypoint_scores=np.float32([[0.5, 0.25, 1]]),
        bboxes=np.float32([[x, 0, x + 6, 10]]),
        bbox_scores=np.float32([score]),
        **more,
    )
    sample.pred_fields = PixelData(heatmaps=np.zeros((3, 4, 4), np.float32))
    return sample


def test_persons_as_numbers():
    occlusion = [dict(keypoints_occluded=np.float32([[0, 0.5, 1]]), pose_scores=np.float32([-2])) for _ in range(2)]
    merged = merge_persons([person(0, 0.5, **occlusion[0]), person(20, 1, **occlusion[1])], 'a.png', 3)
    assert 'pred_fields' not in merged and len(merged.pred_instances) == 2
    persons = instance_dicts(merged)
    assert json.loads(json.dumps(persons))[1] == dict(
        keypoints=[[20, 1], [20, 9], [25, 5]],
        keypoint_scores=[0.5, 0.25, 1],
        bbox=[[20, 0, 26, 10]],
        bbox_score=1,
        keypoints_occluded=[0, 0.5, 1],
        pose_score=-2,
    )
    assert set(instance_dicts(merge_persons([person(0, 1)], 'a.png', 3))[0]) == {
        'keypoints',
        'keypoint_scores',
        'bbox',
        'bbox_score',
    }


def test_nobody():
    merged = merge_persons([], 'a.png', 3)
    assert instance_dicts(merged) == [] and merged.pred_instances.keypoints.shape == (0, 3, 2)
    keep_distinct(merged)
    assert merged.metainfo['img_path'] == 'a.png'


def test_the_same_person_twice():
    merged = merge_persons([person(0, 0.5), person(0.1, 0.9), person(50, 0.1)], 'a.png', 3)
    keep_distinct(merged)
    assert sorted(round(float(s), 1) for s in merged.pred_instances.bbox_scores) == [0.1, 0.9]


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_numbers_that_json_does_not_have_are_refused(value):
    for key in ('keypoints', 'keypoint_scores'):
        odd = person(0, 1)
        odd.pred_instances[key][0, 1] = value
        with pytest.raises(ValueError, match='not finite'):
            merge_persons([person(9, 1), odd], 'a.png', 3)
