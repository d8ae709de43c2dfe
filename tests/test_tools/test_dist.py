"""dist_*.sh and slurm_*.sh on two real processes over gloo: they compute what one process computes."""

import json
import os
import stat
import sys

import pytest
import torch

from tests.helpers import free_port, needs_data

pytestmark = [
    pytest.mark.xdist_group('ports'),
    needs_data,
    pytest.mark.skipif(torch.cuda.is_available(), reason='about ranks without a GPU'),
]
# four images: one batch of two, or one image for each of two ranks
FOUR = 'train_dataloader.dataset.indices=4'
TAIL = 4000  # characters of a failed command's output: the error is at the end


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-6)


# Python runs it ahead of a program; what it registers is done last
AT_THE_END = """
import atexit, os, pathlib
def write():
    names = [(task / 'comm').read_text() for task in pathlib.Path('/proc/self/task').iterdir()]
    pathlib.Path(__file__).with_name('rank' + os.environ['RANK']).write_text(''.join(names))
if 'RANK' in os.environ:
    atexit.register(write)
"""


@pytest.fixture(scope='module')
def two_ranks(command, tiny, tmp_path_factory):
    cwd = tmp_path_factory.mktemp('two')
    (cwd / 'sitecustomize.py').write_text(AT_THE_END)
    options = ['train_dataloader.batch_size=1', FOUR]
    flags = ['--work-dir', 'w', '--seed', '5', '--cfg-options', *options]
    done = command('dist_train.sh', tiny, 2, *flags, cwd=cwd, PORT=str(free_port()), PYTHONPATH=str(cwd))
    assert done.returncode == 0, (done.stdout + done.stderr)[-TAIL:]
    return cwd / 'w', done.stdout


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_ranks_end_without_a_thread_of_their_connections(two_ranks):
    for rank in (0, 1):  # one that is left can abort the rank while Python is taken down
        threads = (two_ranks[0].parent / f'rank{rank}').read_text().split()
        assert threads and not [name for name in threads if 'gloo' in name]


def test_two_ranks_train_as_one(two_ranks, main, tiny, tmp_path, scalars):
    work_dir, output = two_ranks
    main('train.py', tiny, '--work-dir', tmp_path / 'w', '--seed', 5, '--cfg-options', FOUR)
    two, one = (torch.load(d / 'epoch_2.pth', weights_only=True) for d in (work_dir, tmp_path / 'w'))
    assert two['meta']['iter'] == one['meta']['iter'] == 4
    assert_same_weights(one['state_dict'], two['state_dict'])
    assert [r['EPE'] for r in scalars(work_dir) if 'EPE' in r] == pytest.approx(
        [r['EPE'] for r in scalars(tmp_path / 'w') if 'EPE' in r], rel=1e-4
    )
    assert output.count('Saving checkpoint at 1 epochs') == 1  # rank 0 alone speaks


def test_two_ranks_evaluate_as_one(two_ranks, command, main, tiny, tmp_path):
    checkpoint = two_ranks[0] / 'epoch_2.pth'
    done = command('dist_test.sh', tiny, checkpoint, 2, '--out', 'two.json', cwd=tmp_path, PORT=str(free_port()))
    assert done.returncode == 0, (done.stdout + done.stderr)[-TAIL:]
    main('test.py', tiny, checkpoint, '--work-dir', tmp_path / 'w', '--out', tmp_path / 'one.json')
    two, one = (json.loads((tmp_path / name).read_text()) for name in ('two.json', 'one.json'))
    assert two == pytest.approx(one, rel=1e-6)  # five persons on two ranks: nobody counts twice
    assert done.stdout.count('| PCK | ') == 1  # by one rank alone


RECORD = 'printf "%s\\n" "$@" > srun.txt\n'
START = 'while [[ $1 == -* ]]; do shift; done\nSLURM_PROCID=0 SLURM_NTASKS=1 SLURM_NODELIST=node[1-1] exec "$@"\n'


@pytest.fixture
def slurm(tmp_path):
    """A stand-in for Slurm on PATH, which records its call and, as Slurm does, may start one task."""

    def install(start: bool) -> dict:
        (tmp_path / 'bin').mkdir()
        scontrol = '[ "$*" = "show hostnames node[1-1]" ] && echo 127.0.0.1\n'
        for name, body in dict(srun=RECORD + START * start, scontrol=scontrol).items():
            file = tmp_path / 'bin' / name
            file.write_text(f'#!/usr/bin/env bash\n{body}')
            file.chmod(file.stat().st_mode | stat.S_IXUSR)
        variables = dict(GPUS='2', GPUS_PER_NODE='1', CPUS_PER_TASK='3', SRUN_ARGS='--qos=low --exclusive')
        return variables | dict(PATH=f'{tmp_path / "bin"}:{os.environ["PATH"]}', MASTER_PORT=str(free_port()))

    return install


def assert_srun_words(folder, *words):
    given = (folder / 'srun.txt').read_text().splitlines()
    ours = ['--partition=part', '--job-name=my job', '--gres=gpu:1', '--ntasks=2', '--ntasks-per-node=1']
    ours += ['--cpus-per-task=3', '--kill-on-bad-exit=1', '--qos=low', '--exclusive', sys.executable, '-u']
    assert given[: len(ours)] == ours
    assert given[len(ours) + 1 :] == [str(word) for word in words]


def test_slurm_train(slurm, command, tiny, tmp_path):
    flags = ['--no-validate', '--cfg-options', 'train_cfg.max_epochs=1']
    done = command('slurm_train.sh', 'part', 'my job', tiny, 'my dir', *flags, cwd=tmp_path, **slurm(start=True))
    assert done.returncode == 0, (done.stdout + done.stderr)[-TAIL:]
    assert_srun_words(tmp_path, tiny, '--work-dir=my dir', '--launcher', 'slurm', *flags)
    assert (tmp_path / 'my dir' / 'epoch_1.pth').is_file()


def test_slurm_test(slurm, command, tiny, tmp_path):
    words = ['my job', tiny, 'a b.pth', '--out', 'c d.json']
    done = command('slurm_test.sh', 'part', *words, cwd=tmp_path, **slurm(start=False))
    assert done.returncode == 0, done.stderr
    assert_srun_words(tmp_path, tiny, 'a b.pth', '--launcher', 'slurm', '--out', 'c d.json')


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh'])
def test_scripts_tell_their_usage(script, command, tmp_path):
    done = command(script, 'config.py', cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith('usage: ')
