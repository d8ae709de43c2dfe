"""Speeds are those of real steps and pipelines, and ratios those of turns taken one after the other."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub

from benchmarks.grid.training import GpuLoad, GpuLoadHook, parse_gpu_load
from benchmarks.speed import layouts
from benchmarks.speed.measure import endless, rate
from benchmarks.speed.pipelines import same_data, take_turns
from benchmarks.speed.report import least_batches, pipeline_table, speed_section
from benchmarks.throughput import CONFIGS
from posestructs.utils.usage import UsageError
from tests.helpers import repo_root

ROOT = repo_root()
CONFIG = 'configs/demo/td-hm_res18-small_stick-figure-64x64.py'
TINY = ['train_dataloader.dataset.num_samples=8', 'train_dataloader.batch_size=4']


def test_command_measures_a_config_and_writes_its_page(tmp_path):
    out, page = tmp_path / 'speed.json', tmp_path / 'page.md'
    command = [sys.executable, 'benchmarks/throughput.py', '--out', str(out)]
    sizes = ['--device', 'cpu', '--workers', '0', '1', '--seconds', '0.01', '--rounds', '2', '--images', '2']
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
    measured = [model['step'], model['step_again'], *model['pipeline'].values(), *model['both'].values()]
    assert all(one['speed'] > 0 and one['batches'] >= 8 for one in measured) and model['memory_mib'] > 100
    (pipeline,) = found['pipelines']
    assert pipeline['names'] == [model['name']] and pipeline['occluders'] and pipeline['ratio'] == 1
    assert found['machine']['torch'] and found['device'] == 'cpu'

    from benchmarks import throughput

    throughput.report(page, out)
    assert 'benchmarks/throughput.py --workers 0 1 --seconds 0.01 --rounds 2 --images 2\n' in page.read_text()
    text = page.read_text()
    assert (
        f'| {model["name"]} ' in text and f'{model["step"]["speed"]:.1f}' in text and found['machine']['commit'] in text
    )


def test_layouts_are_those_of_real_steps_and_stand_beside_other_results(tmp_path, monkeypatch, capsys):
    from benchmarks import throughput

    out, page = tmp_path / 'speed.json', tmp_path / 'page.md'
    out.write_text(json.dumps(dict(kept=1)))
    layouts_of = []
    convert = layouts.to_channels_last
    monkeypatch.setattr(layouts, 'to_channels_last', lambda model: layouts_of.append(model) or convert(model))
    flags = ['--layouts', '--rounds', '1', '--out', str(out), '--device', 'cpu', '--configs', CONFIG]
    monkeypatch.setattr(sys, 'argv', ['throughput.py', *flags, '--cfg-options', *TINY])
    monkeypatch.chdir(ROOT)
    throughput.main()
    found = json.loads(out.read_text())
    (model,) = found['layouts']['models']
    ways = [layouts.DEFAULT, layouts.LAST, layouts.FROZEN]
    assert found['kept'] == 1 and list(model['ms']) == [*ways, layouts.LOADING] and list(model['ratio']) == ways
    assert all(ms > 0 for ms in model['ms'].values()) and model['ratio'][layouts.DEFAULT] == 1
    assert len(layouts_of) == 2 and all(
        p.is_contiguous(memory_format=torch.channels_last) for p in layouts_of[0].parameters() if p.dim() == 4
    )
    # mmpose's ResNet: the stem and two stages
    frozen = {name.split('.')[1] for name, p in layouts_of[1].named_parameters() if not p.requires_grad}
    assert frozen == {'conv1', 'bn1', 'layer1', 'layer2'}
    for quartiles, expected in (([1.4, 1.6], 'undecided'), ([1.4, 1.49], '**missed**'), ([1.5, 1.6], 'reached')):
        model['ratio_quartiles'][layouts.LAST] = quartiles
        assert f'td-hm_res18-small_stick-figure-64x64 {expected};' in layouts.layouts_section(found['layouts'])
    throughput.report(page, out)
    assert 'Open: not measured yet' in page.read_text() and '### Layout of the weights' in page.read_text()


def test_turns_change_their_order_and_the_first_round_does_not_count():
    now, order = itertools.count(), []
    turns = {name: (lambda name=name: order.append(name)) for name in 'abc'}
    times = take_turns(turns, rounds=3, clock=lambda: next(now))
    assert ''.join(order) == 'abcbcacababc'
    assert {name: seconds.tolist() for name, seconds in times.items()} == dict.fromkeys('abc', [1, 1, 1])


class Clock:
    """Seconds that pass only where something is done."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr('benchmarks.speed.measure.time.perf_counter', lambda: self.now)

    def batches(self, seconds, ready=0, images=16):
        """Batches that take some seconds each, but for those that are ready."""
        for count in itertools.count():
            self.now += 0 if count < ready else seconds
            yield dict(inputs=[count] * images)

    def use(self, seconds):
        def pass_time(batch):
            self.now += seconds

        return pass_time


def test_rate_counts_images_of_whole_batches(monkeypatch):
    clock = Clock(monkeypatch)
    batches = endless([dict(inputs=[0] * 16), dict(inputs=[0] * 8)])  # the last of an epoch is smaller
    assert rate(batches, clock.use(1), 10, lambda: None) == dict(speed=12, batches=10)
    # as many as there have to be, where they are slow
    assert rate(batches, clock.use(3), 10, lambda: None) == dict(speed=4, batches=8)
    # the device's own time is part of it
    assert rate(batches, clock.use(1), 16, lambda: clock.use(1)(None)) == dict(speed=6, batches=8)


def test_slow_first_batches_do_not_count(monkeypatch):
    clock = Clock(monkeypatch)
    seen = []

    def use(batch):
        seen.append(batch)
        clock.now += 100 if len(seen) <= 3 else 2

    assert rate(clock.batches(0), use, 1, lambda: None) == dict(speed=8, batches=8)
    assert len(seen) == 3 + 8


def test_batches_that_were_ready_before_the_clock_started_do_not_count(monkeypatch):
    clock = Clock(monkeypatch)
    batches = clock.batches(2, ready=16)
    # 16 images in 2 seconds, over more batches than can be ready
    assert rate(batches, clock.use(0), 10, lambda: None, ready=16) == dict(speed=8, batches=17)
    # a loader that is taken for one that holds none ready would seem faster
    assert rate(clock.batches(2, ready=16), clock.use(0), 10, lambda: None)['speed'] > 8


def test_loaders_hold_as_many_batches_ready_as_they_are_said_to(monkeypatch):
    from benchmarks.speed import devices, measure, training_step

    given = []
    monkeypatch.setattr(training_step, 'make_step', lambda cfg, device: lambda batch: None)
    monkeypatch.setattr(measure, 'rate', lambda batches, use, seconds, wait, ready=0: given.append(ready) or ready)
    monkeypatch.setattr(devices, 'peak_mib', lambda device: 5)
    options = {'train_dataloader.dataset.num_samples': 8, 'train_dataloader.batch_size': 4}
    found = measure.measure(str(ROOT / CONFIG), options, [0, 2, 8], 1, 'cpu')
    # torch prefetches two batches a worker
    assert given == [0, 0, 0, 4, 4, 16, 16, 0]
    assert found['both'] == {'0': 0, '2': 4, '8': 16} and found['memory_mib'] == 5


def row(*names, quartiles, occluders=True):
    return dict(names=list(names), occluders=occluders, ms=2.0, ratio=1.19, ratio_quartiles=quartiles)


def test_pipelines_beside_the_first_and_what_is_not_measured_is_open():
    rows = [
        row('a', quartiles=[1.0, 1.0]),
        row('b', quartiles=[1.05, 1.2]),
        row('c', 'd', quartiles=[1.05, 1.34]),
        row('e', quartiles=[1.201, 1.6]),
        row('c', 'd', quartiles=[0.8, 0.9], occluders=False),
    ]
    lines = [[cell.strip() for cell in line.split('|')[1:-1]] for line in pipeline_table(rows).splitlines()[2:]]
    assert [line[0] for line in lines] == ['a', 'b', 'c and d', 'e', 'c and d, no occluders']
    outcomes = ['reached', 'undecided', '**missed**', 'reached']
    assert [line[-1] for line in lines] == ['-', *(f'at most 1.2: {outcome}' for outcome in outcomes)]
    assert 'Open: not measured yet' in speed_section(None)


def test_table_tells_the_least_number_of_batches():
    def one(batches):
        return dict(speed=10.0 * batches, batches=batches)

    model = dict(step=one(12), step_again=one(11), pipeline={'0': one(100), '8': one(60)}, both={'0': one(9)})
    slow = dict(step=one(13), step_again=one(8), pipeline={'0': one(70)}, both={'0': one(30)})
    assert least_batches([model]) == (9, 60) and least_batches([model, slow]) == (8, 60)


def test_load_of_a_gpu_from_lines_of_nvidia_smi(tmp_path):
    assert parse_gpu_load('90, 1000\n100, 1500\n5') == [(90, 1000), (100, 1500)]
    assert parse_gpu_load('[N/A], 3\n') == []
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
    assert '--images above 0' in capsys.readouterr().err


# ids, as tests with the keyword 'cuda' are for machines that have it
@pytest.mark.parametrize('device', ['cuda:99', 'gpu', 'mps', 'cuda'], ids=['no such', 'unknown', 'other', 'none'])
def test_a_device_that_is_not_there_is_refused_before_anything_is_measured(device, tmp_path, monkeypatch):
    from benchmarks import throughput

    if device == 'cuda' and torch.cuda.is_available():
        pytest.skip('there is one')
    measured = []
    for name in ('measure_pipelines', 'measure_model'):
        monkeypatch.setattr(throughput, name, lambda *given: measured.append(given))
    out = tmp_path / 'speed.json'
    monkeypatch.setattr(sys, 'argv', ['throughput.py', '--device', device, '--out', str(out)])
    with pytest.raises(SystemExit) as stopped:
        throughput.main()
    assert f'--device {device}, allowed: cpu' in stopped.value.code
    assert not measured and not out.exists()


def test_every_gpu_is_waited_for_and_tells_its_own_memory(monkeypatch):
    from benchmarks.speed import devices

    calls = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(torch.cuda, 'synchronize', calls.append)
    monkeypatch.setattr(torch.cuda, 'max_memory_allocated', lambda device: {'cuda': 3, 'cuda:1': 7}[device] * 2**20)
    for device in ('cpu', 'cuda', 'cuda:1'):
        devices.check_device(device)
        devices.wait_for(device)
    assert calls == ['cuda', 'cuda:1']
    assert (devices.peak_mib('cuda'), devices.peak_mib('cuda:1')) == (3, 7) and devices.peak_mib('cpu') > 100
    with pytest.raises(UsageError, match='--device cuda:2, allowed: cpu, cuda, cuda:0, cuda:1$'):
        devices.check_device('cuda:2')


def test_median_of_ratios_is_taken_round_by_round_and_same_pipelines_once(monkeypatch):
    from benchmarks.speed import pipelines

    turns = [[1.0, 2.0, 4.0], [1.5, 2.0, 8.0], [1.0, 1.0, 1.0]]
    monkeypatch.setattr(pipelines, 'take_turns', lambda given, rounds: dict(zip(given, np.array(turns), strict=True)))
    monkeypatch.setattr(pipelines, '_turn', lambda dataset, images: None)
    built = []
    monkeypatch.setattr(pipelines.DATASETS, 'build', built.append)

    def config(*steps):
        pipeline = [dict(type=step) for step in steps]
        return Config(dict(train_dataloader=dict(dataset=dict(type='x', pipeline=pipeline))))

    configs = dict(a=config('y'), b=config('RandomOccluder', 'z'), c=config('RandomOccluder', 'z'))
    first, second, bare = pipelines.measure_pipelines(configs, rounds=3, images=2)
    assert (first['names'], second['names'], bare['names']) == (['a'], ['b', 'c'], ['b', 'c'])
    assert [line['occluders'] for line in (first, second, bare)] == [True, True, False]
    assert [[step['type'] for step in data['pipeline']] for data in built] == [['y'], ['RandomOccluder', 'z'], ['z']]
    # 1.5, 1 and 2
    assert second['ratio'] == 1.5 and second['ratio_quartiles'] == [1.25, 1.75] and second['ms'] == 1000
    assert first['ratio'] == 1 and bare['ratio'] == 0.5


def test_main_configs_of_one_pipeline_share_a_line():
    datasets = {Path(path).stem: Config.fromfile(str(ROOT / path)).train_dataloader.dataset for path in CONFIGS}
    shared = [names for names, _ in same_data(datasets)]
    assert shared == [[list(datasets)[0]], [list(datasets)[1]], list(datasets)[2:]]
