"""Figures of hard persons and of peers, on persons made by hand."""

import base64
import json
import lzma

import numpy as np
import pytest

from benchmarks import hard_persons
from benchmarks.hard_persons import (
    Persons,
    both_on_one,
    differences,
    interval,
    on_mirror_joint,
    right_joints,
)
from benchmarks.peer_models import derived_joints as peers
from benchmarks.raw_results import encode
from posestructs.evaluation.prediction_files import Labels


def persons(pred, gt, labelled=None):
    pred, gt = np.asarray(pred, float), np.asarray(gt, float)
    labelled = np.ones(gt.shape[:2], bool) if labelled is None else np.asarray(labelled)
    return Persons(pred, gt, labelled, np.full(len(gt), 10.0))


def test_right_is_within_a_fifth_of_the_torso():
    found = right_joints(persons([[[2, 0], [2.1, 0], [0, 0]]], [[[0, 0], [0, 0], [0, 0]]], [[True, True, False]]))
    assert found.tolist() == [[True, False, False]]


def test_both_on_one_counts_pairs_that_are_apart():
    gt = [[[0, 0], [6, 0]], [[0, 0], [6, 0]], [[0, 0], [4, 0]], [[0, 0], [9, 0]]]
    pred = [[[0, 0], [2, 0]], [[0, 0], [3, 0]], [[0, 0], [0, 0]], [[5, 5], [5, 5]]]
    labelled = [[True, True]] * 3 + [[True, False]]
    # the third pair is not apart, the fourth not labelled: one of two
    assert both_on_one(persons(pred, gt, labelled), (0, 1)) == 50


def test_on_the_mirror_joint_are_all_errors_there():
    mirror = np.array([1, 0, 2])
    gt = [[[0, 0], [3, 0], [50, 0]]] * 3
    # 3 and 2.5 pixels from the own label, 0 and 0.5 from the mirror joint's, which the kinds of errors count as jitter;
    # right where it is as near as 2; a joint without a mirror joint has none
    pred = [[[3, 0], [0.5, 0], [80, 0]], [[2, 0], [3, 0], [50, 0]], [[3, 0], [0, 0], [50, 0]]]
    labelled = [[True] * 3, [True] * 3, [True, False, True]]  # nothing is known of what has no label
    found = on_mirror_joint(persons(pred, gt, labelled), mirror)
    assert found.tolist() == [[True, True, False], [False, False, False], [False, False, False]]


def test_persons_mirrored_as_a_whole():
    mirror, limbs = np.array([1, 0, 3, 2, 4]), np.array([True] * 4 + [False])
    one = [[0, 0], [40, 0], [0, 50], [40, 50], [20, 90]]
    gt = np.array([one] * 4, float)
    pred = gt.copy()
    pred[0] = gt[0, mirror]  # as a whole
    pred[1, :2] = gt[1, mirror][:2] + [2, 0]  # two joints of four lie as near to one labelling as to the other
    pred[2] = gt[2, mirror]  # too few are labelled on both sides
    pred[3] = np.nan
    labelled = np.ones((4, 5), bool)
    labelled[2, 3] = False
    assert hard_persons.mirrored(persons(pred, gt, labelled), mirror, limbs).tolist() == [True, False, False, False]


def test_leads_in_joints_limbs_and_whole_persons():
    names = ('left_knee', 'right_knee', 'neck')
    gt = np.zeros((2, 3, 2)) + np.arange(3)[None, :, None] * 20
    ours, theirs = gt.copy(), gt.copy()
    theirs[0, 0] += 50
    ours[1, 2] += 50  # the neck is no limb
    found = differences(persons(ours, gt), persons(theirs, gt), names)
    assert [found[key]['mean'] for key in ('joints', 'limbs', 'whole_persons')] == [0, 25, 50]


def test_the_lead_without_hips():
    names = ('left_hip', 'right_hip', 'left_knee', 'neck')
    gt = np.zeros((2, 4, 2)) + np.arange(4)[None, :, None] * 20
    ours, theirs = gt.copy(), gt.copy()
    theirs[:, :2] += 50
    ours[0, 2] += 50
    found = differences(persons(ours, gt), persons(theirs, gt), names)
    assert found['limbs']['mean'] == pytest.approx(50) and found['limbs_without_hips']['mean'] == -50


def test_views_of_persons():
    names = ('right_hip', 'left_hip', 'right_shoulder', 'left_shoulder')
    front = np.array([[40, 100], [60, 100], [35, 50], [65, 50]], float)  # the person's left is on the right
    back = front * [-1, 1] + [100, 0]
    upside_down = front * -1  # turned by 180 degrees: still seen from the front
    tilted = front[:, ::-1] * [1, -1]  # turned by 90 degrees, head to the left
    gt = np.stack([front, back, upside_down, tilted, front])
    labelled = np.ones((5, 4), bool)
    labelled[4, 0] = False
    found = hard_persons.person_views(gt, labelled, names)
    assert {view: np.flatnonzero(mask).tolist() for view, mask in found.items()} == {
        'upright': [0, 1],
        'tilted': [3],
        'head down': [2],
        'front': [0, 2, 3],
        'back': [1],
    }
    # the first two of four joints are right in all but the last person
    pred = gt.copy()
    pred[:, 2:] += 50
    rates = hard_persons.by_view(persons(pred, gt, labelled), found)
    assert rates == {view: 50 for view in found}
    assert hard_persons.person_views(gt, labelled, names[:3] + ('neck',)) == {}


def test_hits_are_packed_by_bits():
    right = np.random.default_rng(0).random((5, 14)) < 0.5
    form = [dict(id=lzma.FILTER_LZMA1, lc=0, lp=0, pb=0, dict_size=1 << 16)]
    raw = lzma.decompress(base64.b85decode(encode(right)), lzma.FORMAT_RAW, filters=form)
    assert np.unpackbits(np.frombuffer(raw, np.uint8), count=right.size).reshape(right.shape).tolist() == right.tolist()


def test_persons_that_were_not_found_are_wrong_and_counted():
    names = ('left_knee', 'right_knee', 'left_ankle', 'right_ankle')
    gt = np.zeros((4, 4, 2)) + np.arange(4)[None, :, None] * 20
    pred = gt.copy()
    pred[0] = np.nan
    labels = type('Labels', (), dict(joints=names))
    found = hard_persons.summarise(persons(pred, gt), labels)
    assert found['not_found'] == 25 and found['joints'] == 75 and found['whole_persons'] == 75
    assert found['kind_miss'] == 25
    # two joints without a place are not in one place
    pred[1, 1] = pred[1, 0]
    assert both_on_one(persons(pred, gt), (0, 1)) == pytest.approx(100 / 3)


def test_a_file_without_a_person_keeps_its_labels(tmp_path):
    names = ('left_hip', 'right_shoulder')
    keypoints = np.array([[[0.0, 0], [0, 10]], [[5, 5], [5, 25]]])
    rows = [dict(image_id=1, category_id=1, score=1.0, keypoints=[0, 0, 1, 0, 10, 1])]
    (tmp_path / 'few.json').write_text(json.dumps(rows))
    meta = dict(keypoint_name2id={name: k for k, name in enumerate(names)}, torso_pair=names)
    paths = {1: 'one.jpg', 2: 'two.jpg'}
    rest = dict(occluded=np.zeros((2, 2)), images=[1, 2], paths=list(paths.values()), ids=[1, 2], areas=np.ones(2))
    labels = Labels('by hand', keypoints, np.ones((2, 2), bool), meta=meta, known_images=paths, **rest)
    found = hard_persons.read_persons(str(tmp_path / 'few.json'), labels)
    assert found.labelled.all() and np.isnan(found.pred[1]).all() and found.pred[0].tolist() == keypoints[0].tolist()


def test_the_interval_is_that_of_persons_drawn_together():
    ours, theirs, count = np.array([10, 4, 7, 9]), np.array([8, 4, 6, 9]), np.full(4, 10)
    found = interval(ours, theirs, count)
    assert found['mean'] == pytest.approx(7.5)  # 3 of 40
    assert 0 <= found['low'] < 7.5 < found['high'] <= 20
    same = interval(ours, ours, count)
    assert same == dict(mean=0, low=0, high=0)


def test_a_whole_person_has_all_limbs_right():
    names = ('left_knee', 'right_knee', 'left_ankle', 'right_ankle', 'neck')
    gt = np.zeros((3, 5, 2)) + np.arange(5)[None, :, None] * 20
    pred = gt.copy()
    pred[0, 4] += 50  # the neck is no limb
    pred[1, 0] = gt[1, 1]  # a knee on the other knee
    labelled = np.ones((3, 5), bool)
    labelled[2, 3] = False  # right as far as is known
    labels = type('Labels', (), dict(joints=names))
    found = hard_persons.summarise(persons(pred, gt, labelled), labels)
    assert found['whole_persons'] == 50 and found['labelled_joints_all_right'] == pytest.approx(200 / 3)
    assert found['inversions_among_errors'] == 50 and found['joints'] == pytest.approx(100 * 12 / 14)


def test_neck_and_head_top_of_coco_lie_on_a_fitted_line():
    joints = np.zeros((2, 17, 2))
    joints[:, [peers.COCO.index('left_ear'), peers.COCO.index('right_ear')]] = [[[-1, 10], [1, 10]]] * 2
    infos = [
        dict(keypoints=np.array([[[0, t], [0, 17], [5, 5]]]), keypoints_visible=np.array([[1, v, 1]]))
        for t, v in ((3, 1), (5, 0))
    ]
    names = ['neck', 'head_top', 'left_wrist']
    fractions = peers.fit_head(joints, infos, names)
    assert fractions == dict(neck=pytest.approx(0.4), head_top=pytest.approx(1.7))
    scores = np.linspace(0.1, 0.5, 34).reshape(2, 17)
    own, sure = peers.to_dataset(joints, scores, names, fractions)
    assert own[0].tolist() == [[0, pytest.approx(4)], [0, pytest.approx(17)], [0, 0]]
    assert sure[0].tolist() == [0.1, 0.1, scores[0, peers.COCO.index('left_wrist')]]


def test_joints_that_are_neither_found_nor_derived():
    names = ['pelvis', 'neck', 'head_top', 'nose']
    infos = [
        dict(keypoints=np.zeros((1, 4, 2)), keypoints_visible=np.array([seen])) for seen in ([1, 0, 1, 1], [0] * 4)
    ]
    # nobody has a labelled neck
    assert peers.left_out(names, infos) == ['pelvis', 'neck'] and peers.left_out(names, []) == [*names[:3]]
    joints, scores = np.random.default_rng(0).uniform(size=(2, 17, 2)), np.ones((2, 17))
    fractions = peers.fit_head(joints, infos, names)
    assert set(fractions) == {'head_top'} and peers.fit_head(joints[:0], [], names) == {}
    own, sure = peers.to_dataset(joints, scores, names, fractions)
    assert not own[:, :2].any() and sure.tolist() == [[0, 0, 1, 1]] * 2
    assert np.array_equal(own[:, 3], joints[:, peers.COCO.index('nose')])
    # joints of a KeypointConverter have weights beside their visibility
    infos[0]['keypoints_visible'] = np.array([[[1, 0.5], [0, 1], [1, 1], [1, 1]]])
    assert peers.left_out(names, infos) == ['pelvis', 'neck']
