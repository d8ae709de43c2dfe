"""The benchmark of training steps: that it compares what it says. Speed itself is not asserted here."""

import importlib.util
import json
import sys

import pytest
import torch
from mmengine.registry import init_default_scope

from posestructs.utils import cli
from tests.helpers import repo_root

path = repo_root() / 'benchmarks' / 'adversarial_step.py'
spec = importlib.util.spec_from_file_location('adversarial_step_benchmark', path)
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)
SMALL = str(repo_root() / 'tests' / 'test_tools' / 'tiny_adversarial-64x64.py')


@pytest.fixture
def cfg():
    init_default_scope('mmpose')
    return cli.load_config(SMALL)


class Count:
    value = 0

    def __call__(self, *_):
        self.value += 1


def test_each_variant_steps_the_networks_that_it_names(cfg):
    batch = benchmark.make_batch(cfg, 2)
    for name, changes in benchmark.STEPS.items():
        changes = {} if 'wide' in name else changes  # as wide as the tiny ones
        step, model = benchmark.make_step(cfg, changes, batch, 'cpu')
        before = {key: value.clone() for key, value in model.state_dict().items()}
        count = Count()
        model.backbone.register_forward_hook(count)
        logged = step()
        assert count.value == (2 if name == 'literal' else 1), 'forward passes of the generator'
        moved = {key.split('.')[0] for key, value in model.state_dict().items() if not torch.equal(before[key], value)}
        assert moved == {'backbone', 'head'} | (set() if name == 'supervised' else {'discriminators'})
        assert ('pose.loss_real' in logged) == (name != 'supervised')
        # the batch is the same for the next step
        assert batch['inputs'][0].dtype == torch.uint8 and batch['inputs'][0].shape == (3, 64, 64)
        if name != 'supervised':
            assert model.algorithm == ('literal' if name == 'literal' else 'joint')
    assert benchmark.WIDE == {f'model.discriminators.{name}.preset': 'paper' for name in ('pose', 'confidence')}


def test_all_forms_of_inference_give_the_same_maps(cfg):
    batch = benchmark.make_batch(cfg, 2)
    step, model = benchmark.make_step(cfg, {}, batch, 'cpu')
    step()
    calls = benchmark.make_inference(cfg, model, batch, 'cpu')
    assert len(calls) == 3
    plain, *others = [call()[-1] for call in calls.values()]
    assert all(torch.equal(plain, other) for other in others) and plain.abs().max() > 0


def test_rows_by_hand():
    rows = benchmark.rows_of(dict(a=[1.0, 2, 9], b=[3.0, 4, 9]), images=2, kind='step')
    assert [row['ms_per_image'] for row in rows] == [1000, 2000]
    assert [row['ratio'] for row in rows] == [1, 2]
    assert rows[1]['ratio_quartiles'] == [1.5, 2.5]


def test_the_file(tmp_path, monkeypatch, capsys):
    out = tmp_path / 'new' / 'table.json'
    options = [f'model.discriminators.{name}.norm_cfg.num_groups=32' for name in ('pose', 'confidence')]
    options += [f'model.discriminators.{name}.channels=None' for name in ('pose', 'confidence')]
    words = ['x', '--config', SMALL, '--rounds', '1', '--out', str(out), '--cfg-options', *options]
    monkeypatch.setattr(sys, 'argv', words)
    benchmark.main()
    table = json.loads(out.read_text())
    assert [row['variant'] for row in table['rows']][:4] == list(benchmark.STEPS)
    assert [row['kind'] for row in table['rows']] == ['step'] * 4 + ['inference'] * 3
    assert all(row['ms_per_image'] > 0 for row in table['rows']) and table['batch_size'] == 1
    assert 'at most 1.35; literal' in capsys.readouterr().out
