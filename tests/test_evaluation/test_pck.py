import logging

import numpy as np
import pytest
from mmpose.registry import METRICS

from posestructs.evaluation import JointCounts, joint_counts


def slow_pck(pred, gt, labelled, reference, thr, subset=None):
    """(K,) right and measured, one joint of one person at a time."""
    right, measured = np.zeros(gt.shape[1], int), np.zeros(gt.shape[1], int)
    for n in range(len(gt)):
        for k in range(gt.shape[1]):
            if not labelled[n, k] or not reference[n] > 1e-3 or (subset is not None and not subset[n, k]):
                continue
            measured[k] += 1
            dx, dy = float(pred[n, k, 0]) - float(gt[n, k, 0]), float(pred[n, k, 1]) - float(gt[n, k, 1])
            right[k] += (dx * dx + dy * dy) ** 0.5 / reference[n] <= thr
    return right, measured


def test_hand_made():
    # Three persons, two joints, references 10, 20 and none; offsets in pixels below.
    gt = np.zeros((3, 2, 2))
    pred = np.array([[[2, 0], [0, 2.001]], [[0, -4], [3, 4]], [[0, 0], [0, 0]]], float)
    counts = joint_counts(pred, gt, np.ones((3, 2), bool), [10, 20, np.nan], [0.2, 0.25])
    # 0.2: 2/10 and 4/20 are right (at the border), 2.001/10 and 5/20 wrong; 0.25: all four right
    assert counts.correct.tolist() == [[2, 0], [2, 2]]
    assert counts.measured.tolist() == [2, 2]
    assert (counts.persons, counts.persons_left_out) == (2, 1)
    assert counts.per_joint().tolist() == [[100, 0], [100, 100]]
    assert counts.mean().tolist() == [50, 100]


def test_group_weighs_sides_and_mean_weighs_labels():
    counts = JointCounts(np.array([[1, 8, 0]]), np.array([2, 8, 0]), 8, 0)
    assert counts.group([0, 1]) == pytest.approx(75)  # (50 + 100) / 2
    assert counts.mean() == pytest.approx(90)  # 9 of 10
    assert counts.mean([0]) == pytest.approx(50)
    assert counts.group([0, 2]) == pytest.approx(50)  # joint 2 was never measured: unknown, not wrong
    assert counts.group([2]) is None and counts.mean([2]) is None
    assert np.isnan(counts.per_joint()[0, 2])


@pytest.mark.parametrize('reference', [0.0, 1e-3, -1.0, np.nan])
def test_persons_without_a_reference_are_left_out(reference):
    gt = np.zeros((2, 3, 2))
    with np.errstate(all='raise'):
        counts = joint_counts(gt, gt, np.ones((2, 3), bool), [reference, 5], [0.2])
    assert counts.measured.tolist() == [1, 1, 1]
    assert (counts.persons, counts.persons_left_out) == (1, 1)


def test_persons_without_a_label_are_left_out_and_their_coordinates_ignored():
    gt = np.zeros((2, 3, 2))
    labelled = np.array([[0, 0, 0], [1, 0, 1]], bool)
    gt[~labelled] = np.nan
    with np.errstate(all='raise'):
        counts = joint_counts(np.zeros_like(gt), gt, labelled, [5, 5], [0.2])
    assert counts.correct.tolist() == [[1, 0, 1]]
    assert (counts.persons, counts.persons_left_out) == (1, 1)


def test_predictions_that_are_not_finite_are_wrong():
    pred = np.array([[[np.nan, 0], [np.inf, -np.inf], [0, 0]]])
    with np.errstate(all='raise'):
        counts = joint_counts(pred, np.zeros((1, 3, 2)), np.ones((1, 3), bool), [5], [1e6])
    assert counts.correct.tolist() == [[0, 0, 1]]
    assert counts.measured.tolist() == [1, 1, 1]


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_equals_a_loop(dtype):
    rng = np.random.default_rng(0)
    gt = (rng.random((300, 7, 2)) * 200).astype(dtype)
    pred = (gt + rng.normal(0, 12, gt.shape)).astype(dtype)
    labelled, subset = rng.random((2, 300, 7)) < 0.7
    reference = rng.random(300) * 80
    reference[:20], reference[20:30] = 0, np.nan
    thresholds = [0.05, 0.2, 0.5]
    fast, part = (joint_counts(pred, gt, labelled, reference, thresholds, s) for s in (None, subset))
    for i, thr in enumerate(thresholds):
        for counts, chosen in ((fast, None), (part, subset)):
            right, measured = slow_pck(pred, gt, labelled, reference, thr, chosen)
            np.testing.assert_array_equal(counts.correct[i], right)
            np.testing.assert_array_equal(counts.measured, measured)
    assert part.persons_left_out == fast.persons_left_out  # a subset leaves nobody out
    assert (np.diff(fast.correct, axis=0) >= 0).all() and 0 < fast.correct[1].sum() < fast.measured.sum()
    turn = 2.5 * np.array([[0.6, -0.8], [0.8, 0.6]])
    wide = [x.astype(float) @ turn + 40 for x in (pred, gt)]
    np.testing.assert_array_equal(joint_counts(*wide, labelled, 2.5 * reference, thresholds).correct, fast.correct)


def test_exclude_changes_the_mean_but_no_group(coco_meta, samples_of, evaluate):
    gt = np.random.default_rng(1).random((4, 17, 2)) * 100
    pred = gt.copy()
    pred[:, 0] += 1000  # nose
    config = dict(type='BoxPCK', thr=0.1)
    samples = samples_of(pred, gt, bboxes=np.tile([0.0, 0, 50, 80], (4, 1)))
    plain = evaluate([config], coco_meta, samples)
    without = evaluate([config | dict(exclude=['nose'])], coco_meta, samples)
    assert plain['BoxPCK@0.1'] == pytest.approx(100 * 16 / 17) and plain['BoxPCK@0.1/joints'] == 68
    assert without['BoxPCK@0.1'] == 100 and without['BoxPCK@0.1/joints'] == 64
    assert without['BoxPCK@0.1/nose'] == plain['BoxPCK@0.1/nose'] == 0


def test_groups_never_measured_are_named_and_not_in_the_result(coco_meta, samples_of, evaluate, logged):
    labelled = np.ones((4, 17))
    labelled[:, [15, 16]] = 0
    gt = np.random.default_rng(2).random((4, 17, 2)) * 100
    out = evaluate(
        [dict(type='BoxPCK')], coco_meta, samples_of(gt, gt, labelled, bboxes=np.tile([0.0, 0, 9, 9], (4, 1)))
    )
    assert "['ankle']" in logged(logging.WARNING)
    assert 'BoxPCK@0.05/ankle' not in out and out['BoxPCK@0.05/knee'] == 100
    assert all(np.isfinite(v) for v in out.values())


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='TorsoPCK', thr=0), 'TorsoPCK.thr=0, allowed: one or more different'),
        (dict(type='TorsoPCK', min_length=0), 'TorsoPCK.min_length=0, allowed: a finite number above 0'),
        (dict(type='TorsoPCK', exclude='pelvis'), "TorsoPCK.exclude='pelvis', allowed: a list of joint names"),
        (dict(type='TorsoPCK', torso_pair=('left_hip',)), 'torso_pair=.*, allowed: two different joint names'),
        (
            dict(type='TorsoPCK', torso_pair=('left_hip', 'left_hip')),
            'TorsoPCK.torso_pair=.*, allowed: two different joint names',
        ),
        (dict(type='TorsoPCK', torso_pair=(9, 2)), r'TorsoPCK.torso_pair=\(9, 2\), allowed: two different joint names'),
    ],
)
def test_bad_config_fails_at_build(config, message):
    with pytest.raises(ValueError, match=message):
        METRICS.build(config)


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(exclude=['pelvis']), r"TorsoPCK: exclude names \['pelvis'\], which the data set does not have"),
        (dict(torso_pair=('l_shoulder', 'right_hip')), r"torso_pair names \['l_shoulder'\].*'left_shoulder'"),
        (dict(joint_groups=dict(arm=['left_elbo'])), r"joint_groups\['arm'\] names \['left_elbo'\]"),
        (dict(joint_groups=dict(people=['left_elbow'])), "joint_groups has a group 'people'"),
    ],
)
def test_unknown_joints_fail_before_the_first_image(lsp_meta, evaluate, config, message):
    with pytest.raises(ValueError, match=message):
        evaluate([dict(type='TorsoPCK') | config], lsp_meta, [])
