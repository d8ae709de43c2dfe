import logging

import numpy as np
import pytest

from posestructs.evaluation import strict_pcp
from tests.helpers import needs_data

# Two persons, two sticks: joints 0 to 1, and the mean of 0 and 2 to 3. Lengths: 10 and 8; 20 and 0.
ENDS = [((0,), (1,)), ((0, 2), (3,))]
GT = np.array([[[0, 0], [0, 10], [4, 0], [2, 8]], [[10, 10], [10, 30], [20, 10], [15, 10]]], float)
ALL = np.ones((2, 4), bool)


def slow_pcp(pred, gt, labelled, ends, thr):
    """(S,) right and measured, one stick of one person at a time."""
    right, measured = np.zeros(len(ends), int), np.zeros(len(ends), int)
    for n in range(len(gt)):
        for s, (a, b) in enumerate(ends):
            if not all(labelled[n, j] for j in (*a, *b)):
                continue
            true = [sum(gt[n, j] for j in end) / len(end) for end in (a, b)]
            length = float(np.sqrt(((true[0] - true[1]) ** 2).sum()))
            if length <= 1e-3:
                continue
            measured[s] += 1
            off = []
            for end, t in zip((a, b), true, strict=True):
                p = sum(pred[n, j].astype(float) for j in end) / len(end)
                off.append(float(np.sqrt(((p - t) ** 2).sum())))
            right[s] += off[0] <= thr * length and off[1] <= thr * length
    return right, measured


def stick_ends(meta):
    ids = meta['keypoint_name2id']
    names = lambda end: (end,) if isinstance(end, str) else end  # noqa: E731
    return [tuple(tuple(ids[n] for n in names(e)) for e in s['ends']) for s in meta['sticks']]


def test_both_ends_count():
    pred = GT.copy()
    pred[0, 0] = [3, 4]  # 5 of 10 off: just right; the end of the second stick moves 2.5 of 8
    assert strict_pcp(pred, GT, ALL, ENDS).correct.tolist() == [[2, 1]]
    pred[0, 0] = [3, 4.001]  # now wrong, although the loose PCP (mean of both ends: 2.5 of 10) would take it
    counts = strict_pcp(pred, GT, ALL, ENDS)
    assert counts.correct.tolist() == [[1, 1]]
    assert counts.measured.tolist() == [2, 1]  # the second person's second stick has length 0
    assert (counts.persons, counts.persons_left_out) == (2, 0)
    assert counts.per_stick().tolist() == [[50, 100]]
    assert counts.mean() == pytest.approx(75)


def test_threshold_is_exact_at_the_border():
    gt = np.array([[[0, 0], [0, 100]]], float)
    pred = gt + [[29, 0], [0, 0]]  # 29 / 100 is the float 0.29; 0.29 * 100 is below 29
    assert strict_pcp(pred, gt, np.ones((1, 2), bool), [((0,), (1,))], [0.28, 0.29]).correct.ravel().tolist() == [0, 1]


def test_unlabelled_joints_hide_only_their_sticks():
    labelled = ALL.copy()
    labelled[0, 2] = False
    gt = GT.copy()
    gt[0, 2] = np.nan  # what unlabelled joints hold must not matter
    counts = strict_pcp(GT, gt, labelled, ENDS)
    assert counts.measured.tolist() == [2, 0]
    assert np.isnan(counts.per_stick()[0, 1]) and counts.mean() == 100  # a stick never measured is not in the mean


def test_predictions_that_are_not_finite_are_wrong():
    pred = GT.copy()
    pred[0, 0], pred[0, 2] = np.nan, [np.inf, -np.inf]
    with np.errstate(all='raise'):
        assert strict_pcp(pred, GT, ALL, ENDS).correct.tolist() == [[1, 0]]


@needs_data
@pytest.mark.parametrize('noise', [2.0, 8.0, 25.0])
def test_equals_a_loop_over_lsp(lsp_joints, lsp_meta, noise):
    rng = np.random.default_rng(0)
    gt = lsp_joints[1000:1200, :, :2]
    pred = (gt + rng.normal(0, noise, gt.shape)).astype(np.float32)
    labelled = rng.random(gt.shape[:2]) < 0.9
    thresholds = (0.1, 0.2, 0.5, 1.0)
    fast = strict_pcp(pred, gt, labelled, stick_ends(lsp_meta), thresholds)
    for t, thr in enumerate(thresholds):
        right, measured = slow_pcp(pred, gt, labelled, stick_ends(lsp_meta), thr)
        np.testing.assert_array_equal(fast.correct[t], right)
        np.testing.assert_array_equal(fast.measured, measured)
    assert 0 < fast.correct[2].sum() < fast.measured.sum()  # the comparison is about something


@needs_data
def test_invariances_on_lsp(lsp_joints, lsp_meta):
    rng = np.random.default_rng(1)
    gt = lsp_joints[1000:, :, :2]
    pred = gt + rng.normal(0, 10, gt.shape)
    labelled = np.ones(gt.shape[:2], bool)
    thresholds = np.arange(1, 21) / 20
    counts = strict_pcp(pred, gt, labelled, stick_ends(lsp_meta), thresholds)
    assert (np.diff(counts.correct, axis=0) >= 0).all()
    turn = 3.7 * np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])  # turned, larger, elsewhere
    moved = strict_pcp(pred @ turn + 64, gt @ turn + 64, labelled, stick_ends(lsp_meta), thresholds)
    np.testing.assert_array_equal(moved.correct, counts.correct)
    order = rng.permutation(len(gt))
    again = strict_pcp(pred[order], gt[order], labelled, stick_ends(lsp_meta), thresholds)
    np.testing.assert_array_equal(again.correct, counts.correct)
    np.testing.assert_array_equal(strict_pcp(gt, gt, labelled, stick_ends(lsp_meta), 0.5).per_stick(), 100)


@needs_data
def test_lsp_table(lsp_joints, lsp_meta, samples_of, evaluate):
    """Right arms wrong, left arms right: groups average the sides, the mean weighs each of the 10 sticks once."""
    gt = lsp_joints[1000:, :, :2]
    pred = gt.copy()
    pred[:, 6] += 1000  # right wrist
    out = evaluate([dict(type='StrictPCP')], lsp_meta, samples_of(pred, gt))
    assert {k.split('/')[-1] for k in out} == {
        'StrictPCP@0.5', 'head', 'torso', 'upper_arm', 'lower_arm', 'upper_leg', 'lower_leg', 'sticks',
        'sticks_left_out', 'people', 'people_left_out',
    }  # fmt: skip
    assert out['StrictPCP@0.5/lower_arm'] == 50
    assert out['StrictPCP@0.5/upper_arm'] == out['StrictPCP@0.5/head'] == out['StrictPCP@0.5/lower_leg'] == 100
    assert out['StrictPCP@0.5'] == pytest.approx(90)
    # Two legs of LSP's 1,000 test persons have their two joints at the same place.
    assert (out['StrictPCP@0.5/sticks'], out['StrictPCP@0.5/sticks_left_out']) == (9998, 2)
    assert (out['StrictPCP@0.5/people'], out['StrictPCP@0.5/people_left_out']) == (1000, 0)


@needs_data
def test_lspe_leaves_out_what_is_unlabelled(lspe_joints, lsp_meta, samples_of, evaluate):
    gt, labelled = lspe_joints[..., :2], lspe_joints[..., 2] > 0
    rng = np.random.default_rng(2)
    pred = gt + rng.normal(0, 15, gt.shape)
    samples = samples_of(pred, gt, labelled)
    out = evaluate([dict(type='StrictPCP', thr=[0.3, 0.5])], lsp_meta, samples)
    packed = [
        np.concatenate([s.to_dict()[p]['keypoints'] for s in samples]) for p in ('pred_instances', 'gt_instances')
    ]
    for thr in (0.3, 0.5):
        right, measured = slow_pcp(*packed, labelled, stick_ends(lsp_meta), thr)
        rates = 100 * right / measured
        assert out[f'StrictPCP@{thr}'] == pytest.approx(rates.mean(), abs=1e-9)
        assert out[f'StrictPCP@{thr}/upper_arm'] == pytest.approx(rates[2:4].mean(), abs=1e-9)
    assert out['StrictPCP@0.3/sticks'] == measured.sum() == 10000 - out['StrictPCP@0.3/sticks_left_out']
    assert measured.sum() < 9500


@needs_data
def test_flic_has_six_sticks(flic, samples_of, evaluate):
    """Raw joints and the paper's ten-joint body, whose neck is the mean of the shoulders, give the same PCP."""
    from posestructs.structures.metainfo import load_metainfo, metainfo_file

    gt, labelled, meta = flic
    pred = gt + np.random.default_rng(5).normal(0, 12, gt.shape)
    body = load_metainfo(dict(from_file=metainfo_file('flic')))
    ids = meta['keypoint_name2id']
    columns = [ids.get(name) for name in body['keypoint_name2id']]
    shoulders = [ids['left_shoulder'], ids['right_shoulder']]

    def ten(x):
        return np.stack([x[:, shoulders].mean(1) if c is None else x[:, c] for c in columns], 1)

    raw = evaluate([dict(type='StrictPCP')], meta, samples_of(pred, gt, labelled))
    right, measured = slow_pcp(pred.astype(np.float32), gt.astype(np.float32), labelled, stick_ends(meta), 0.5)
    assert raw['StrictPCP@0.5'] == pytest.approx((100 * right / measured).mean(), abs=1e-9)
    assert raw['StrictPCP@0.5/sticks'] == 6 * 1016 and 20 < raw['StrictPCP@0.5/lower_arm'] < raw['StrictPCP@0.5/torso']
    assert evaluate([dict(type='StrictPCP')], body, samples_of(ten(pred), ten(gt))) == raw


def person(labelled):
    gt = np.random.default_rng(3).random((len(labelled), 14, 2)) * 100
    return gt, np.asarray(labelled, float)


def test_persons_without_a_stick_are_counted(lsp_meta, samples_of, evaluate):
    labelled = np.zeros((3, 14))
    labelled[0] = 1
    labelled[1, [10, 11]] = 1  # left lower arm only; the third person has nothing
    gt, labelled = person(labelled)
    out = evaluate([dict(type='StrictPCP')], lsp_meta, samples_of(gt, gt, labelled))
    assert (out['StrictPCP@0.5/people'], out['StrictPCP@0.5/people_left_out']) == (2, 1)
    assert (out['StrictPCP@0.5/sticks'], out['StrictPCP@0.5/sticks_left_out']) == (11, 19)


def test_groups_never_measured_are_not_in_the_result(lsp_meta, samples_of, evaluate, logged):
    labelled = np.zeros((2, 14))
    labelled[:, [10, 11]] = 1
    gt, labelled = person(labelled)
    pred = gt.copy()
    pred[1, 11] += 1000
    out = evaluate([dict(type='StrictPCP')], lsp_meta, samples_of(pred, gt, labelled))
    assert out['StrictPCP@0.5'] == out['StrictPCP@0.5/lower_arm'] == 50  # not 5: nine sticks are unknown, not wrong
    assert 'StrictPCP@0.5/head' not in out
    assert "['head', 'torso', 'upper_arm', 'upper_leg', 'lower_leg']" in logged(logging.WARNING)
    assert not any(np.isnan(v) for v in out.values())


def test_nothing_to_measure_raises(lsp_meta, samples_of, evaluate):
    gt, labelled = person(np.zeros((2, 14)))
    with pytest.raises(ValueError, match='StrictPCP: nothing to measure: none of 2 persons'):
        evaluate([dict(type='StrictPCP')], lsp_meta, samples_of(gt, gt, labelled))


def test_the_table_is_logged(lsp_meta, samples_of, evaluate, logged):
    gt, labelled = person(np.ones((2, 14)))
    evaluate([dict(type='StrictPCP')], lsp_meta, samples_of(gt, gt, labelled))
    assert '| StrictPCP@0.5 | 100.0 | 100.0 |' in logged(logging.INFO)
    assert '| head | torso |' in ' '.join(logged(logging.INFO).split())


def test_a_data_set_without_sticks_says_how_to_give_them(crowdpose_meta, evaluate, samples_of):
    with pytest.raises(
        ValueError, match=r"'crowdpose' has no 'sticks'.*sticks=\[dict\(name='upper_arm'.*left_shoulder"
    ):
        evaluate([dict(type='StrictPCP')], crowdpose_meta, [])
    sticks = [dict(name='arm', side='left', ends=('left_shoulder', ['left_elbow', 'left_wrist']))]
    gt = np.random.default_rng(4).random((3, 14, 2)) * 50
    pred = gt.copy()
    pred[0, 2] += 500  # left elbow, half of an end's mean
    out = evaluate([dict(type='StrictPCP', sticks=sticks)], crowdpose_meta, samples_of(pred, gt))
    assert out['StrictPCP@0.5/arm'] == pytest.approx(200 / 3)


@pytest.mark.parametrize('thr', [0, -1, [], [0.5, 0.5], 'half', float('nan'), float('inf'), [0.5, None]])
def test_bad_thresholds_fail_at_build(thr):
    from mmpose.registry import METRICS

    with pytest.raises(ValueError, match='StrictPCP.thr=.*, allowed: one or more different'):
        METRICS.build(dict(type='StrictPCP', thr=thr))
