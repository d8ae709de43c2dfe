"""The plain loop of the benchmark computes what the neck computes, and the report is complete."""

import importlib.util
import json

import pytest
import torch

from posestructs.models.necks import TreeMessagePassing
from tests.helpers import repo_root

spec = importlib.util.spec_from_file_location(
    'message_passing_benchmark', repo_root() / 'benchmarks' / 'message_passing.py'
)
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)


@pytest.mark.parametrize('preset', ['release', 'paper', 'separable'])
def test_the_plain_loop_is_the_neck(preset):
    torch.manual_seed(0)
    neck = TreeMessagePassing(6, dict(from_file='lsp-26.py'), part_channels=4, preset=preset).double()
    for parameter in neck.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    plain = benchmark.PlainMessagePassing(neck)
    x = torch.randn(2, 6, 13, 14, dtype=torch.float64)
    (ours,), (theirs,) = neck((x,)), plain((x,))
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)
    weight = torch.randn_like(ours)
    (ours * weight).sum().backward()
    (theirs * weight).sum().backward()
    for e, (child, _) in enumerate(neck.tree.edges):
        for kernels, modules in ((neck.up, plain.up), (neck.down, plain.down)):
            convs = [m for m in modules[str(child)] if isinstance(m, torch.nn.Conv2d)]
            for i, conv in enumerate(convs):
                torch.testing.assert_close(kernels.kernels[i].grad[e], conv.weight.grad, atol=1e-8, rtol=1e-8)
    # the same parameters, not more and not fewer
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in neck.parameters())


def test_report(tmp_path, capsys):
    out = tmp_path / 'report.json'
    small = ['--in-channels', '4', '--part-channels', '4', '--cells', '13', '--repeats', '2', '--preset', 'separable']
    benchmark.main([*small, '--devices', 'cpu', '--batches', '1', '2', '--modes', 'auto', 'grouped', '--out', str(out)])
    report = json.loads(out.read_text())
    assert {'commit', 'cpu', 'threads', 'torch'} <= set(report['machine'])
    assert [(row['batch'], row['name']) for row in report['rows']] == [
        (batch, name) for batch in (1, 2) for name in ('plain loop', "ours, mode='auto'", "ours, mode='grouped'")
    ]
    for row in report['rows']:
        assert row['error'] < 1e-5
        assert row['step_ms'] > 0 and row['forward_ms'] > 0 and row['backward_ms'] > 0
    assert report['rows'][0]['ratio'] == report['rows'][0]['cpu_ratio'] == 1
    assert 'plain loop' in capsys.readouterr().out


def test_peak_memory_sees_what_is_freed_again():
    def hold():
        torch.ones(30_000_000).sum()

    if benchmark.CLEAR.exists():
        assert benchmark.peak_memory(hold, 'cpu') == pytest.approx(120, abs=25)


def test_backends_for_small_steps():
    rows = list(benchmark.backends('cpu', most=5e6))
    assert {row['preset'] for row in rows} == {'separable'}
    assert all(set(row['ms']) == {'loop', 'grouped'} and row['rule'] == 'loop' for row in rows)
    assert all(time > 0 for row in rows for time in row['ms'].values())
    assert all(row['multiply_adds_of_one'] * row['messages'] <= 5e6 for row in rows)
