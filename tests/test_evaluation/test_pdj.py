import csv
import os

import cv2
import numpy as np
import pytest
from mmpose.registry import METRICS

from posestructs.evaluation import pdj_curve, torso_pck, write_curves
from posestructs.evaluation.pdj import CURVE, area
from tests.helpers import needs_data


def test_curve_points_are_the_nearest_floats():
    assert [CURVE[i] for i in (0, 1, 7, 29, 50)] == [0, 0.01, 0.07, 0.29, 0.5] and len(CURVE) == 51


def test_area_by_hand():
    assert area(np.full(51, 100.0)) == pytest.approx(100)
    assert area(np.linspace(0, 100, 51)) == pytest.approx(50)
    step = np.where(np.arange(51) >= 25, 100.0, 0)  # wrong below 0.25, right from there on
    assert area(step) == pytest.approx(51)  # 25 whole trapezoids and one half of 50
    np.testing.assert_allclose(area(step), 100 * np.sum((step[1:] + step[:-1]) / 2 * 0.01) / 100 / 0.5)


def test_curve_by_hand():
    # Torso 0 to 1 of length 100; joint 2 is off by 7, joint 3 by 60; joint 1 exactly right, joint 0 not labelled right
    gt = np.array([[[0, 0], [100, 0], [50, 50], [10, 10]]], float)
    pred = gt + [[0, 0], [0, 0], [0, 7], [60, 0]]
    curve = pdj_curve(pred, gt, np.ones((1, 4), bool), (0, 1))
    assert curve.per_joint()[:, 2].tolist() == [0.0] * 7 + [100.0] * 44
    assert curve.mean()[[0, 6, 7, 50]].tolist() == [50, 50, 75, 75]


@needs_data
def test_flic(flic, samples_of, evaluate):
    """FLIC's validation persons; wrists get twice the noise."""
    gt, labelled, meta = flic
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 10, gt.shape) * np.where(np.isin(np.arange(11), [2, 5]), 2, 1)[:, None]
    out = evaluate([dict(type='PDJ')], meta, samples_of(gt + noise, gt, labelled))
    packed_gt, packed_pred = gt.astype(np.float32).astype(float), (gt + noise).astype(np.float32).astype(float)
    off = np.linalg.norm(packed_pred - packed_gt, axis=-1)
    ratio = off / np.linalg.norm(packed_gt[:, 0] - packed_gt[:, 7], axis=-1)[:, None]
    for thr in (0.1, 0.2):
        assert out[f'PDJ@{thr}/wrist'] == pytest.approx(100 * (ratio[:, [2, 5]] <= thr).mean(), abs=1e-9)
        assert out[f'PDJ@{thr}'] == pytest.approx(100 * (ratio <= thr).mean(), abs=1e-9)
    elbows = [100 * (ratio[:, [1, 4]] <= t).mean() for t in CURVE]
    assert out['PDJ/AUC/elbow'] == pytest.approx(area(np.array(elbows)), abs=1e-9)
    assert out['PDJ/AUC/wrist'] < out['PDJ/AUC/elbow'] < 100
    assert out['PDJ@0.1/people'] == 1016


@needs_data
def test_values_are_torso_pck_and_the_curve_is_monotone(lspe_joints, lsp_meta, samples_of, evaluate):
    gt, labelled = lspe_joints[..., :2], lspe_joints[..., 2] > 0
    pred = gt + np.random.default_rng(1).normal(0, 15, gt.shape)
    samples = samples_of(pred, gt, labelled)
    out = evaluate([dict(type='PDJ'), dict(type='TorsoPCK', thr=[0.1, 0.2])], lsp_meta, samples)
    assert out['PDJ@0.2'] == out['TorsoPCK@0.2'] and out['PDJ@0.1/wrist'] == out['TorsoPCK@0.1/wrist']
    curve = pdj_curve(pred, gt, labelled, (9, 2)).mean()
    assert (np.diff(curve) >= 0).all() and curve[0] == 0 < curve[50] < 100
    assert curve[20] == torso_pck(pred, gt, labelled, (9, 2), 0.2).mean()[0]


def test_files(tmp_path, lsp_meta, samples_of, evaluate):
    rng = np.random.default_rng(2)
    gt = rng.random((30, 14, 2)) * 100
    folder = tmp_path / 'new' / 'folder'
    config = dict(type='PDJ', out_dir=str(folder))
    for _ in range(2):  # the second evaluation replaces the first one's files
        out = evaluate([config], lsp_meta, samples_of(gt + rng.normal(0, 10, gt.shape), gt))
    evaluate([config | dict(prefix='val')], lsp_meta, samples_of(gt, gt))
    assert sorted(os.listdir(folder)) == ['pdj.csv', 'pdj.png', 'val_pdj.csv', 'val_pdj.png']
    with (folder / 'pdj.csv').open() as f:
        rows = list(csv.DictReader(f))
    assert [float(r['threshold']) for r in rows] == list(CURVE)
    assert float(rows[20]['wrist']) == pytest.approx(out['PDJ@0.2/wrist'], abs=1e-4)
    assert float(rows[10]['mean']) == pytest.approx(out['PDJ@0.1'], abs=1e-4)
    assert area(np.array([float(r['elbow']) for r in rows])) == pytest.approx(out['PDJ/AUC/elbow'], abs=1e-3)
    image = cv2.imread(str(folder / 'pdj.png'))
    assert image.shape == (600, 900, 3) and len(np.unique(image.reshape(-1, 3), axis=0)) > 50


def test_the_picture_shows_the_curve(tmp_path):
    """A curve at 100 % leaves its ink in the upper half, one at 5 % in the lower."""
    dark = []
    for level in (95.0, 5.0):
        _, path = write_curves({'mean': np.full(51, level)}, tmp_path / str(level))
        ink = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[40:520, 150:600] < 60
        dark.append(ink.nonzero()[0].mean())
    assert dark[0] < 150 < 350 < dark[1]


def test_writing_leaves_no_backend_behind(tmp_path):
    import matplotlib

    before = matplotlib.rcParams['backend']
    write_curves({'mean': np.zeros(51)}, tmp_path)
    assert matplotlib.rcParams['backend'] == before


def test_out_dir_must_be_a_folder(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ValueError, match='PDJ.out_dir=.*, allowed: a folder'):
        METRICS.build(dict(type='PDJ', out_dir=str(tmp_path / 'file')))
