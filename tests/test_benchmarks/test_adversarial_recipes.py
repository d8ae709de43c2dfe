"""Rows that differ in the discriminators alone, differences by hand, counts from a dump, a page."""

import argparse
import json
import sys

import numpy as np
import pytest
from mmengine.fileio import dump

from benchmarks import adversarial_recipes as benchmark
from benchmarks.recipes import cost, report, run
from benchmarks.recipes.rows import ROWS, Trial, fingerprint, make_config, make_generator_config
from tests.helpers import data_root


@pytest.fixture(autouse=True)
def data(monkeypatch):
    monkeypatch.setenv('POSESTRUCTS_DATA', str(data_root()))


def test_rows_train_the_same_generator_on_the_same_images_for_the_same_epochs():
    control = make_config(ROWS['control'], Trial())
    for name, row in ROWS.items():
        if row.figures:
            continue
        cfg = make_config(row, Trial())
        assert cfg.load_from == control.load_from and cfg.load_from.startswith('shipped://')
        assert cfg.optim_wrapper.generator == control.optim_wrapper.generator
        model = {key: value for key, value in cfg.model.items() if key not in ('discriminators', 'adversarial')}
        assert model == {key: value for key, value in control.model.items() if key in model}
        begins = [scheduler.begin for scheduler in cfg.param_scheduler]
        frozen = [
            hook['freeze'].get('generator') for hook in cfg.custom_hooks if hook.type == 'AdversarialScheduleHook'
        ]
        alone = 0 if name in ('control', 'frozen-d', 'g') else 1
        assert begins == [alone, alone] and cfg.train_cfg.max_epochs == 4 + alone
        assert [tuple(times) for times in frozen if times] == [(0, 1)] * alone
        for own, other in zip(cfg.param_scheduler, control.param_scheduler, strict=True):
            same = ('type', 'start_factor', 'T_max', 'eta_min')
            assert (
                all(own.get(key) == other.get(key) for key in same) and own.end - own.begin == other.end - other.begin
            )
        dataset = cfg.train_dataloader.dataset
        assert (dataset.id_file, dataset.indices) == ('train.txt', 4400)
        if name != 'g':
            assert cfg.train_dataloader == control.train_dataloader


def test_rows_of_figures_share_a_generator_and_none_of_its_figures(tmp_path):
    generator = make_generator_config(Trial())
    loader = generator.train_dataloader
    assert loader.batch_size * generator.train_cfg.max_iters == loader.dataset.num_samples == 200000

    def figures(dataset, count):
        return range(dataset['start_index'], dataset['start_index'] + count)

    used = [figures(loader.dataset, 200000)]
    used += [figures(run.tested_samples(True, where, Trial()), 600) for where in (run.HELD, run.FINAL)]
    names = [name for name, row in ROWS.items() if row.figures]
    assert names == ['stick-control', 'stick-frozen-d', 'stick-a', 'stick-c', 'stick-e']
    for name in names:
        cfg = make_config(ROWS[name], Trial(generator=tmp_path))
        assert cfg.load_from == str(tmp_path / 'iter_6250.pth')
        parts = ('data_preprocessor', 'backbone', 'head')
        assert all(cfg.model[part] == generator.model[part] for part in parts) and 'neck' not in cfg.model
        assert cfg.train_dataloader.batch_size == 16 and cfg.train_dataloader.dataset.indices == 4400
        assert cfg.codec.sigma == 1 and ('discriminators' not in cfg.model or cfg.model.adversarial.epsilon == 1)
        trained = figures(cfg.train_dataloader.dataset, 4400)
        assert sum(len(range(max(a[0], trained[0]), min(a[-1], trained[-1]) + 1)) for a in used) == 0
    assert used[1][0] >= 1000 and used[0][0] > used[1][-1]
    same = [fingerprint(ROWS['stick-e'], 0, Trial(generator=folder)) for folder in (tmp_path, tmp_path / 'other')]
    # a rehearsal has another generator
    assert same[0] == same[1] != fingerprint(ROWS['stick-e'], 0, Trial(images=320))


def test_shares_of_the_budget_rows():
    for name, share, begin in (('f', 0.05, None), ('f-2', 0.02, None), ('f-10', 0.1, None), ('f-late', 0.05, 2 / 3)):
        hooks = [h for h in make_config(ROWS[name], Trial()).custom_hooks if h.type == 'GradientBudgetHook']
        assert [(hook.share, hook.get('begin')) for hook in hooks] == [(share, begin)]
    marks = {fingerprint(ROWS[name], seed, Trial()) for name in ('f', 'f-2', 'control') for seed in (0, 1)}
    assert len(marks) == 6


def result(name, seed, right, measured, kinds=None):
    counts = dict(measured=run.pack(np.array(measured)), right=run.pack(np.array(right)))
    one = dict(persons=len(right), groups=dict(all=dict(counts, kinds=kinds or dict.fromkeys(report.KINDS, 1))))
    return dict(row=name, seed=seed, sets=dict(plain=one, occluders=one))


def test_difference_by_hand():
    measured = [10, 8, 0, 6] * 50
    control = [result('control', s, [5, 4, 0, 3] * 50, measured) for s in (0, 1)]
    better = [result('e', s, [6 + s, 4, 0, 3] * 50, measured) for s in (0, 1)]
    mean, low, high = report.difference(better, control, 'plain', 'all')
    assert mean == pytest.approx(100 * 1.5 / 24)
    assert low < mean < high and low > 0
    # seeds widen it: each draw has one of the two, or both
    narrow = report.difference(better[:1], control[:1], 'plain', 'all')
    assert narrow[2] - narrow[1] < high - low
    assert report.difference(better, control, 'plain', 'occluded') is None
    with pytest.raises(run.UsageError, match='different persons'):
        report.difference(better, [result('control', 0, [1], [2])], 'plain', 'all')


def test_a_recipe_with_the_joints_of_the_control_is_refused():
    found = {name: [result(name, seed, [4, seed], [5, 5]) for seed in (1, 2)] for name in ('control', 'e')}
    with pytest.raises(run.UsageError, match='e, seed 1: the same joints as control'):
        report.tables(found, {})
    found['e'] = [result('e', seed, [3, seed], [5, 5]) for seed in (1, 2)]
    assert '-10.0' in report.tables(found, {})


def test_counts_of_a_dump(tmp_path):
    cfg = make_config(ROWS['control'], Trial())
    meta = run.DATASETS.build(dict(cfg.val_dataloader.dataset, lazy_init=True)).metainfo
    points = np.random.default_rng(0).uniform(0, 100, (1, 14, 2))
    ids = meta['keypoint_name2id']
    points[0, ids['left_shoulder']], points[0, ids['right_hip']] = (40, 20), (40, 70)  # a torso of 50 pixels
    pred, visible, occluded = points + [8.0, 0.0], np.ones((1, 14)), np.zeros((1, 14))
    pred[0, 0] = points[0, 0] + [11.0, 0.0]  # more than 0.2 torsos
    visible[0, 1], occluded[0, 2:4] = 0, 1
    sample = dict(
        id=1,
        img_path='a.jpg',
        pred_instances=dict(keypoints=pred, keypoint_scores=np.ones((1, 14))),
        gt_instances=dict(keypoints=points, keypoints_visible=visible, keypoints_occluded=occluded),
    )
    file = tmp_path / 'dump.pkl'
    dump([sample], str(file))
    found = run.read_counts(str(file), cfg)
    kinds = {group: each.pop('kinds') for group, each in found['groups'].items()}
    values = {group: {k: run.unpack(v).tolist() for k, v in each.items()} for group, each in found['groups'].items()}
    assert values == dict(
        all=dict(measured=[13], right=[12]),
        visible=dict(measured=[11], right=[10]),
        occluded=dict(measured=[2], right=[2]),
    )
    assert kinds == {
        group: dict(dict.fromkeys(report.KINDS, 0), good=good, jitter=jitter)
        for group, good, jitter in (('all', 12, 1), ('visible', 10, 1), ('occluded', 2, 0))
    }


def test_calls_are_planned_and_reported(tmp_path, monkeypatch, capsys):
    def call(*flags):
        monkeypatch.setattr(sys, 'argv', ['x', *map(str, flags)])
        benchmark.main()
        return capsys.readouterr().out

    out = call('--list', '--best', 'e', '--out', tmp_path)
    assert [line.split(':')[0] for line in out.splitlines()] == [
        f'{name}, seed {seed}' for seed in range(3) for name in ('control', 'e')
    ]
    assert 'control, seed 2: planned' in call('--list', '--out', tmp_path)
    (tmp_path / 'held-out').mkdir()
    for name, right in (('control', [3, 3]), ('b', [4, 3])):
        found = result(name, 0, right, [5, 5]) | dict(fingerprint=fingerprint(ROWS[name], 0, Trial()))
        if name == 'b':
            found['discriminators'] = dict(
                coder=dict(auroc_discriminator=0.61, auroc_peak=0.58, auroc_together=0.6, grad_share=0.002)
            )
            kinds = dict(good=3, jitter=1, inversion=0, swap=0, miss=4)
            found['sets']['occluders']['groups']['occluded'] = found['sets']['plain']['groups']['all'] | dict(
                kinds=kinds
            )
        (tmp_path / 'held-out' / f'{name}_seed0.json').write_text(json.dumps(found))
    stale = result('a', 0, [5, 5], [5, 5]) | dict(fingerprint='of another config')
    (tmp_path / 'held-out' / 'a_seed0.json').write_text(json.dumps(stale))
    (tmp_path / report.COST).write_text(json.dumps(dict(ratios=dict(control=1.0, b=1.37))))
    call('--report', tmp_path / 'page.md', '--summary', tmp_path / 'short.md', '--out', tmp_path)
    text = (tmp_path / 'page.md').read_text()
    assert (
        '70.0' in text
        and '+10.0 [' in text
        and '0.61' in text
        and 'LSP-extended, 2 persons held out of the fine-tuning' in text
    )
    assert ROWS['a'].label not in text
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in text.splitlines()]
    assert [row[-1] for row in cells if row and row[:2] == [ROWS['b'].label, '1']] == ['1.37']
    shares = ['37.5', '12.5', '0.0', '0.0', '50.0']
    assert [row[2:] for row in cells if row and row[:2] == [ROWS['b'].label, 'occluded']] == [shares]
    short = (tmp_path / 'short.md').read_text()
    (line,) = (line for line in short.splitlines() if ROWS['b'].label in line)
    found = [cell.strip() for cell in line.split('|')[2:-1]]
    assert '2 persons held out of the fine-tuning' in short and 'which alone has 0.58;' in short
    assert found[:1] + found[3:] == ['1', '-', '0.61', '0.6', '1.37'] and found[1].startswith('+10.0 [')


def test_a_result_without_all_that_is_reported_is_scored_again(tmp_path, monkeypatch):
    found = result('b', 0, [4], [5]) | dict(fingerprint=fingerprint(ROWS['b'], 0, Trial()))
    file = tmp_path / 'held-out' / 'b_seed0.json'
    file.parent.mkdir()
    scored = []
    monkeypatch.setattr(benchmark, 'train', lambda *args: tmp_path / 'epoch_5.pth')
    monkeypatch.setattr(benchmark, 'score', lambda *args: scored.append(args) or dict(sets=found['sets']))
    args = argparse.Namespace(final=False, out=tmp_path, work_dir=tmp_path)
    file.write_text(json.dumps(found))
    assert benchmark.execute('b', 0, args, Trial(), None) == 'finished before' and not scored
    old = json.loads(json.dumps(found))
    del old['sets']['occluders']['groups']['all']['kinds']
    file.write_text(json.dumps(old))
    assert benchmark.execute('b', 0, args, Trial(), None) == 'finished' and len(scored) == 1
    assert run.complete(json.loads(file.read_text()))


def test_time_of_a_step_counts_one_measurement_in_an_interval():
    times = {('e', False): np.array([1.0, 2.0]), ('e', True): np.array([3.0, 2.0]), ('g', False): np.array([0.5, 1.0])}
    assert cost.mean_time(times, 'e', 4).tolist() == [1.5, 2.0]
    assert cost.mean_time(times, 'g', None).tolist() == [0.5, 1.0]
    intervals = {name: cost.budget_interval(make_config(ROWS[name], Trial())) for name in ('control', 'a', 'e')}
    assert intervals == dict(control=None, a=None, e=10)
