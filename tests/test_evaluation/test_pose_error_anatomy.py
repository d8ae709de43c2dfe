"""PoseErrorAnatomy in mmengine's evaluator: keys, splits, errors."""

import numpy as np
import pytest
from mmpose.registry import METRICS

from posestructs.structures.metainfo import load_metainfo, metainfo_file


@pytest.fixture(scope='module')
def lsp():
    return load_metainfo(dict(from_file=metainfo_file('lsp')))


@pytest.fixture(scope='module')
def lsp_pose():
    """A standing person with a torso of 50 pixels, from right ankle to head top; the person's right is on the left."""
    x = [-25, -25, -15, 15, 25, 25, -60, -50, -15, 15, 50, 60, 0, 0]
    y = [150, 100, 40, 40, 100, 150, 40, 20, 0, 0, 20, 40, -10, -40]
    return np.stack([x, y], 1).astype(float)


def test_result_of_hand_made_errors(lsp, lsp_pose, samples_of, evaluate):
    """Two persons in one image: an inverted wrist, a jittering knee, a swap to the other person, a miss."""
    gt = np.stack([lsp_pose, lsp_pose + [400, 0]])
    pred = gt.copy()
    pred[0, 6] = gt[0, 11]
    pred[0, 1] += [15, 0]
    pred[0, 0] = gt[1, 5]
    pred[1, 13] = [-900, -900]
    pred[1, 12] = np.nan
    labelled = np.ones((2, 14))
    labelled[1, 0] = 0
    occluded = np.zeros((2, 14))
    occluded[0, 6] = occluded[1, 13] = 1
    samples = samples_of(pred, gt, labelled, keypoints_occluded=occluded)
    for sample in samples:
        sample.set_metainfo(dict(img_path='same.jpg'))
    out = evaluate([dict(type='PoseErrorAnatomy')], lsp, samples)
    key, one = 'PoseErrorAnatomy@0.2', 100 / 27
    assert out[key] == pytest.approx(22 * one)
    for kind, count in dict(jitter=1, inversion=1, swap=1, miss=2, swap_to_other_person=1, pck_without_miss=24).items():
        assert out[f'{key}/{kind}'] == pytest.approx(count * one), kind
    assert (out[f'{key}/joints'], out[f'{key}/people'], out[f'{key}/not_predicted']) == (27, 2, 1)
    assert out[f'wrist/{key}/inversion'] == 25 and out[f'knee/{key}/jitter'] == 25
    assert out[f'occluded/{key}'] == 0 and out[f'occluded/{key}/inversion'] == 50 == out[f'occluded/{key}/miss']
    assert out[f'visible/{key}/joints'] == 25
    # the same joints as TorsoPCK, and in another image nobody to swap with
    samples[1].set_metainfo(dict(img_path='other.jpg'))
    both = evaluate([dict(type='PoseErrorAnatomy'), dict(type='TorsoPCK')], lsp, samples)
    assert both[key] == pytest.approx(both['TorsoPCK@0.2']) and both[f'{key}/miss'] == pytest.approx(3 * one)


def test_oks_reads_areas_or_boxes(coco_meta, samples_of, evaluate):
    gt = np.random.default_rng(0).uniform(0, 1000, (2, 17, 2))
    pred = gt.copy()
    pred[:, 0, 0] += 0.9 * np.sqrt(4000) * 2 * 0.026  # d = 0.9 units of the nose: between 0.57 and 1.18
    boxes = np.tile([0, 0, 100, 4000 / 53], (2, 1, 1))[:, 0]
    for fields in (dict(areas=[4000, 4000]), dict(bboxes=boxes)):
        out = evaluate([dict(type='PoseErrorAnatomy', scale='oks')], coco_meta, samples_of(pred, gt, **fields))
        assert out['PoseErrorAnatomy@0.85/jitter'] == pytest.approx(100 / 17)
    with pytest.raises(ValueError, match='needs gt_instances.areas or bboxes'):
        evaluate([dict(type='PoseErrorAnatomy', scale='oks')], coco_meta, samples_of(pred, gt))


def test_bad_settings_and_data(lsp, crowdpose_meta, lsp_pose, samples_of, evaluate):
    build = METRICS.build
    for settings, message in (
        (dict(scale='head'), "PoseErrorAnatomy.scale='head', allowed: 'torso', 'oks'"),
        (dict(thr=0), 'PoseErrorAnatomy.thr=0, allowed'),
        (dict(thr=0.5), 'PoseErrorAnatomy.near=0.4, allowed: at least thr'),
        (dict(scale='oks', near=0.9), 'at most thr, being a similarity'),
    ):
        with pytest.raises(ValueError, match=message):
            build(dict(type='PoseErrorAnatomy', **settings))
    with pytest.raises(ValueError, match='torso_pair'):
        build(dict(type='PoseErrorAnatomy')).dataset_meta = crowdpose_meta
    with pytest.raises(ValueError, match='needs 14 sigmas'):
        build(dict(type='PoseErrorAnatomy', scale='oks')).dataset_meta = {**lsp, 'sigmas': None}
    nobody = samples_of(lsp_pose[None], lsp_pose[None], np.eye(14)[:1])
    with pytest.raises(ValueError, match='nothing to measure: no person of 1'):
        evaluate([dict(type='PoseErrorAnatomy')], lsp, nobody)
