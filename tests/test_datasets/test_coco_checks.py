"""The checking pass over COCO files: what is refused, reported, and written back."""

import copy
import json
import re

import cv2
import numpy as np
import pytest
from mmengine.logging import MessageHub
from mmpose.registry import DATASETS, METRICS

from posestructs.datasets import AnnotationError, CocoOcclusionDataset
from posestructs.datasets.coco_checks import check_coco
from posestructs.datasets.coco_targets import normalise_target

NAMES = ['head', 'tail', 'left_wing', 'right_wing']
META = dict(
    dataset_name='insect',
    keypoint_info={
        i: dict(name=n, id=i, color=[0, 0, 0], type='', swap={2: NAMES[3], 3: NAMES[2]}.get(i, ''))
        for i, n in enumerate(NAMES)
    },
    skeleton_info={},
    joint_weights=[1.0] * 4,
    sigmas=[0.05] * 4,
)


def person(number, image=1, **changes):
    ann = dict(
        id=number,
        image_id=image,
        category_id=1,
        keypoints=[40, 30, 2, 60, 80, 2, 30, 60, 1, 90, 60, 2],
        num_keypoints=4,
        bbox=[22, 22, 76, 66],
        area=5000,
        iscrowd=0,
    )
    return {key: value for key, value in {**ann, **changes}.items() if value is not ...}


def coco(*persons, **changes):
    images = [dict(id=i, file_name=f'{i}.png', width=160, height=120) for i in (1, 2)]
    categories = [dict(id=1, name='insect', keypoints=NAMES)]
    content = dict(images=images, annotations=list(persons or [person(1)]), categories=categories)
    return {key: value for key, value in {**content, **changes}.items() if value is not ...}


def test_what_is_accepted_is_written_back():
    null = person(1, keypoints=[None, float('nan'), 0, 60.0, 80, 2.0, 30, 60, 1, 90, 60, 2], num_keypoints=...)
    nested = person(2.0, category_id=..., iscrowd=..., area=..., keypoints=[[40, 30, 2]] * 4)
    zero = person(3, area=0)
    content = coco(null, nested, zero)
    before = copy.deepcopy(content)
    check = check_coco(content, 'a.json', NAMES)
    assert json.dumps(content) == json.dumps(before)
    first, second, third = check.content['annotations']
    assert first['keypoints'] == [0, 0, 0, 60, 80, 2, 30, 60, 1, 90, 60, 2] and first['num_keypoints'] == 3
    assert second['keypoints'] == [40, 30, 2] * 4
    assert (second['id'], second['category_id'], second['iscrowd']) == (2, 1, 0)
    assert second['area'] == third['area'] == pytest.approx(76 * 66 * 0.53)
    assert list(check.estimated_areas) == [3] and check.persons == 3 and not check.problems
    for ann, own in zip((null, nested, zero), check.content['annotations'], strict=True):
        if ann is not nested:  # what CocoMetric reads by itself is the same
            scored = normalise_target(ann, 'a.json')
            assert {key: scored[key] for key in ('keypoints', 'num_keypoints', 'area', 'iscrowd')} == {
                key: own[key] for key in ('keypoints', 'num_keypoints', 'area', 'iscrowd')
            }


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(bbox=...), 'bbox is absent, beside 4 labelled joints'),
        (dict(bbox=['1', '2', '30', '40']), "bbox is .*'30'.*, allowed: 4 finite numbers"),
        (dict(bbox=[1, 2, float('inf'), 4]), r'bbox is \[1, 2, inf, 4\], allowed: 4 finite numbers'),
        (dict(bbox=[90, 30, -50, 50]), 'is -50 x 50 pixels'),
        (dict(keypoints=...), 'num_keypoints is 4 without keypoints'),
        (dict(keypoints=[0.2, 0.3, 2] * 4), r'all labelled joints are within \[0, 1\]'),
        (dict(keypoints=[0, 0, 2] + [0] * 9), 'no coordinate is above 0, beside 1 labelled joints'),
    ],
)
def test_persons_who_cannot_be_used(change, message):
    check = check_coco(coco(person(1), person(7, **change)), 'a.json', NAMES)
    (number, text), *others = check.problems.items()
    assert number == 7 and not others
    assert re.search(message, text)
    assert [ann['id'] for ann in check.content['annotations']] == [1]


def test_persons_who_look_wrong():
    reported = check_coco(coco(person(1, num_keypoints=0), person(2, keypoints=[0] * 12)), 'a.json', NAMES)
    assert reported.contradictions == {
        1: 'num_keypoints is 0 beside 4 labelled joints',
        2: 'num_keypoints is 4 beside 0 labelled joints',
    }
    assert [ann['num_keypoints'] for ann in reported.content['annotations']] == [4, 0]
    far = check_coco(coco(person(1), person(2, bbox=[100, 90, 20, 20])), 'a.json', NAMES)
    assert list(far.doubts) == [2]
    outside = [320, 240, 2, -160, -120, 2, 30, 60, 1]  # by as much as the image is large
    joints = check_coco(
        coco(person(1, keypoints=[*outside, 90, 60, 2]), person(2, keypoints=[*outside, 90, 241, 2]), person(3, 2)),
        'a.json',
        NAMES,
    )
    assert joints.contradictions == {2: 'joint 3 (right_wing) is at [90.0, 241.0], the image has 160 x 120 pixels'}
    twice = check_coco(coco(person(1), person(2, 2), person(9)), 'a.json', NAMES)
    assert twice.contradictions == {9: 'its joints are those of annotation 1 of the same image'}
    # joints beside the box are nothing unusual
    assert not check_coco(coco(person(1, bbox=[70, 20, 40, 60])), 'a.json', NAMES).doubts


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([], 'holds a list'),
        (coco(images=...), "key 'images' is missing"),
        (coco(annotations={}), "key 'annotations' is a dict"),
        (coco(annotations=[7]), r'annotations\[0\] is 7'),
        (coco(images=[dict(id='im1', file_name='1.png', width=9, height=9)]), r"images\[0\]: id is 'im1'"),
        (coco(images=[dict(id=1, file_name='1.png', height=9)]), r'image 1 \(1.png\): width is None'),
        (coco(images=[dict(id=1, file_name=None, width=9, height=9)]), 'image 1: file_name is None'),
        (
            coco(images=[dict(id=1, file_name=f'{n}.png', width=9, height=9) for n in 'ab']),
            'image id 1 occurs twice, for a.png and b.png',
        ),
        (coco(person(1), person(1, 2)), 'annotation id 1 occurs twice, in images 1 and 2'),
        (coco(person(-1)), r'annotations\[0\]: id is -1, allowed: an integer from 0'),
        (coco(person(2**53 + 1)), r'annotations\[0\]: id is 9007199254740993'),
        (coco(images=[dict(id=10**20, file_name='1.png', width=9, height=9)]), r'images\[0\]: id is 1000'),
        (coco(person('p')), r"annotations\[0\]: id is 'p'"),
        (coco(person(1, 3)), 'annotation 1: image_id 3 is not among its images'),
        (coco(person(1, category_id=7)), r'annotation 1: category_id is 7, allowed: one of \[1\]'),
        (coco(person(1, iscrowd='0')), "annotation 1: iscrowd is '0'"),
        (coco(person(1, area='12')), "annotation 1: area is '12'"),
        (coco(person(1, num_keypoints='4')), "annotation 1: num_keypoints is '4'"),
        (coco(person(1, keypoints={})), 'annotation 1: keypoints is {}'),
        (coco(person(1, keypoints=[1, 2, 2])), r'annotation 1: keypoints has 3 numbers \(category 1\)'),
        (coco(person(1, keypoints=[1, 2, '2'] * 4)), r"flag of joint 0 \(head\) is '2', allowed: 0, 1 or 2"),
        (coco(person(1, keypoints=[1, 2, 2] * 3 + [1, 2, True])), r'flag of joint 3 \(right_wing\) is True'),
        (coco(person(1, keypoints=[1, 2, 0.3] * 4)), r'flag of joint 0 \(head\) is 0.3'),
        (coco(person(1, keypoints=[1, 2, 2] * 3 + [None, 2, 1])), r'joint 3 \(right_wing\) is at \[None, 2\]'),
        (coco(person(1, keypoints=[10**400, 2, 1] * 4)), r'joint 0 \(head\) is at'),
        (coco(person(1, keypoints=[0.2, 0.3, 2] * 4)), r'all labelled joints are within \[0, 1\]'),
        (
            coco(categories=[dict(id=1, name='x', keypoints=['Tail', 'Head', 'left wing', 'right wing'])]),
            "category 1: joint 0 is 'Tail', but 'head' in the metainfo",
        ),
        (coco(categories=[dict(id=1, name='x', keypoints=NAMES[:3])]), r'category 1 has the keypoints \['),
    ],
)
def test_files_that_are_refused(content, message):
    with pytest.raises(AnnotationError, match=f'^a.json: .*{message}'):
        check_coco(content, 'a.json', NAMES)


def test_names_that_are_written_otherwise_and_categories_without_joints():
    other = [dict(id=1, name='x', keypoints=['Head', 'TAIL', 'left wing', 'Right-Wing']), dict(id=2, name='car')]
    assert check_coco(coco(categories=other), 'a.json', NAMES).persons == 1
    assert check_coco(coco(categories=...), 'a.json', NAMES).content['categories'] == [dict(id=1, name='person')]


# -- through the data set and the metric -------------------------------------------------------------------------------


@pytest.fixture
def load(tmp_path):
    for name in ('1.png', '2.png'):
        cv2.imwrite(str(tmp_path / name), np.zeros((120, 160, 3), np.uint8))

    def make(content, **kwargs):
        (tmp_path / 'a.json').write_text(json.dumps(content))
        return CocoOcclusionDataset(
            ann_file='a.json', data_root=str(tmp_path), data_prefix=dict(img=''), metainfo=META, **kwargs
        )

    return make


def test_limits_in_training_and_none_in_a_test_set(load, log_lines):
    two = coco(person(1), person(2, 2, bbox=...))
    for kwargs, message in [
        (dict(test_mode=True), 'A test set must be complete'),
        (dict(strict=True), 'strict=True allows none'),
        ({}, 'max_bad_images=0.01 allows'),
    ]:
        with pytest.raises(
            ValueError, match=f'a.json: 1 of 2 persons cannot .* annotation 2: bbox is absent.*{message}'
        ):
            load(two, **kwargs)
    dataset = load(two, max_bad_images=0.5)
    assert len(dataset) == 1 and dataset.num_dropped == 1 and 'annotation 2: bbox is absent' in log_lines[-1]
    zero = coco(person(1, num_keypoints=0))
    far = coco(person(1, keypoints=[1e29, 30, 2, 60, 80, 2, 30, 60, 1, 90, 60, 2]))
    twice = coco(person(1), person(9))
    for content, message in [
        (zero, 'annotation 1: num_keypoints is 0 beside 4 labelled joints'),
        (far, r'annotation 1: joint 0 \(head\) is at \[1e\+29, 30.0\]'),
        (twice, 'annotation 9: its joints are those of annotation 1'),
    ]:
        with pytest.raises(ValueError, match=f'a.json: 1 annotations contradict .*{message}'):
            load(content, test_mode=True)
    assert len(load(twice)) == 2 and 'annotation 9: its joints' in log_lines[-1]
    assert len(load(zero)) == 1 and 'The flags count' in log_lines[-1]


def score(dataset, metric):
    metric.dataset_meta = dataset.metainfo
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        keypoints = info['keypoints']
        fields = {key: info[key] for key in ('id', 'img_id', 'raw_ann_info', 'member_index') if key in info}
        found = dict(keypoints=keypoints, keypoint_scores=np.ones(keypoints.shape[:2]), bboxes=info['bbox'])
        sample = dict(fields, ori_shape=(120, 160), category_id=1, gt_instances={}, pred_instances=found)
        metric.process(None, [dict(sample, gt_instances=dict(bbox_scores=np.ones(1)))])
    return metric.evaluate(len(dataset))['coco/AP']


def test_the_metric_refuses_ids_that_it_cannot_match():
    with pytest.raises(AnnotationError, match=r'annotation id -1, allowed: ids from 0'):
        normalise_target(person(-1), 'a.json')


@pytest.mark.parametrize('area', [1e-9, 0.2, 50, 7525, 1e29])
def test_an_area_that_cannot_be_that_of_the_box_is_estimated(area):
    own = check_coco(coco(person(1, area=area)), 'a.json', NAMES)
    assert own.estimated_areas == {1: f'area is {area} beside a bbox of 76 x 66 pixels'}
    scored = normalise_target(person(1, area=area), 'a.json')
    assert scored['area'] == own.content['annotations'][0]['area'] == pytest.approx(76 * 66 * 0.53)
    for usable in (51, 7523):
        assert check_coco(coco(person(1, area=usable)), 'a.json', NAMES).content['annotations'][0]['area'] == usable
        assert normalise_target(person(1, area=usable), 'a.json')['area'] == usable


@pytest.mark.parametrize(
    'change',
    [
        dict(area=0),
        dict(area=...),
        dict(area=1e-9),
        dict(keypoints=[None, None, 0] + [60, 80, 2] * 3),
        dict(keypoints=[[40, 30, 2], [60, 80, 2], [30, 60, 1], [90, 60, 2]]),
    ],
)
@pytest.mark.parametrize('with_file', [False, True])
def test_perfect_predictions_score_one_with_any_accepted_file(load, tmp_path, change, with_file):
    categories = ... if 'keypoints' in change else coco()['categories']
    dataset = load(coco(person(1, **change), person(2, 2), categories=categories), test_mode=True)
    metric = dict(type='CocoMetric', **(dict(ann_file=str(tmp_path / 'a.json')) if with_file else {}))
    assert score(dataset, METRICS.build(metric)) == pytest.approx(1.0)


def test_a_subset_is_scored_by_itself(load):
    dataset = load(coco(person(1), person(2, 2)), test_mode=True, indices=1)
    assert MessageHub.get_current_instance().get_info('insect_ann_file') is None
    assert score(dataset, METRICS.build(dict(type='CocoMetric'))) == pytest.approx(1.0)


@pytest.fixture
def union(load, tmp_path):
    """Two test sets whose image and annotation ids are the same, and whose persons are not."""
    load(coco(person(1), person(2, 2)))
    moved = [value + 15 if i % 3 < 2 else value for i, value in enumerate(person(1)['keypoints'])]
    other = coco(person(1, keypoints=moved, bbox=[37, 37, 76, 66]), person(2, 2))
    (tmp_path / 'b.json').write_text(json.dumps(other))
    member = dict(
        type='CocoOcclusionDataset', data_root=str(tmp_path), data_prefix=dict(img=''), metainfo=META, test_mode=True
    )
    return dict(
        type='CombinedDataset',
        metainfo=META,
        datasets=[dict(member, ann_file='a.json'), dict(member, ann_file='b.json')],
        test_mode=True,
    )


def test_perfect_predictions_of_a_union_score_one(union, tmp_path):
    dataset = DATASETS.build(union)
    assert score(dataset, METRICS.build(dict(type='CocoMetric'))) == pytest.approx(1.0)
    with pytest.raises(ValueError, match='the samples come from 2 members of a CombinedDataset, which ann_file='):
        score(dataset, METRICS.build(dict(type='CocoMetric', ann_file=str(tmp_path / 'a.json'))))


def test_a_union_of_unions_keeps_all_members_apart(union):
    first, second = union['datasets']
    inner = dict(union, datasets=[second, first])
    dataset = DATASETS.build(dict(union, datasets=[first, union, dict(type='RepeatDataset', dataset=inner, times=1)]))
    assert [dataset.get_data_info(i)['member_index'] for i in range(10)] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert score(dataset, METRICS.build(dict(type='CocoMetric'))) == pytest.approx(1.0)


def test_a_union_of_other_joints(union):
    first, second = union['datasets']

    def build(**changes):
        return DATASETS.build(dict(union, datasets=[first, dict(second, **changes)]))

    def convert(*sources):
        mapping = [(source, target) for target, source in enumerate(sources)]
        return [dict(type='KeypointConverter', num_keypoints=len(sources), mapping=mapping)]

    with pytest.raises(ValueError, match=r'datasets\[1\] \(CocoOcclusionDataset\) has 2 joints, the metainfo .* 4'):
        build(pipeline=convert(1, 0))
    swapped = r"has the joints \['tail', 'head', .*\], the metainfo of the CombinedDataset \['head', 'tail', "
    with pytest.raises(ValueError, match=swapped):
        build(pipeline=convert(1, 0, 2, 3))
    assert build(pipeline=convert(0, (0, 1), 2, 3))  # another name at its place
    other = copy.deepcopy(META)
    other['keypoint_info'][1]['name'] = 'sting'
    with pytest.raises(ValueError, match=r"has the joints \['head', 'sting', .*convert them by a KeypointConverter"):
        build(metainfo=other)


@pytest.mark.parametrize('factor', [[float('nan'), 1], [-1, 1], [1], ['1', 1], 2])
def test_a_wrong_ratio_of_draws(union, factor):
    with pytest.raises(ValueError, match=r'^CombinedDataset.sample_ratio_factor\S*=.*, allowed: '):
        DATASETS.build(dict(union, sample_ratio_factor=factor))


def test_detected_boxes_are_no_targets(load, tmp_path):
    boxes = [dict(image_id=1, category_id=1, bbox=[22, 22, 76, 66], score=0.9)]
    (tmp_path / 'det.json').write_text(json.dumps(boxes))
    dataset = load(coco(), test_mode=True, bbox_file=str(tmp_path / 'det.json'))
    metric = METRICS.build(dict(type='BoxPCK'))
    metric.dataset_meta = dataset.metainfo
    info = dataset.get_data_info(0)
    for visible in (info['keypoints_visible'], np.ones((1, 4))):  # mmpose's own data sets call them visible
        targets = dict(keypoints=info['keypoints'], keypoints_visible=visible, bboxes=info['bbox'])
        metric.process(None, [dict(gt_instances=targets, pred_instances=dict(keypoints=info['keypoints']))])
    with pytest.raises(ValueError, match='BoxPCK: nothing to measure: 2 of 2 persons have no .*labelled joint'):
        metric.evaluate(2)


def test_occluders_in_a_test_set_are_reported(load, log_lines):
    occlude = [dict(type='LoadImage'), dict(type='RandomOccluder', prob=0.5, seed=0)]
    load(coco(), pipeline=occlude)
    load(coco(), test_mode=True)
    assert not log_lines
    load(coco(), test_mode=True, pipeline=occlude)
    assert 'RandomOccluder pastes artificial occluders into 50% of the images' in log_lines[0]
