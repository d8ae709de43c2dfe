"""Speeds are those of real steps and pipelines, and ratios those of turns taken one after the other."""

import itertools
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.logging import MessageHub

from posestructs.testing import repo_root

sys.path.insert(0, str(repo_root()))

from benchmarks.grid.gpu_load import GpuLoad, parse
from benchmarks.grid.hooks import GpuLoadHook
from benchmarks.speed.measure import endless, rate
from benchmarks.speed.pipelines import take_turns
from benchmarks.speed.report import pipeline_table, speed_section

ROOT = repo_root()
CONFIG = 'configs/demo/td-hm_res18-small_stick-figure-64x64.py'
TINY = ['train_dataloader.dataset.num_samples=8', 'train_dataloader.batch_size=4']


def test_command_measures_a_config_and_writes_its_page(tmp_path):
    out, page = tmp_path / 'speed.json', tmp_path / 'page.md'
    command = [sys.executable, 'benchmarks/throughput.py', '--out', str(out)]
    sizes = ['--workers', '0', '1', '--seconds', '0.01', '--rounds', '2', '--images', '2']
    done = subprocess.run(
        [*command, '--configs', CONFIG, *sizes, '--cfg-options', *TINY],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text())
    (model,) = found['models']
    assert model['name'] == 'td-hm_res18-small_stick-figure-64x64' and model['batch_size'] == 4
    assert set(model['pipeline']) == set(model['both']) == {'0', '1'}
    speeds = [model['step'], *model['pipeline'].values(), *model['both'].values()]
    assert all(speed > 0 for speed in speeds) and model['memory_mib'] > 100
    assert found['pipelines'][0]['ratio'] == 1 and found['machine']['torch']

    from benchmarks import throughput

    throughput.report(page, out)
    assert 'benchmarks/throughput.py --seconds 0.01 --rounds 2\n' in page.read_text()
    text = page.read_text()
    assert f'| {model["name"]} ' in text and f'{model["step"]:.1f}' in text and found['machine']['commit'] in text


def test_turns_change_their_order_and_the_first_round_does_not_count():
    now, order = itertools.count(), []
    turns = {name: (lambda name=name: order.append(name)) for name in 'abc'}
    times = take_turns(turns, rounds=3, clock=lambda: next(now))
    assert ''.join(order) == 'abcbcacababc'
    assert {name: seconds.tolist() for name, seconds in times.items()} == dict.fromkeys('abc', [1, 1, 1])


def test_rate_counts_images_of_whole_batches(monkeypatch):
    # a clock that each batch moves on by a second
    now = [0.0]
    monkeypatch.setattr('benchmarks.speed.measure.time.perf_counter', lambda: now[0])

    def use(batch):
        now[0] += 1

    assert rate(endless([1, 2, 3]), use, seconds=10, size=16, wait=lambda: None) == 16
    assert rate(endless([1]), lambda batch: use(batch) or use(batch), seconds=0.5, size=16, wait=lambda: None) == 8


def test_pipelines_beside_the_first_and_what_is_not_measured_is_open():
    rows = [
        dict(name='a', ms=2.0, ratio=1.0, ratio_quartiles=[1.0, 1.0]),
        dict(name='b', ms=2.2, ratio=1.1, ratio_quartiles=[1.05, 1.2]),
        dict(name='c', ms=3.0, ratio=1.5, ratio_quartiles=[1.4, 1.6]),
    ]
    lines = pipeline_table(rows).splitlines()
    assert lines[2].endswith(' - |') and 'at most 1.2: reached' in lines[3] and '**missed**' in lines[4]
    assert 'Open: not measured yet' in speed_section(None)


def test_load_of_a_gpu_from_lines_of_nvidia_smi(tmp_path):
    assert parse('90, 1000\n100, 1500\n5') == [(90, 1000), (100, 1500)]
    assert parse('[N/A], 3\n') == []
    fake = tmp_path / 'smi'
    fake.write_text('#!/bin/sh\necho "$@" >&2; while true; do echo "50, 7"; sleep 0.05; done\n')
    fake.chmod(0o755)
    with GpuLoad(str(fake)) as load:
        subprocess.run(['sleep', '1'])
    assert set(load.samples()) == {(50, 7)} and len(load.samples()) > 3
    with GpuLoad('no-such-program') as load:
        pass
    assert load.samples() == []


def test_load_of_a_gpu_is_added_up_over_resumptions():
    runner = SimpleNamespace(message_hub=MessageHub('load'))
    for seconds in ([(90, 1000), (100, 1500)], [(20, 3000), (30, 200)]):  # two processes, of two epochs each
        seen = []
        hook = GpuLoadHook(SimpleNamespace(samples=lambda seen=seen: list(seen)))
        for sample in seconds:
            seen.append(sample)
            hook.after_train_epoch(runner)
    assert GpuLoadHook.read(runner.message_hub.runtime_info) == dict(gpu_utilisation=60.0, gpu_memory_mib=3000)
    assert GpuLoadHook.read({}) == {}


@pytest.mark.parametrize('flags', [['--seconds', '0'], ['--workers', '-1'], ['--rounds', '0']])
def test_wrong_numbers_are_refused(flags, monkeypatch, capsys):
    from benchmarks import throughput

    monkeypatch.setattr(sys, 'argv', ['throughput.py', *flags])
    with pytest.raises(SystemExit):
        throughput.main()
    assert 'must be above 0' in capsys.readouterr().err


def test_median_of_ratios_is_taken_round_by_round(monkeypatch):
    from benchmarks.speed import pipelines

    seconds = dict(a=np.array([1.0, 2.0, 4.0]), b=np.array([1.5, 2.0, 8.0]))
    monkeypatch.setattr(pipelines, 'take_turns', lambda turns, rounds: seconds)
    monkeypatch.setattr(pipelines, '_turn', lambda dataset, images: None)
    monkeypatch.setattr(pipelines.DATASETS, 'build', lambda cfg: None)

    from mmengine.config import Config

    cfg = Config(dict(train_dataloader=dict(dataset=dict(type='x', pipeline=[]))))
    first, second = pipelines.measure_pipelines(dict(a=cfg, b=cfg), rounds=3, images=2)
    # 1.5, 1 and 2
    assert second['ratio'] == 1.5 and second['ratio_quartiles'] == [1.25, 1.75] and second['ms'] == 1000
    assert first['ratio'] == 1
