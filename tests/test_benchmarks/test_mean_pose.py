"""The mean-pose predictor on persons worked out by hand, and on the validation persons of lspet-mini."""

import importlib.util

import numpy as np
import pytest

from posestructs.utils import cli
from tests.helpers import data_root, needs_data, repo_root

spec = importlib.util.spec_from_file_location('mean_pose', repo_root() / 'benchmarks' / 'mean_pose.py')
mean_pose = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mean_pose)


def test_mean_over_labelled_joints_and_back_into_a_box():
    keypoints = np.array([[[10.0, 20.0], [30.0, 60.0]], [[0.0, 0.0], [99.0, 99.0]]])
    labelled = np.array([[True, True], [True, False]])
    boxes = np.array([[10.0, 20.0, 30.0, 60.0], [-5.0, -10.0, 5.0, 10.0]])
    # joint 0: (0, 0) and (0.5, 0.5); joint 1: (1, 1), the other is not labelled
    pose = mean_pose.mean_pose(keypoints, labelled, boxes)
    np.testing.assert_allclose(pose, [[0.25, 0.25], [1.0, 1.0]])
    placed = mean_pose.place(pose, np.array([[100.0, 0.0, 140.0, 80.0]]))
    np.testing.assert_allclose(placed, [[[110.0, 20.0], [140.0, 80.0]]])


@needs_data
def test_real_persons(monkeypatch):
    monkeypatch.setenv('POSESTRUCTS_DATA', str(data_root()))
    config = cli.load_config(str(repo_root() / 'configs' / 'baseline' / 'td-hm_res18_lspet-mini-128x128.py'))
    metrics = mean_pose.evaluate(config)
    # about 4.6 was measured by another implementation
    assert metrics['TorsoPCK@0.2'] == pytest.approx(4.6, abs=0.3)
    assert metrics['TorsoPCK@0.2/people'] == 1000 and metrics['TorsoPCK@0.2'] == metrics['PDJ@0.2']


@needs_data
def test_several_data_sets_in_one_and_boxes_for_the_metrics():
    config = cli.load_config(str(repo_root() / 'configs' / 'baseline' / 'td-hm_res50_lspet-256x256.py'))
    lspet, lsp = config.train_dataloader.dataset.datasets
    lspet.update(data_root=str(data_root() / 'lspet-raw-sample'), check_images=False, indices=500)
    for cfg in (lsp, config.val_dataloader.dataset):
        cfg.update(data_root=str(data_root() / 'lsp-annotations'), check_images=False)
    config.val_evaluator.append(dict(type='BoxPCK', thr=0.2))
    metrics = mean_pose.evaluate(config)
    # LSP's persons mostly stand: their mean pose is a better guess than that of its extension
    assert 9 < metrics['TorsoPCK@0.2'] < 20 and metrics['TorsoPCK@0.2/people'] == 1000
    assert metrics['BoxPCK@0.2'] > metrics['TorsoPCK@0.2']
    assert {'visible/TorsoPCK@0.2', 'occluded/TorsoPCK@0.2'} <= set(metrics)
