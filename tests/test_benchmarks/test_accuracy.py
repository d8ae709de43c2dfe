"""The grid trains real rows, resumes stopped, killed and copied runs, and repeats nothing."""

import dataclasses
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import accuracy
from benchmarks.grid import run, worker
from benchmarks.grid.experiment import Settings
from benchmarks.grid.grids import GRIDS
from benchmarks.grid.measures import discriminator_scores
from benchmarks.grid.results import read_run
from benchmarks.grid.rows import BY_NAME
from benchmarks.grid.training import OutOfTime
from posestructs.utils import machine
from posestructs.utils.launch import has_accelerator
from tests.helpers import repo_root

ROOT = repo_root()
without_gpu = pytest.mark.skipif(has_accelerator(), reason='for machines without a GPU')
COMMAND = ['accuracy.py', '--budget', 'cpu', '--data']
GRID = 'cpu_stick-figure-64x64'
# three tiny epochs of a small model
TINY = Settings(epochs=3, epoch_images=8, test_images=4, batch_size=4)
FLAGS = ['--epochs', '3', '--epoch-images', '8', '--test-images', '4', '--batch-size', '4']


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    def call(*arguments, data='stick-figure', place=tmp_path):
        monkeypatch.chdir(ROOT)
        places = ['--work-dir', str(place / 'work'), '--out', str(place / 'results')]
        monkeypatch.setattr(sys, 'argv', [*COMMAND, data, *arguments, *places])
        accuracy.main()
        return capsys.readouterr().out

    return call


def plan(row, place, settings=TINY):
    return run.plan('cpu', 'stick-figure', [BY_NAME[row]], [0], place, settings)


def test_a_run_survives_a_kill_a_copy_and_a_stop_and_is_not_repeated(tmp_path, call, monkeypatch):
    """It is killed after one epoch, stopped after the second in a copy of the folder, and finished after the third."""
    words, here, there = ['--rows', 'single-task', *FLAGS], tmp_path / 'here', tmp_path / 'there'
    ((task, finished),) = plan('single-task', run.Place(here / 'work', here / 'results'))
    assert not finished
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    process = run._start(task, jobs=1, end=None)
    assert {b'OMP_NUM_THREADS=1', b'MKL_NUM_THREADS=1'} <= set(
        Path(f'/proc/{process.pid}/environ').read_bytes().split(b'\0')
    )
    until = time.time() + 500
    while not list(here.rglob('epoch_1.pth')):
        assert process.poll() is None and time.time() < until, run._log(task).read_text()
        time.sleep(0.02)
    process.kill()
    process.wait()
    shutil.copytree(here, there)
    shutil.rmtree(here)

    # two seconds for training are over before the process has started; the epoch it begins is finished all the same
    monkeypatch.setattr(run, 'FOR_SCORING', 298.0)
    printed = call(*words, '--max-minutes', '5', place=there)
    assert 'resumes' in printed and 'stopped at a checkpoint' in printed and '0 finished, 1 left, 0 failed' in printed
    assert [path.name for path in there.rglob('epoch_*.pth')] == ['epoch_2.pth']
    result = there / 'results' / GRID / 'single-task_seed0.json'
    assert not result.exists()

    ((task, _),) = plan('single-task', run.Place(there / 'work', there / 'results'))
    assert run._log(task).read_text().count('resumed epoch: ') == 1
    worker.run(task)
    found = json.loads(result.read_text())
    # no epoch is left out or counted twice
    assert found['images'] == 24 and found['epochs'] == 3 and found['seconds']['train'] > 0
    assert len(read_run(result).hits['plain'].measured) == 4
    stamp = result.stat().st_mtime_ns
    printed = call(*words, place=there)
    assert 'single-task/seed0: finished before' in printed and '1 finished, 0 left, 0 failed' in printed
    assert result.stat().st_mtime_ns == stamp
    page = (there / 'results' / 'README.md').read_text()
    assert '| generator, pose alone ' in page and 'open' in page
    assert 'single-task/seed1: open' in call(*words, '--seeds', '1', '--list', place=there)


def test_both_decodings_of_a_resumed_checkpoint_are_scored(tmp_path, monkeypatch):
    """Their commits are those of the code that ran, also of an earlier part, not one checked out meanwhile."""
    place = run.Place(tmp_path / 'work', tmp_path / 'results')
    tiny = dataclasses.replace(TINY, epochs=2)
    ((task, _),) = plan('tree-both', place, tiny)
    monkeypatch.setattr(machine, 'commit', lambda: '0000000')
    with pytest.raises(OutOfTime):
        worker.run(dataclasses.replace(task, deadline=time.time()))
    begun, other = task, plan('tree-none', place, tiny)[0][0]
    assert sorted([other, begun], key=lambda task: not run._has_checkpoint(task)) == [begun, other]
    trained = worker.train

    def train_while_another_commit_is_checked_out(*arguments):
        monkeypatch.setattr(machine, 'commit', lambda: '2222222')
        return trained(*arguments)

    monkeypatch.setattr(machine, 'commit', lambda: '1111111')
    monkeypatch.setattr(worker, 'train', train_while_another_commit_is_checked_out)
    worker.run(task)
    assert [finished for _, finished in plan('tree-both', place, tiny)] == [True]
    arg_max, max_sum = (
        json.loads((place.results / GRID / f'{name}_seed0.json').read_text())
        for name in ('tree-both', 'tree-both-max-sum')
    )
    assert arg_max['machine']['commit'] == max_sum['machine']['commit'] == '0000000, 1111111'
    # both epochs
    assert arg_max['images'] == 16 and arg_max['seconds']['train'] == max_sum['seconds']['train']
    assert arg_max['parameters'] == max_sum['parameters']
    plain = arg_max['sets']['plain'], max_sum['sets']['plain']
    # the same samples, whose labels stand in one file, with joints in other places
    assert (place.results / GRID / 'labels_plain.json').is_file() and not {'measured', 'joints'} & set(plain[0])
    assert plain[0].keys() == plain[1].keys() and plain[0]['curve'] != plain[1]['curve']


def test_a_call_whose_time_is_over_ends_its_runs_and_what_they_have_started(tmp_path, monkeypatch):
    monkeypatch.setattr(run, 'FOR_SCORING', 0)
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    tasks = plan('single-task', run.Place(tmp_path / 'work', tmp_path / 'results'))
    reported = []
    report = run.run_all(tasks, 1, time.time() + 2, reported.append)
    assert (report.left, report.done, report.failed) == (['stick-figure/single-task/seed0'], [], {})
    assert len(reported) == 1 and 'begins, number of threads: 1, log in' in reported[0]
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
    with pytest.raises(SystemExit, match='--out .* with --epochs --epoch-images .*, allowed: another folder'):
        call('--rows', 'mean-pose', *FLAGS)
    monkeypatch.undo()

    assert '1 finished' in call('--rows', 'mean-pose', '--test-images', '4', '--epoch-images', '8')
    page = tmp_path / 'results' / 'README.md'
    assert '| mean pose ' in page.read_text()
    # it is no part of the grid's own table
    accuracy.write_report(tmp_path / 'page.md', place.results, [GRIDS['cpu']['stick-figure']], Settings())
    assert 'mean-pose: left out of page.md' in capsys.readouterr().out
    assert 'no row has been run yet' in (tmp_path / 'page.md').read_text()


def test_a_run_that_two_grids_share_is_made_once(tmp_path, call, capsys):
    options = ['--rows', 'mean-pose', '--test-images', '4', '--epoch-images', '8']
    # in one call, and in the next
    assert '1 finished, 0 left' in call('lspet-mini-equal', *options, data='lspet-mini')
    reported = call(*options, data='lspet-mini-equal')
    assert 'lspet-mini-equal/mean-pose/seed0: finished before' in reported and 'begins' not in reported
    results = tmp_path / 'results'
    assert [path.parent.name for path in results.rglob('*_seed*.json')] == ['cpu_lspet-mini-128x128']
    small, wide = (results / 'README.md').read_text().split('### cpu_lspet-mini-80x80_equal-cost')
    assert wide.count('| mean pose ') == small.count('### cpu_lspet-mini-128x128\n') == 1

    # a row that differs is not taken from there, and nothing is logged of it
    stale = json.loads((results / 'cpu_lspet-mini-128x128' / 'mean-pose_seed0.json').read_text())
    (results / 'cpu_lspet-mini-128x128' / 'tree-none_seed0.json').write_text(json.dumps(stale))
    page = tmp_path / 'page.md'
    settings = Settings(test_images=4, epoch_images=8)
    accuracy.write_report(page, results, [GRIDS['cpu']['lspet-mini-equal']], settings)
    assert 'tree-none' not in capsys.readouterr().out
    (line,) = [line for line in page.read_text().splitlines() if line.startswith('| tree, no messages ')]
    assert ' open ' in line


@pytest.mark.gpu
def test_a_row_trains_in_bfloat16_with_loaders_of_its_own(tmp_path, call):
    reported = call('--rows', 'single-task', *FLAGS, '--bf16', '--channels-last', '--workers', '2')
    assert '1 finished, 0 left, 0 failed' in reported
    found = json.loads((tmp_path / 'results' / GRID / 'single-task_seed0.json').read_text())
    assert found['settings']['bf16'] and found['images'] == 24


def test_a_run_that_another_process_is_at_is_left_to_it(tmp_path, monkeypatch):
    fcntl = pytest.importorskip('fcntl')
    ((task, _),) = plan('mean-pose', run.Place(tmp_path / 'work', tmp_path / 'results'))
    Path(task.folder).mkdir(parents=True)
    monkeypatch.setattr(sys, 'argv', ['worker', task.to_json()])
    with Path(task.folder, 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SystemExit) as ended:
            worker.main()
    assert ended.value.code == worker.TAKEN


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--rows', 'nothing'], '--rows nothing, allowed: mean-pose'),
        (['--data', 'coco'], '--data coco, allowed with --budget cpu: stick-figure lspet-mini lspet-mini-equal'),
        (['--rows', 'mean-pose', 'pretrained'], '--rows pretrained, allowed with --data stick-figure: mean-pose'),
        pytest.param(['--bf16'], '--bf16 needs a GPU', marks=without_gpu),
        (['--jobs', '0'], '0 is not a whole number above 0'),
        (['--max-minutes', '-1'], '-1 is not a number of minutes'),
    ],
)
def test_wrong_arguments_are_refused(arguments, message, tmp_path, call, capsys):
    with pytest.raises(SystemExit) as stopped:
        call(*arguments)
    assert message in f'{stopped.value}{capsys.readouterr().err}'
    assert not Path(tmp_path, 'work').exists()


def test_discriminator_scores_are_means_of_the_last_rows_of_a_log(tmp_path):
    folder = tmp_path / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    rows = [
        {'iter': i, 'step': i, 'epoch': 1, 'loss': 20.0, 'loss_adv_pose': -0.1 * i, 'pose.score_real': 0.1 * i}
        for i in range(1, 11)
    ]
    (folder / 'scalars.json').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    # iterations 9 and 10
    assert discriminator_scores(tmp_path) == pytest.approx({'pose.score_real': 0.95, 'pose.of_loss': 0.95 / 20})
    last = discriminator_scores(tmp_path, share=0.01)
    assert last == pytest.approx({'pose.score_real': 1.0, 'pose.of_loss': 1.0 / 20})
    assert discriminator_scores(tmp_path / 'nothing') == {}
