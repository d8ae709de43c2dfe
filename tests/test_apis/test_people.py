"""People of an image as samples and as plain numbers."""

import json

import numpy as np
from mmengine.structures import InstanceData, PixelData
from mmpose.structures import PoseDataSample

from posestructs.apis.people import instance_dicts, keep_different, merge_people


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


def test_people_as_numbers():
    occlusion = [dict(keypoints_occluded=np.float32([[0, 0.5, 1]]), pose_scores=np.float32([-2])) for _ in range(2)]
    merged = merge_people([person(0, 0.5, **occlusion[0]), person(20, 1, **occlusion[1])], 'a.png', 3)
    assert 'pred_fields' not in merged and len(merged.pred_instances) == 2
    people = instance_dicts(merged)
    assert json.loads(json.dumps(people))[1] == dict(
        keypoints=[[20, 1], [20, 9], [25, 5]],
        keypoint_scores=[0.5, 0.25, 1],
        bbox=[[20, 0, 26, 10]],
        bbox_score=1,
        keypoints_occluded=[0, 0.5, 1],
        pose_score=-2,
    )
    assert set(instance_dicts(merge_people([person(0, 1)], 'a.png', 3))[0]) == {
        'keypoints',
        'keypoint_scores',
        'bbox',
        'bbox_score',
    }


def test_nobody():
    merged = merge_people([], 'a.png', 3)
    assert instance_dicts(merged) == [] and merged.pred_instances.keypoints.shape == (0, 3, 2)
    keep_different(merged)
    assert merged.metainfo['img_path'] == 'a.png'


def test_the_same_person_twice():
    merged = merge_people([person(0, 0.5), person(0.1, 0.9), person(50, 0.1)], 'a.png', 3)
    keep_different(merged)
    assert sorted(round(float(s), 1) for s in merged.pred_instances.bbox_scores) == [0.1, 0.9]
