import logging

import numpy as np
import pytest
from mmpose.registry import METRICS

from posestructs.evaluation import split_masks
from tests.helpers import needs_data

SPLIT = dict(type='OcclusionSplitPCK', base=dict(type='TorsoPCK'))
KEY = 'TorsoPCK@0.2'


def slow_split(pred, gt, labelled, occluded, reference, thr):
    """{0 visible, 1 occluded: (right, measured)}, one joint at a time."""
    tally = {0: [0, 0], 1: [0, 0], -1: [0, 0]}
    for n in range(len(gt)):
        for k in range(gt.shape[1]):
            if labelled[n, k] and reference[n] > 1e-3:
                off = float(np.sqrt(((pred[n, k].astype(float) - gt[n, k].astype(float)) ** 2).sum()))
                tally[int(occluded[n, k])][0] += off / reference[n] <= thr
                tally[int(occluded[n, k])][1] += 1
    return tally


def packed(samples, part='gt_instances'):
    return np.concatenate([s.to_dict()[part]['keypoints'] for s in samples]).astype(float)


def test_masks_by_hand():
    parts = split_masks([[1, 1, 1, 0, 0]], [[0, 1, -1, 0, 1]])
    assert {k: v.astype(int).tolist() for k, v in parts.items()} == {
        'visible': [[1, 0, 0, 0, 0]], 'occluded': [[0, 1, 0, 0, 0]], 'unknown': [[0, 0, 1, 0, 0]],
    }  # fmt: skip
    with pytest.raises(ValueError, match=r'keypoints_occluded=\[2.0\], allowed: 0, 1, -1'):
        split_masks([[1, 1]], [[0.0, 2.0]])


@needs_data
def test_lsp_truth(lsp_joints, lsp_meta, samples_of, evaluate):
    """LSP's own flags: 7.3 % of 28,000 joints occluded; predictions made worse there."""
    gt, occluded = lsp_joints[..., :2], lsp_joints[..., 2]
    rng = np.random.default_rng(0)
    pred = gt + rng.normal(0, 1, gt.shape) * np.where(occluded, 25, 8)[..., None]
    samples = samples_of(pred, gt, keypoints_occluded=occluded.astype(np.float32))
    out = evaluate([SPLIT, dict(type='TorsoPCK')], lsp_meta, samples)
    visible, hidden = (out[f'{side}/{KEY}/joints'] for side in ('visible', 'occluded'))
    assert visible + hidden == out[f'{KEY}/joints'] == 28000 and round(100 * hidden / 28000, 1) == 7.3
    assert out[f'unknown/{KEY}/joints'] == 0
    total = (visible * out[f'visible/{KEY}'] + hidden * out[f'occluded/{KEY}']) / 28000
    assert total == pytest.approx(out[KEY], abs=1e-9)
    assert out[f'occluded/{KEY}'] < out[f'visible/{KEY}'] - 20
    pairs = packed(samples)
    reference = np.linalg.norm(pairs[:, 9] - pairs[:, 2], axis=-1)
    tally = slow_split(packed(samples, 'pred_instances'), pairs, np.ones((2000, 14)), occluded, reference, 0.2)
    assert out[f'visible/{KEY}'] == pytest.approx(100 * tally[0][0] / tally[0][1], abs=1e-9)
    assert out[f'occluded/{KEY}'] == pytest.approx(100 * tally[1][0] / tally[1][1], abs=1e-9)


@needs_data
def test_mpii_hourglass(mpii, mpii_meta, samples_of, evaluate):
    """Published predictions with MPII's true visibility: 23.2 % of the labelled joints, and the harder ones."""
    labelled, occluded = mpii['labelled'], mpii['keypoints_occluded'] > 0
    assert round(100 * occluded.sum() / labelled.sum(), 1) == 23.2
    samples = samples_of(**mpii)
    base = dict(type='HeadPCK', offset=1.0, exclude=['pelvis', 'thorax'])
    out = evaluate([dict(type='OcclusionSplitPCK', base=base), dict(type='MpiiPCKAccuracy')], mpii_meta, samples)
    visible, hidden = (out[f'{side}/HeadPCK@0.5/joints'] for side in ('visible', 'occluded'))
    outer = [k for k in range(16) if k not in (6, 7)]
    assert hidden == occluded[:, outer].sum() and visible + hidden == labelled[:, outer].sum()
    total = visible * out['visible/HeadPCK@0.5'] + hidden * out['occluded/HeadPCK@0.5']
    assert total / (visible + hidden) == pytest.approx(float(out['PCK']), abs=0.005)
    assert round(total / (visible + hidden), 2) == 87.30
    # The gap that method 2 of this project is about.
    for joint in ('elbow', 'wrist', 'knee'):
        assert out[f'occluded/HeadPCK@0.5/{joint}'] < out[f'visible/HeadPCK@0.5/{joint}'] - 10


@pytest.mark.parametrize('base', [dict(type='HeadPCK'), dict(type='BoxPCK', thr=0.05), dict(type='TorsoPCK', thr=0.3)])
def test_every_reference(base, lsp_meta, samples_of, evaluate):
    rng = np.random.default_rng(1)
    gt = rng.random((60, 14, 2)) * 100
    pred = gt + rng.normal(0, 6, gt.shape)
    labelled, occluded = (rng.random((60, 14)) < 0.9), rng.choice([0, 1, -1], (60, 14))
    head, boxes = 5 + 20 * rng.random((60, 1)), np.tile([0.0, 0, 100, 130], (60, 1))
    samples = samples_of(pred, gt, labelled, keypoints_occluded=occluded, head_size=head, bboxes=boxes)
    pairs = packed(samples)
    reference = {
        'HeadPCK': head[:, 0],
        'BoxPCK': np.full(60, 130.0),
        'TorsoPCK': np.where(
            labelled[:, 9] & labelled[:, 2], np.linalg.norm(pairs[:, 9] - pairs[:, 2], axis=-1), np.nan
        ),
    }[base['type']]
    stem = f'{base["type"]}@{base.get("thr", 0.5):g}'
    out = evaluate([dict(type='OcclusionSplitPCK', base=base)], lsp_meta, samples)
    pred = packed(samples, 'pred_instances')
    tally = slow_split(pred, pairs, labelled, occluded, reference, base.get('thr', 0.5))
    for side, flag in (('visible', 0), ('occluded', 1)):
        assert out[f'{side}/{stem}'] == pytest.approx(100 * tally[flag][0] / tally[flag][1], abs=1e-9)
        assert out[f'{side}/{stem}/joints'] == tally[flag][1]
    assert out[f'unknown/{stem}/joints'] == tally[-1][1] > 0
    assert 5 < out[f'occluded/{stem}'] < 95


def few(occluded):
    gt = np.random.default_rng(2).random((len(occluded), 14, 2)) * 100
    return gt, gt + 5


def test_the_torso_is_measured_even_where_it_is_hidden(lsp_meta, samples_of, evaluate):
    occluded = np.zeros((3, 14))
    occluded[:, [2, 9]] = 1  # right hip, left shoulder
    gt, pred = few(occluded)
    out = evaluate([SPLIT], lsp_meta, samples_of(pred, gt, keypoints_occluded=occluded))
    assert out[f'visible/{KEY}/joints'] == 36 and out[f'occluded/{KEY}/joints'] == 6
    assert out[f'visible/{KEY}/people_left_out'] == out[f'occluded/{KEY}/people_left_out'] == 0


def test_samples_without_the_field_are_unknown(lsp_meta, samples_of, evaluate):
    occluded = [np.ones(14), None, np.zeros(14)]
    gt, pred = few(occluded)
    samples = samples_of(pred, gt, keypoints_occluded=occluded)
    assert 'keypoints_occluded' not in samples[1].gt_instances
    out = evaluate([SPLIT], lsp_meta, samples)
    assert [out[f'{part}/{KEY}/joints'] for part in ('visible', 'occluded', 'unknown')] == [14, 14, 14]


@pytest.mark.parametrize(('value', 'reported'), [(None, 'is in no data sample'), (-1.0, r'has only -1 \(not known\)')])
def test_no_truth_raises_and_names_the_field(value, reported, lsp_meta, samples_of, evaluate):
    gt, pred = few(range(3))
    fields = {} if value is None else dict(keypoints_occluded=np.full((3, 14), value))
    with pytest.raises(ValueError, match=f'there are no occlusion labels: gt_instances.keypoints_occluded {reported}'):
        evaluate([SPLIT], lsp_meta, samples_of(pred, gt, **fields))


def test_a_side_without_joints_has_only_counts(lsp_meta, samples_of, evaluate, logged):
    gt, pred = few(range(3))
    out = evaluate([SPLIT], lsp_meta, samples_of(pred, gt, keypoints_occluded=np.zeros((3, 14))))
    assert out[f'occluded/{KEY}/joints'] == 0 and f'occluded/{KEY}' not in out
    assert out[f'visible/{KEY}/joints'] == 42
    assert 'no occluded joint was measured' in logged(logging.WARNING)
    assert all(np.isfinite(v) for v in out.values())


def test_it_splits_a_curve_too(tmp_path, lsp_meta, samples_of, evaluate):
    rng = np.random.default_rng(3)
    gt, pred = few(range(20))
    samples = samples_of(pred, gt, keypoints_occluded=(rng.random((20, 14)) < 0.3).astype(float))
    base = dict(type='PDJ', out_dir=str(tmp_path))
    out = evaluate([dict(type='OcclusionSplitPCK', base=base)], lsp_meta, samples)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        'pdj_occluded.csv', 'pdj_occluded.png', 'pdj_visible.csv', 'pdj_visible.png',
    ]  # fmt: skip
    assert 0 < out['occluded/PDJ/AUC'] < 100 and out['unknown/PDJ@0.1/joints'] == 0


def test_wrong_values_and_shapes_raise(lsp_meta, samples_of, evaluate):
    gt, pred = few(range(2))
    with pytest.raises(ValueError, match=r'keypoints_occluded=\[0.5\], allowed: 0, 1, -1'):
        evaluate([SPLIT], lsp_meta, samples_of(pred, gt, keypoints_occluded=np.full((2, 14), 0.5)))
    with pytest.raises(ValueError, match=r'keypoints_occluded.shape=\(1, 16\), allowed: \(1, 14\)'):
        evaluate([SPLIT], lsp_meta, samples_of(pred, gt, keypoints_occluded=np.zeros((2, 16))))


def test_bad_base_fails_at_build():
    with pytest.raises(TypeError, match="base=.*allowed: the config of a PCK.*type='HeadPCK', thr=0.5, offset=1.0"):
        METRICS.build(dict(type='OcclusionSplitPCK', base=dict(type='MpiiPCKAccuracy')))
    with pytest.raises(ValueError, match="give prefix='a' to OcclusionSplitPCK"):
        METRICS.build(dict(type='OcclusionSplitPCK', base=dict(type='TorsoPCK', prefix='a')))
