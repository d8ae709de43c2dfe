import numpy as np
import pytest


def test_equals_mmposes_where_everything_is_labelled(lsp_meta, samples_of, evaluate):
    """mmpose averages the joints' rates, as fractions, and takes '<': the same on continuous, fully labelled data."""
    rng = np.random.default_rng(0)
    gt = rng.random((400, 14, 2)) * 200
    boxes = np.concatenate([np.zeros((400, 2)), 20 + rng.random((400, 2)) * 150], 1).astype(np.float32)
    samples = samples_of(gt + rng.normal(0, 8, gt.shape), gt, bboxes=boxes)
    theirs = evaluate([dict(type='PCKAccuracy', thr=0.1, norm_item='bbox')], lsp_meta, samples)
    ours = evaluate([dict(type='BoxPCK', thr=0.1)], lsp_meta, samples)
    assert ours['BoxPCK@0.1'] == pytest.approx(100 * theirs['PCK'], abs=1e-6)
    assert 20 < ours['BoxPCK@0.1'] < 80


def test_a_box_without_size_is_left_out(lsp_meta, samples_of, evaluate):
    gt = np.random.default_rng(1).random((3, 14, 2)) * 100
    boxes = np.array([[0, 0, 10, 10], [5, 5, 5, 5], [0, 0, 10, 0]], float)
    out = evaluate([dict(type='BoxPCK')], lsp_meta, samples_of(gt, gt, bboxes=boxes))
    assert (out['BoxPCK@0.05/people'], out['BoxPCK@0.05/people_left_out']) == (2, 1)


def test_without_boxes_the_error_names_the_field(lsp_meta, samples_of, evaluate):
    gt = np.zeros((1, 14, 2))
    with pytest.raises(ValueError, match='BoxPCK: a data sample has no gt_instances.bboxes'):
        evaluate([dict(type='BoxPCK')], lsp_meta, samples_of(gt, gt))
