import numpy as np
import pytest

from posestructs.evaluation import pair_length, torso_pck
from tests.helpers import needs_data

PAIR = (9, 2)  # LSP: left shoulder, right hip


def slow_torso_pck(pred, gt, labelled, thr):
    right, measured = np.zeros(14, int), np.zeros(14, int)
    for n in range(len(gt)):
        if not (labelled[n, 9] and labelled[n, 2]):
            continue
        torso = float(np.sqrt(((gt[n, 9].astype(float) - gt[n, 2].astype(float)) ** 2).sum()))
        for k in range(14):
            if labelled[n, k]:
                measured[k] += 1
                off = float(np.sqrt(((pred[n, k].astype(float) - gt[n, k].astype(float)) ** 2).sum()))
                right[k] += off <= thr * torso
    return right, measured


def test_pair_length_by_hand():
    gt = np.array([[[0, 0], [3, 4]], [[1, 1], [1, 1]], [[0, 0], [3, 4]]], np.float32)
    labelled = np.array([[1, 1], [1, 1], [1, 0]], bool)
    np.testing.assert_array_equal(pair_length(gt, labelled, (0, 1)), [5, 0, np.nan])


@needs_data
def test_equals_a_loop_over_lspe(lspe_joints, lsp_meta, samples_of, evaluate):
    rng = np.random.default_rng(0)
    gt, labelled = lspe_joints[..., :2], (lspe_joints[..., 2] > 0) & (rng.random((1000, 14)) < 0.97)
    pred = gt + rng.normal(0, 7, gt.shape)
    samples = samples_of(pred, gt, labelled)
    out = evaluate([dict(type='TorsoPCK', thr=[0.1, 0.2])], lsp_meta, samples)
    packed = [
        np.concatenate([s.to_dict()[p]['keypoints'] for s in samples]) for p in ('pred_instances', 'gt_instances')
    ]
    torsos = labelled[:, 9] & labelled[:, 2]
    assert 900 < torsos.sum() < 970
    for thr in (0.1, 0.2):
        right, measured = slow_torso_pck(*packed, labelled, thr)
        rates = 100 * right / measured
        assert out[f'TorsoPCK@{thr}'] == pytest.approx(100 * right.sum() / measured.sum(), abs=1e-9)
        assert out[f'TorsoPCK@{thr}/elbow'] == pytest.approx((rates[7] + rates[10]) / 2, abs=1e-9)
        assert out[f'TorsoPCK@{thr}/head'] == pytest.approx((rates[12] + rates[13]) / 2, abs=1e-9)
    assert out['TorsoPCK@0.1/joints'] == measured.sum()
    assert out['TorsoPCK@0.1/people'] == torsos.sum() == 1000 - out['TorsoPCK@0.1/people_left_out']
    assert 20 < out['TorsoPCK@0.1'] < out['TorsoPCK@0.2'] < 95


@needs_data
def test_the_pair_decides(lsp_joints):
    """Joints off by 0.25 of the torso diagonal of LSP; mmpose's joints 4 and 5 would measure a shin."""
    gt = lsp_joints[..., :2]
    labelled = np.ones(gt.shape[:2], bool)
    torso = np.linalg.norm(gt[:, 9] - gt[:, 2], axis=-1)
    pred = gt + np.stack([0.25 * torso, np.zeros_like(torso)], -1)[:, None]
    counts = torso_pck(pred, gt, labelled, PAIR, [0.2499, 0.2501])
    assert counts.mean().tolist() == [0, 100]
    assert 5 < torso_pck(pred, gt, labelled, (4, 5), 0.2501).mean()[0] < 95


@needs_data
def test_lsp_has_a_torso_for_everyone(lsp_joints):
    gt = lsp_joints[..., :2]
    counts = torso_pck(gt, gt, np.ones(gt.shape[:2], bool), PAIR)
    assert (counts.persons, counts.persons_left_out, counts.mean()[0]) == (2000, 0, 100)


@needs_data
def test_invariances_on_lsp(lsp_joints):
    rng = np.random.default_rng(3)
    gt = lsp_joints[:500, :, :2]
    labelled = np.ones(gt.shape[:2], bool)
    pred = gt + rng.normal(0, 10, gt.shape)
    thresholds = np.arange(1, 21) / 20
    counts = torso_pck(pred, gt, labelled, PAIR, thresholds).correct
    turn = 0.3 * np.array([[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]])
    np.testing.assert_array_equal(torso_pck(pred @ turn - 9, gt @ turn - 9, labelled, PAIR, thresholds).correct, counts)
    assert (np.diff(counts, axis=0) >= 0).all()


def test_two_thresholds_in_two_metrics_do_not_collide(lsp_meta, samples_of, evaluate):
    gt = np.random.default_rng(1).random((5, 14, 2)) * 100
    samples = samples_of(gt + 7, gt)
    apart = evaluate([dict(type='TorsoPCK', thr=t) for t in (0.1, 0.2)], lsp_meta, samples)
    both = evaluate([dict(type='TorsoPCK', thr=[0.1, 0.2])], lsp_meta, samples)
    assert {k: apart[k] for k in both} == both and set(apart) - set(both) == {
        f'TorsoPCK@0.2/{count}' for count in ('joints', 'people', 'people_left_out')
    }
    named = evaluate([dict(type='TorsoPCK', prefix=p) for p in ('a', 'b')], lsp_meta, samples)
    assert named['a/TorsoPCK@0.2'] == named['b/TorsoPCK@0.2'] == apart['TorsoPCK@0.2']


def test_a_foreign_data_set_needs_a_pair(crowdpose_meta, samples_of, evaluate):
    with pytest.raises(ValueError, match=r"'crowdpose' has no 'torso_pair'.*=\('left_shoulder', 'right_hip'\)"):
        evaluate([dict(type='TorsoPCK')], crowdpose_meta, [])
    gt = np.random.default_rng(2).random((3, 14, 2)) * 100
    pred = gt.copy()
    pred[:, 4] += 1000  # left wrist
    config = dict(type='TorsoPCK', torso_pair=('left_shoulder', 'right_hip'))
    out = evaluate([config], crowdpose_meta, samples_of(pred, gt))
    # it declares no joint groups: mirrored joints share a column
    assert out['TorsoPCK@0.2/wrist'] == 50 and out['TorsoPCK@0.2/top_head'] == 100
    assert out['TorsoPCK@0.2'] == pytest.approx(100 * 13 / 14)


def test_nothing_to_measure_raises(lsp_meta, samples_of, evaluate):
    gt = np.random.default_rng(4).random((3, 14, 2)) * 100
    labelled = np.ones((3, 14))
    labelled[:, 2] = 0
    with pytest.raises(ValueError, match='TorsoPCK: nothing to measure: 3 of 3 persons have no reference length'):
        evaluate([dict(type='TorsoPCK')], lsp_meta, samples_of(gt, gt, labelled))
