"""A shell for the commands of the documents, in which ``python`` starts quickly."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import data_root


@pytest.fixture(scope='session')
def environment_of(tmp_path_factory) -> Iterator[Callable[[Path], dict[str, str]]]:
    """A shell's variables: ``python`` is this one, posestructs is that of a folder, the data are the tests'."""
    servers = []

    def environment_of(root: Path) -> dict[str, str]:
        folder = tmp_path_factory.mktemp('bin')
        program = [sys.executable, str(Path(__file__).with_name('preloaded_python.py'))]
        (folder / 'python').write_text(f'#!/bin/sh\nexec {shlex.join(program)} run {folder}/socket "$@"\n')
        (folder / 'python').chmod(0o755)
        own = {k: v for k, v in os.environ.items() if k not in ('DISPLAY', 'WAYLAND_DISPLAY', 'RANK', 'WORLD_SIZE')}
        own |= {'PATH': f'{folder}{os.pathsep}{os.environ["PATH"]}', 'PYTHONPATH': str(root)}
        own |= {'POSESTRUCTS_DATA': str(data_root())}
        server = subprocess.Popen([*program, 'serve', str(folder / 'socket')], env=own, stdin=subprocess.PIPE)
        servers.append(server)
        while not (folder / 'socket').exists() and server.poll() is None:
            time.sleep(0.1)
        return own

    yield environment_of
    for server in servers:
        server.kill()
        server.wait()


@pytest.fixture(scope='session')
def shell() -> Callable[[str, Path, dict[str, str]], str]:
    """Runs a script in a folder, and gives what it printed."""

    def shell(script: str, folder: Path, env: dict[str, str]) -> str:
        words = ['bash', '-euo', 'pipefail', '-c', script]
        done = subprocess.run(
            words, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500
        )
        assert done.returncode == 0, f'{script}\n{done.stdout[-4000:]}'
        return done.stdout

    return shell
