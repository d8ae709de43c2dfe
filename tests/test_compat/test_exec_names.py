"""``exec`` for the build of xtcocotools: names that it sets are found by ``locals()``, on every Python."""

import os
import runpy
import subprocess
import sys

import pytest

from tests.helpers import repo_root

FOLDER = repo_root() / 'posestructs' / 'compat' / 'exec_names'
SETUP = """
def get_version(source):
    exec(compile(source, 'version.py', 'exec'))
    return locals()['__version__']

print(get_version("__version__ = '1.14.3'"))
"""


def test_setup_py_finds_its_version():
    env = os.environ | {'PYTHONPATH': str(FOLDER)}
    done = subprocess.run([sys.executable, '-c', SETUP], env=env, capture_output=True, text=True)
    assert done.stdout == '1.14.3\n', done.stderr


@pytest.fixture
def replaced(monkeypatch):
    monkeypatch.setattr('builtins.exec', exec)  # given back after the test
    return runpy.run_path(str(FOLDER / 'sitecustomize.py'))['_exec_that_keeps_names']


def test_other_calls_are_as_before(replaced):
    outer, inner = {}, {}
    replaced('a = 1', outer)
    replaced('b = a + 1', outer, inner)
    assert outer['a'] == 1 and inner == {'b': 2} and 'b' not in outer
    replaced('found = FOLDER', globals(), inner)
    assert inner['found'] == FOLDER

    def local(x):
        replaced('y = x + 1')
        return locals()['y']

    assert local(2) == 3
