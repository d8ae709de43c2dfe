"""Measures of packed hits equal the metrics', and the bootstrap equals a slow one."""

import json
from dataclasses import replace

import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from benchmarks.grid import results as statistics
from benchmarks.grid.measures import CURVE, HitRecord, Hits, brief, curve_counts, pack, unpack
from benchmarks.grid.rows import INVERTED, OCCLUDED, PCK, PCP, VISIBLE
from benchmarks.raw_results import decode
from posestructs.evaluation import PDJ, OcclusionSplitPCK, StrictPCP, TorsoPCK
from posestructs.structures.metainfo import load_metainfo, metainfo_file
from posestructs.utils.usage import UsageError


def made_hits(persons=7, seed=0, joints=('left_knee', 'right_knee', 'neck')):
    rng = np.random.default_rng(seed)
    fixed = np.random.default_rng(99)  # the same persons in every run
    measured = fixed.random((persons, len(joints))) < 0.8
    occluded = np.where(fixed.random(measured.shape) < 0.4, 1, 0).astype(np.int8)
    distance = np.where(measured, rng.uniform(0, 0.6, measured.shape), np.inf)
    stick_measured = fixed.random((persons, 2)) < 0.9
    return Hits(
        joints,
        ('head', 'torso'),
        measured,
        occluded,
        distance <= 0.2,
        curve_counts(distance),
        stick_measured,
        stick_measured & (rng.random((persons, 2)) < 0.5),
        measured & (distance > 0.5),
    )


def test_packed_hits_come_back_whole_and_small():
    hits = made_hits(persons=1001)
    found = unpack(pack(hits))
    for name in ('measured', 'occluded', 'right', 'curve', 'stick_measured', 'stick_hits', 'inverted'):
        assert (
            np.array_equal(getattr(found, name), getattr(hits, name))
            and getattr(found, name).dtype == getattr(hits, name).dtype
        )
    assert found.joints == hits.joints
    assert sum(len(v) for v in pack(hits).values() if isinstance(v, str)) < 3500


def test_a_brief_record_has_the_joints_alone():
    hits = made_hits()
    found = unpack(pack(brief(hits)))
    assert found.curve is None and found.stick_hits is None and found.inverted is None
    for name in ('measured', 'occluded', 'right'):
        np.testing.assert_array_equal(getattr(found, name), getattr(hits, name))


def test_under_occluders_the_joints_that_differ_are_stored():
    plain = made_hits(persons=1000)
    rng = np.random.default_rng(1)
    covered = brief(replace(plain, right=plain.right ^ (plain.measured & (rng.random(plain.right.shape) < 0.05))))
    packed = pack(covered, plain)
    assert 'right' not in packed and len(packed['right_differs']) < 0.8 * len(pack(covered)['right'])
    np.testing.assert_array_equal(unpack(packed, plain).right, covered.right)


def test_a_damaged_array_is_an_error_that_readers_expect():
    with pytest.raises(ValueError, match="damaged array '0{20}'"):
        decode('0' * 40)


def test_labels_of_a_test_set_are_stored_once_and_others_with_their_run(tmp_path):
    records = [pack(made_hits(seed=0)), pack(made_hits(seed=1)), pack(made_hits(persons=8))]
    for i, record in enumerate(records):
        kept = statistics.without_labels(record, tmp_path, 'plain')
        assert ('measured' in kept) == (i == 2)
        (tmp_path / f'{i}.json').write_text(json.dumps(dict(row=str(i), sets=dict(plain=kept))))
    for i, record in enumerate(records):
        assert pack(statistics.read_run(tmp_path / f'{i}.json').hits['plain']) == record

    statistics.labels_file(tmp_path, 'plain').unlink()
    assert statistics.read_run(tmp_path / '2.json').facts == dict(row='2')
    with pytest.raises(UsageError, match=r'0\.json needs .*labels_plain\.json, which does not exist'):
        statistics.read_run(tmp_path / '0.json')


def test_grids_on_the_same_data_share_the_labels_beside_their_folders(tmp_path):
    grid, other = tmp_path / 'grid', tmp_path / 'other'
    record = pack(made_hits(seed=0))
    statistics.without_labels(record, grid, 'plain')
    (grid / 'labels_plain.json').rename(tmp_path / 'labels_plain.json')
    kept = statistics.without_labels(record, grid, 'plain')
    assert 'measured' not in kept and not (grid / 'labels_plain.json').exists()
    (grid / '0.json').write_text(json.dumps(dict(row='0', sets=dict(plain=kept))))
    assert pack(statistics.read_run(grid / '0.json').hits['plain']) == record
    # other persons have a file of their own
    assert 'measured' not in statistics.without_labels(pack(made_hits(persons=8)), other, 'plain')
    assert json.loads((other / 'labels_plain.json').read_text())['people'] == 8


def test_results_without_inversions_are_read_and_measure_none():
    packed = pack(made_hits())
    del packed['inverted']
    found = unpack(packed)
    assert found.inverted is None and statistics.value(found, INVERTED) is None
    for pair in ([found], [found]), ([made_hits()], [found]), ([found], [made_hits()]):
        assert statistics.paired_bootstrap(*pair, INVERTED) is None and statistics.paired_bootstrap(*pair, PCK)


def test_joints_on_a_threshold_are_within_it():
    distances = np.array([[0.0, 0.005, 0.01], [0.2, np.nextafter(0.2, 1), 0.5], [0.51, np.inf, np.nan]])
    # from 0, 0.01, 0.2, 0.21 and 0.5 on, there are so many
    wanted = np.select([np.arange(51) >= n for n in (50, 21, 20, 1, 0)], [6, 5, 4, 3, 1])
    assert curve_counts(distances).tolist() == wanted.tolist()


def sample_of(rng, meta):
    """A person, with joints off by up to a torso, some not labelled, some occluded, one sample without a torso."""
    gt = rng.uniform(0, 100, (1, 14, 2))
    pred = gt + rng.normal(0, 15, gt.shape)
    sample = PoseDataSample(metainfo=dict(id=0, img_id=0))
    visible = (rng.random((1, 14)) < 0.85).astype(np.float32)
    sample.gt_instances = InstanceData(
        keypoints=gt, keypoints_visible=visible, keypoints_occluded=rng.integers(0, 2, (1, 14))
    )
    sample.pred_instances = InstanceData(keypoints=pred, keypoint_scores=np.ones((1, 14)))
    return sample.to_dict()


def test_measures_equal_the_metrics():
    meta = load_metainfo(dict(from_file=metainfo_file('lsp')))
    rng = np.random.default_rng(3)
    samples = [sample_of(rng, meta) for _ in range(40)]
    record = HitRecord()
    evaluator = Evaluator([TorsoPCK(), StrictPCP(), PDJ(), OcclusionSplitPCK(dict(type='TorsoPCK', thr=0.2)), record])
    evaluator.dataset_meta = meta
    evaluator.process(samples)
    metrics = evaluator.evaluate(len(samples))
    hits = unpack(pack(record.hits))
    assert statistics.value(hits, PCK) == pytest.approx(metrics['TorsoPCK@0.2'])
    assert statistics.value(hits, PCP) == pytest.approx(metrics['StrictPCP@0.5'])
    assert statistics.value(hits, VISIBLE) == pytest.approx(metrics['visible/TorsoPCK@0.2'])
    assert statistics.value(hits, OCCLUDED) == pytest.approx(metrics['occluded/TorsoPCK@0.2'])
    assert statistics.curve(hits)[CURVE.index(0.1)] == pytest.approx(metrics['PDJ@0.1'])
    assert statistics.curve_area(hits) == pytest.approx(metrics['PDJ/AUC'])
    assert statistics.per_joint(hits)['elbow'] == pytest.approx(metrics['TorsoPCK@0.2/elbow'])


def test_a_joint_on_its_mirror_joint_is_an_inversion():
    meta = load_metainfo(dict(from_file=metainfo_file('lsp')))
    sample = sample_of(np.random.default_rng(0), meta)
    ids, gt = meta['keypoint_name2id'], 100.0 * np.arange(28).reshape(1, 14, 2)
    left, right = ids['left_knee'], ids['right_knee']
    sample['gt_instances']['keypoints'], sample['pred_instances']['keypoints'] = gt, gt.copy()
    sample['gt_instances']['keypoints_visible'] = np.ones((1, 14), np.float32)
    sample['pred_instances']['keypoints'][0, left] = gt[0, right]
    record = HitRecord()
    record.dataset_meta = meta
    record.process(None, [sample])
    record.evaluate(1)
    assert np.argwhere(record.hits.inverted).tolist() == [[0, left]] and not record.hits.right[0, left]
    assert statistics.value(record.hits, INVERTED) == pytest.approx(100 / 14)


def slow_rate(hits, measure, persons):
    """A measure of listed persons, joint by joint."""
    if measure == PCP:
        shares = []
        for s in range(len(hits.sticks)):
            known = [hits.stick_hits[n, s] for n in persons if hits.stick_measured[n, s]]
            shares += [100 * sum(known) / len(known)] if known else []
        return sum(shares) / len(shares)
    known = []
    for n in persons:
        for k in range(len(hits.joints)):
            if hits.measured[n, k] and (measure == PCK or hits.occluded[n, k] == 1):
                known.append(hits.right[n, k])
    return 100 * sum(known) / len(known)


@pytest.mark.parametrize('measure', [PCK, PCP, OCCLUDED])
def test_bootstrap_equals_a_slow_one_on_the_same_draws(measure):
    a, b = made_hits(persons=12, seed=1), made_hits(persons=12, seed=2)
    found = statistics.paired_bootstrap([a], [b], measure, resamples=60, seed=5)
    draws = np.random.default_rng(5).multinomial(12, np.full(12, 1 / 12), size=60)
    differences = []
    for counts in draws:
        persons = [n for n, times in enumerate(counts) for _ in range(times)]
        differences.append(slow_rate(a, measure, persons) - slow_rate(b, measure, persons))
    assert found.points == pytest.approx(slow_rate(a, measure, range(12)) - slow_rate(b, measure, range(12)))
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(differences, [2.5, 97.5])))


def test_bootstrap_draws_seeds_too():
    first, second = [made_hits(persons=12, seed=s) for s in (1, 2)], [made_hits(persons=12, seed=s) for s in (3, 4)]
    found = statistics.paired_bootstrap(first, second, PCK, resamples=40, seed=5)
    rng = np.random.default_rng(5)
    draws = rng.multinomial(12, np.full(12, 1 / 12), size=40)
    pairs = rng.multinomial(2, [0.5, 0.5], size=40)
    differences = []
    for counts, times in zip(draws, pairs, strict=True):
        persons = [n for n, often in enumerate(counts) for _ in range(often)]
        runs = [s for s, often in enumerate(times) for _ in range(often)]
        gaps = [slow_rate(first[s], PCK, persons) - slow_rate(second[s], PCK, persons) for s in runs]
        differences.append(sum(gaps) / 2)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(differences, [2.5, 97.5])))


def test_interval_of_hand_made_differences():
    """One joint, 100 persons: the first model is right on all, the second wrong on 20; pairs differ on those alone."""
    ones = np.ones((100, 1), bool)

    def of(right):
        return Hits(('neck',), ('head',), ones, np.zeros((100, 1), np.int8), right, np.zeros(51, int), ones, ones)

    right = of(ones)
    partly = of(np.arange(100)[:, None] >= 20)
    found = statistics.paired_bootstrap([right], [partly], PCK, resamples=20000)
    # a share of 0.2 of 100 draws: binomial, 2.5 % and 97.5 % at 12 and 28
    assert found.points == pytest.approx(20) and (found.low, found.high) == pytest.approx((12, 28), abs=1)
    same = statistics.paired_bootstrap([partly], [partly], PCK)
    assert same == (0, 0, 0, None)


def test_seeds_are_averaged_and_other_persons_refused():
    first, second = [made_hits(seed=1), made_hits(seed=2)], [made_hits(seed=3), made_hits(seed=4)]
    (a, b), (c, d) = ([statistics.value(hits, PCK) for hits in side] for side in (first, second))
    found = statistics.paired_bootstrap(first, second, PCK)
    assert found.points == pytest.approx((a + b) / 2 - (c + d) / 2)
    # of two values the standard deviation is their distance over the root of two
    assert found.deviation == pytest.approx(abs((a - c) - (b - d)) / 2**0.5)
    with pytest.raises(ValueError, match='2 runs cannot be compared with 1 seed by seed'):
        statistics.paired_bootstrap(first, second[:1], PCK)
    with pytest.raises(ValueError, match='different test samples'):
        statistics.paired_bootstrap(first[:1], [made_hits(persons=8)], PCK)
    nobody = made_hits()
    nobody.occluded[:] = 0
    assert statistics.paired_bootstrap([nobody], [nobody], OCCLUDED) is None
