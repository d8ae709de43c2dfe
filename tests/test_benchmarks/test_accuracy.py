"""The grid trains real rows, survives a kill, does nothing twice, stops in time and travels in one tar."""

import dataclasses
import json
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from posestructs.utils import machine
from posestructs.utils.checkpoints import last_good_checkpoint
from posestructs.utils.launch import has_accelerator
from tests.helpers import repo_root

sys.path.insert(0, str(repo_root()))

from benchmarks import accuracy
from benchmarks.grid import archive, run, worker
from benchmarks.grid.budgets import GRIDS
from benchmarks.grid.experiment import Settings
from benchmarks.grid.hooks import OutOfTime
from benchmarks.grid.rows import BY_NAME

ROOT = repo_root()
without_gpu = pytest.mark.skipif(has_accelerator(), reason='for machines without a GPU')
COMMAND = ['accuracy.py', '--budget', 'cpu', '--data']
GRID = ['cpu_stick-figure-64x64']
# three tiny epochs of a small model
TINY = Settings(epochs=3, epoch_images=8, test_images=4, batch_size=4)
FLAGS = ['--epochs', '3', '--epoch-images', '8', '--test-images', '4', '--batch-size', '4']


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    def call(*arguments, data='stick-figure'):
        monkeypatch.chdir(ROOT)
        places = ['--work-dir', str(tmp_path / 'work'), '--out', str(tmp_path / 'results')]
        monkeypatch.setattr(accuracy, 'BEGAN', time.time())
        monkeypatch.setattr(sys, 'argv', [*COMMAND, data, *arguments, *places])
        accuracy.main()
        return capsys.readouterr().out

    return call


def plan(row, place, settings=TINY):
    return run.plan('cpu', 'stick-figure', [BY_NAME[row]], [0], place, settings)


def test_goes_on_after_a_kill_and_does_nothing_twice(tmp_path, call):
    ((task, finished),) = plan('single-task', run.Place(tmp_path / 'work', tmp_path / 'results'))
    assert not finished
    process = run._start(task, jobs=1, end=None)
    until = time.time() + 500
    while not list(tmp_path.rglob('epoch_1.pth')):
        assert process.poll() is None and time.time() < until, run._log(task).read_text()
        time.sleep(0.02)
    process.kill()
    process.wait()
    result = tmp_path / 'results' / 'cpu_stick-figure-64x64' / 'single-task_seed0.json'
    assert not result.exists()

    told = call('--rows', 'single-task', *FLAGS)
    assert 'goes on' in told and '1 finished, 0 left, 0 failed' in told
    found = json.loads(result.read_text())
    # the epochs before the kill are counted, and none twice
    assert found['images'] == 24 and found['epochs'] == 3 and found['seconds']['train'] > 0
    assert found['sets']['plain']['people'] == 4
    assert 'resumed epoch: ' in run._log(task).read_text()
    page = (tmp_path / 'results' / 'README.md').read_text()
    assert '| generator, pose alone ' in page and 'open' in page

    stamp = result.stat().st_mtime_ns
    assert 'single-task/seed0: finished before' in call('--rows', 'single-task', *FLAGS)
    assert result.stat().st_mtime_ns == stamp
    assert 'single-task/seed1: open' in call('--rows', 'single-task', *FLAGS, '--seeds', '1', '--list')


def test_stops_in_time_and_goes_on_elsewhere_from_one_tar(tmp_path, monkeypatch):
    """And both decodings of one checkpoint are scored."""
    here, there = (run.Place(tmp_path / name / 'work', tmp_path / name / 'results') for name in ('here', 'there'))
    tiny = dataclasses.replace(TINY, epochs=2)
    ((task, _),) = plan('tree-both', here, tiny)
    with pytest.raises(OutOfTime):
        worker.run(dataclasses.replace(task, deadline=time.time()))
    assert [path.name for path in here.work.rglob('epoch_*.pth')] == ['epoch_1.pth']
    tar = tmp_path / 'grid.tar'
    assert archive.pack(tar, here, GRID, [Path(task.folder)], limit=2000) == [Path(task.folder).name]
    elsewhere = run.Place(tmp_path / 'elsewhere', tmp_path / 'elsewhere')
    assert archive.unpack(tar, elsewhere) == 1
    # what begins anew waits for all that has not begun, and that for what goes on
    late, other = plan('tree-both', elsewhere, tiny), plan('tree-none', elsewhere, tiny)
    turns = [late[0][0], other[0][0], task]
    assert [t.folder for t in sorted(turns, key=run._turn)] == [t.folder for t in turns[::-1]]
    assert archive.pack(tar, here, GRID, [Path(task.folder)]) == []
    assert tar.stat().st_size < archive.LIMIT

    folder = there.work / Path(task.folder).relative_to(here.work)
    folder.mkdir(parents=True)
    (folder / 'last_checkpoint').write_text('an older one')
    assert archive.unpack(tar, there) == 1 and not (folder / 'last_checkpoint').exists()
    ((task, _),) = plan('tree-both', there, tiny)
    trained = worker.train

    def train_while_another_commit_is_checked_out(*arguments):
        monkeypatch.setattr(machine, 'commit', lambda: '2222222')
        return trained(*arguments)

    monkeypatch.setattr(machine, 'commit', lambda: '1111111')
    monkeypatch.setattr(worker, 'train', train_while_another_commit_is_checked_out)
    worker.run(task)
    assert [finished for _, finished in plan('tree-both', there, tiny)] == [True]
    # the older checkpoint of the tar does not come back
    assert archive.unpack(tar, there) == 1 and last_good_checkpoint(folder)[0].name == 'epoch_2.pth'
    results = there.results / 'cpu_stick-figure-64x64'
    arg_max, max_sum = (
        json.loads((results / f'{name}_seed0.json').read_text()) for name in ('tree-both', 'tree-both-max-sum')
    )
    assert arg_max['machine']['commit'] == max_sum['machine']['commit'] == '1111111'
    # of both parts
    assert arg_max['images'] == 16 and arg_max['seconds']['train'] == max_sum['seconds']['train']
    assert arg_max['parameters'] == max_sum['parameters']
    plain = arg_max['sets']['plain'], max_sum['sets']['plain']
    # the same people, and joints in other places
    assert plain[0]['measured'] == plain[1]['measured'] and plain[0]['curve'] != plain[1]['curve']


def test_parts_of_a_grid_on_machines_that_share_one_tar(tmp_path, call, monkeypatch):
    """The first call's time for training is over before its process begins; it stops after one epoch all the same."""
    monkeypatch.setattr(run, 'FOR_SCORING', 298.0 - accuracy.FOR_PACKING)
    listed = accuracy.plan

    def plan_in_no_time(*arguments):
        tasks = listed(*arguments)
        monkeypatch.setattr(accuracy, 'BEGAN', time.time())
        return tasks

    monkeypatch.setattr(accuracy, 'plan', plan_in_no_time)
    tar = tmp_path / 'grid.tar'
    words = ['--rows', 'single-task', *FLAGS, '--unpack', str(tar), '--pack', str(tar)]
    told = call(*words, '--max-minutes', '5')
    assert 'not there yet' in told and 'begins' in told and 'stopped, to go on in another call' in told
    assert '0 finished, 1 left, 0 failed' in told
    assert [path.name for path in (tmp_path / 'work').rglob('epoch_*.pth')] == ['epoch_1.pth']

    shutil.rmtree(tmp_path / 'work')
    shutil.rmtree(tmp_path / 'results')
    told = call(*words)
    assert f'--unpack {tar}: 1' in told and 'goes on' in told and '1 finished, 0 left, 0 failed' in told
    found = json.loads((tmp_path / 'results' / 'cpu_stick-figure-64x64' / 'single-task_seed0.json').read_text())
    assert found['images'] == 24
    shutil.rmtree(tmp_path / 'results')
    told = call(*words)
    assert f'--unpack {tar}: 1' in told and 'finished before' in told and '1 finished' in told


def test_a_call_that_is_cut_off_leaves_what_it_has_done(tmp_path, call, monkeypatch):
    """The tar is there after each run, with the results of this budget alone."""
    tar, other = tmp_path / 'grid.tar', tmp_path / 'results' / 'gpu_elsewhere' / 'mean-pose_seed0.json'
    other.parent.mkdir(parents=True)
    other.write_text('{"fingerprint": "x"}')
    monkeypatch.setattr(accuracy, 'finish', lambda *_: pytest.fail('cut off'))
    with pytest.raises(pytest.fail.Exception, match='cut off'):
        call('--rows', 'mean-pose', '--test-images', '4', '--epoch-images', '8', '--pack', str(tar))
    with tarfile.open(tar) as found:
        (name,) = found.getnames()
    assert name == 'results/cpu_stick-figure-64x64/mean-pose_seed0.json'

    # results of the same run stay, others are replaced
    here = run.Place(tmp_path / 'work', tmp_path / 'results')
    result = tmp_path / name
    newer = json.dumps(dict(json.loads(result.read_text()), machine='newer'))
    result.write_text(newer)
    assert archive.unpack(tar, here) == 1 and result.read_text() == newer
    result.write_text('{"fingerprint": "another"}')
    assert archive.unpack(tar, here) == 1 and json.loads(result.read_text())['row'] == 'mean-pose'


def test_a_call_whose_time_is_over_ends_its_runs_and_what_they_have_started(tmp_path, monkeypatch):
    monkeypatch.setattr(run, 'FOR_SCORING', 0)
    tasks = plan('single-task', run.Place(tmp_path / 'work', tmp_path / 'results'))
    told = []
    report = run.run_all(tasks, 1, time.time() + 2, told.append)
    assert (report.left, report.done, report.failed) == (['stick-figure/single-task/seed0'], [], {})
    assert len(told) == 1 and 'begins' in told[0]
    with Path(tasks[0][0].folder, 'lock').open('a') as lock:  # nobody holds it
        pytest.importorskip('fcntl').flock(lock, 2 | 4)

    program = 'import subprocess; print(subprocess.Popen(["sleep", "600"]).pid, flush=True); input()'
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    with subprocess.Popen([sys.executable, '-c', program], **pipes) as process:
        child = int(process.stdout.readline())
        run._stop([process])
    until = time.time() + 10
    while Path(f'/proc/{child}').exists() and ') Z' not in Path(f'/proc/{child}/stat').read_text():
        assert time.time() < until, 'the child of a run that was stopped still runs'


def test_a_trial_leaves_the_results_alone(tmp_path, call, monkeypatch, capsys):
    place = run.Place(tmp_path / 'work', tmp_path / 'results')
    monkeypatch.setattr(accuracy, 'RESULTS', place.results)
    with pytest.raises(SystemExit, match='--epochs --epoch-images .* change what the grid says: --out must be another'):
        call('--rows', 'mean-pose', *FLAGS)
    monkeypatch.undo()

    tar = tmp_path / 'grid.tar'
    options = ['--rows', 'mean-pose', '--test-images', '4', '--epoch-images', '8', '--pack', str(tar)]
    told = call(*options, '--unpack', str(tar))
    assert 'not there yet' in told and '1 finished' in told and tar.is_file()
    page = tmp_path / 'results' / 'README.md'
    assert '| mean pose ' in page.read_text()
    # the grid's own table has no place for it
    accuracy.write_report(tmp_path / 'page.md', place.results, [GRIDS['cpu']['stick-figure']], Settings())
    assert 'mean-pose: left out of page.md' in capsys.readouterr().out
    assert 'no row has been run yet' in (tmp_path / 'page.md').read_text()


def test_a_run_that_two_grids_share_is_made_once(tmp_path, call, capsys):
    options = ['--rows', 'mean-pose', '--test-images', '4', '--epoch-images', '8']
    # in one call, and in the next
    assert '1 finished, 0 left' in call('lspet-mini-equal', *options, data='lspet-mini')
    told = call(*options, data='lspet-mini-equal')
    assert 'lspet-mini-equal/mean-pose/seed0: finished before' in told and 'begins' not in told
    results = tmp_path / 'results'
    assert [path.parent.name for path in results.rglob('*.json')] == ['cpu_lspet-mini-128x128']
    small, wide = (results / 'README.md').read_text().split('### cpu_lspet-mini-80x80_equal-cost')
    assert wide.count('| mean pose ') == small.count('### cpu_lspet-mini-128x128\n') == 1

    # a row that differs is not taken from there, and nobody is told of it
    stale = json.loads((results / 'cpu_lspet-mini-128x128' / 'mean-pose_seed0.json').read_text())
    (results / 'cpu_lspet-mini-128x128' / 'tree-none_seed0.json').write_text(json.dumps(stale))
    page = tmp_path / 'page.md'
    settings = Settings(test_images=4, epoch_images=8)
    accuracy.write_report(page, results, [GRIDS['cpu']['lspet-mini-equal']], settings)
    assert 'tree-none' not in capsys.readouterr().out
    (line,) = [line for line in page.read_text().splitlines() if line.startswith('| tree, no messages ')]
    assert ' open ' in line


def test_what_was_done_is_packed_even_if_the_report_fails(tmp_path, call):
    results = tmp_path / 'results' / 'cpu_stick-figure-64x64'
    results.mkdir(parents=True)
    (results / 'resnet_seed0.json').write_text('{}')
    tar = tmp_path / 'grid.tar'
    with pytest.raises(SystemExit, match='resnet_seed0.json is no result'):
        call('--rows', 'mean-pose', '--test-images', '4', '--epoch-images', '8', '--pack', str(tar))
    assert tar.is_file()


@pytest.mark.gpu
def test_a_row_trains_in_bfloat16_with_loaders_of_its_own(tmp_path, call):
    told = call('--rows', 'single-task', *FLAGS, '--bf16', '--channels-last', '--workers', '2')
    assert '1 finished, 0 left, 0 failed' in told
    found = json.loads((tmp_path / 'results' / 'cpu_stick-figure-64x64' / 'single-task_seed0.json').read_text())
    assert found['settings']['bf16'] and found['images'] == 24


def test_a_run_that_another_process_is_at_is_left_to_it(tmp_path):
    fcntl = pytest.importorskip('fcntl')
    ((task, _),) = plan('mean-pose', run.Place(tmp_path / 'work', tmp_path / 'results'))
    Path(task.folder).mkdir(parents=True)
    with Path(task.folder, 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = run._start(task, jobs=1, end=None)
        assert process.wait(300) == worker.TAKEN


def test_tars_that_reach_outside_are_refused(tmp_path):
    from posestructs.utils.usage import UsageError

    (tmp_path / 'file').write_text('x')
    with tarfile.open(tmp_path / 'bad.tar', 'w') as tar:
        tar.add(tmp_path / 'file', 'work/../../outside')
    place = run.Place(tmp_path / 'work', tmp_path / 'results')
    with pytest.raises(UsageError, match='is no file of --pack'):
        archive.unpack(tmp_path / 'bad.tar', place)
    assert not place.work.exists()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--rows', 'nothing'], '--rows nothing: allowed are mean-pose'),
        (['--data', 'coco'], '--data coco: --budget cpu has stick-figure lspet-mini lspet-mini-equal'),
        (['--rows', 'mean-pose', 'pretrained'], '--rows pretrained: no row of stick-figure'),
        pytest.param(['--bf16'], '--bf16 needs a GPU', marks=without_gpu),
        (['--jobs', '0'], '0 is not a whole number above 0'),
        (['--max-minutes', '-1'], '-1 is not a number of minutes'),
        (['--unpack', 'README.md', '--rows', 'mean-pose'], '--unpack README.md'),
    ],
)
def test_wrong_arguments_are_refused(arguments, message, tmp_path, call, capsys):
    with pytest.raises(SystemExit) as stopped:
        call(*arguments)
    assert message in f'{stopped.value}{capsys.readouterr().err}'
    assert not Path(tmp_path, 'work').exists()
