"""Fixtures of the tool tests: the smallest real config, and two ways to run a tool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers import data_root, repo_root
from tests.helpers.tools import run_main

TOOLS = repo_root() / 'tools'


def command_environment() -> dict:
    """The environment of a command: no display, the chosen Python, the tests' data."""
    env = {k: v for k, v in os.environ.items() if k not in ('DISPLAY', 'WAYLAND_DISPLAY', 'RANK', 'WORLD_SIZE')}
    return {**env, 'PYTHON': sys.executable, 'POSESTRUCTS_DATA': str(data_root())}


@pytest.fixture(scope='session')
def environment():
    return command_environment


def run_command(*command, cwd: Path, **env) -> subprocess.CompletedProcess:
    """A process of its own, as a user starts it; its output is a pipe."""
    first = TOOLS / command[0]
    words = [sys.executable, first] if first.suffix == '.py' else [first]
    words = [str(word) for word in (*words, *command[1:])]
    return subprocess.run(words, cwd=cwd, env=command_environment() | env, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope='session')
def command():
    return run_command


@pytest.fixture(scope='session')
def tiny() -> Path:
    return Path(__file__).parent / 'tiny_mpii-64x64.py'


@pytest.fixture(scope='session')
def main():
    return run_main


def read_scalars(work_dir: Path) -> list[dict]:
    """The rows that the newest run of a work directory logged."""
    file = sorted(work_dir.glob('*/vis_data/scalars.json'))[-1]
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture(scope='session')
def scalars():
    return read_scalars


@pytest.fixture(scope='session')
def adversarial_config() -> Path:
    return Path(__file__).parent / 'tiny_adversarial-64x64.py'


@pytest.fixture(scope='session')
def adversarial_run(adversarial_config, tmp_path_factory) -> Path:
    """Work directory of a run with both discriminators, stopped after one of two epochs and resumed."""
    work_dir = tmp_path_factory.mktemp('adversarial') / 'run'
    for epochs, flags in ((1, []), (2, ['--resume'])):
        options = ['--cfg-options', f'train_cfg.max_epochs={epochs}']
        run_main('train.py', adversarial_config, '--work-dir', work_dir, *flags, *options)
        time.sleep(1)  # mmengine names the folder of a run's log by the second
    return work_dir
