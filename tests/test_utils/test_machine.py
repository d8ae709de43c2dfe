"""Commit, processor and versions against what the system itself says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from posestructs.utils import machine


def test_versions_and_cores():
    found = machine.describe_machine()
    assert found['torch'] == torch.__version__ and found['threads'] == torch.get_num_threads()
    assert found['cores'] == len(os.sched_getaffinity(0)) and found['python'] == sys.version.split()[0]
    assert ('gpu' in found) == torch.cuda.is_available()
    info = Path('/proc/cpuinfo').read_text()
    assert found['cpu'] in info or 'model name' not in info


def test_commit_of_a_checkout_and_of_none(tmp_path):
    """Run in a checkout of its own: clean, then with a change, then without git's folder."""
    folder = tmp_path / 'checkout'
    (folder / 'posestructs' / 'utils').mkdir(parents=True)
    copy = folder / 'posestructs' / 'utils' / 'machine.py'
    shutil.copy(machine.__file__, copy)

    def git(*words):
        identity = ('-c', 'user.name=a', '-c', 'user.email=a@example.org')
        return subprocess.run(['git', *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout

    def ask(**known):
        code = f'import runpy; print(runpy.run_path({str(copy)!r})["commit"]())'
        env = dict(os.environ, GIT_CEILING_DIRECTORIES=str(tmp_path), **known)
        return subprocess.run([sys.executable, '-c', code], env=env, capture_output=True, text=True).stdout.strip()

    git('init', '-q')
    git('add', '-A')
    git('commit', '-q', '-m', 'first')
    head = git('rev-parse', '--short=7', 'HEAD').strip()
    assert ask() == head
    copy.write_text(copy.read_text() + '\n')
    assert ask() == ask(POSESTRUCTS_COMMIT='another') == f'{head}-dirty'
    shutil.rmtree(folder / '.git')
    assert ask() == 'unknown' and ask(POSESTRUCTS_COMMIT='1234567') == '1234567'


@pytest.mark.parametrize(
    ('jobs', 'variables', 'expected'),
    [
        (1, {}, 8),
        (3, {}, 2),
        (9, {}, 1),
        (2, dict(OMP_NUM_THREADS='1'), 1),
        (2, dict(OMP_NUM_THREADS='3,2'), 3),
        (2, dict(OMP_NUM_THREADS='6'), 4),
        (2, dict(OMP_NUM_THREADS='6', MKL_NUM_THREADS='2'), 2),
        (2, dict(OMP_NUM_THREADS='0', MKL_NUM_THREADS='many'), 4),
    ],
)
def test_jobs_share_the_cores_within_the_limits_of_the_environment(jobs, variables, expected, monkeypatch):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(8)))
    for name in machine.THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert machine.threads_per_job(jobs) == expected
    given = machine.environment_with_threads(expected)
    assert (given['OMP_NUM_THREADS'], given['MKL_NUM_THREADS'], given['PATH']) == (
        *2 * [str(expected)],
        os.environ['PATH'],
    )
