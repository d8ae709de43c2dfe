"""The set-up script, on environments it really makes; packages come from a folder of wheels that the test builds."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from tests.helpers import repo_root

SCRIPT = 'tools/misc/setup_env.py'
FILES = ('requirements.txt', 'requirements/build.txt', 'requirements/test.txt', 'requirements/openmmlab.txt')


def wheel(folder, name, version='1.0'):
    """A real, installable wheel with one module."""
    info = f'{name}-{version}.dist-info'
    with zipfile.ZipFile(folder / f'{name}-{version}-py3-none-any.whl', 'w') as z:
        z.writestr(f'{name}.py', f'version = {version!r}\n')
        z.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
        z.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        z.writestr(f'{info}/RECORD', '')


@pytest.fixture
def project(tmp_path):
    """A small project with the same steps: each requirements file names one package."""
    root, wheels = tmp_path / 'project', tmp_path / 'wheels'
    (root / 'tools' / 'misc').mkdir(parents=True)
    (root / 'requirements').mkdir()
    wheels.mkdir()
    (root / SCRIPT).write_text((repo_root() / SCRIPT).read_text())
    for i, name in enumerate(FILES):
        wheel(wheels, f'package{i}')
        (root / name).write_text(f'package{i}\n')
    wheel(wheels, 'torchlike')
    (root / 'requirements' / 'source.txt').write_text('')
    (root / 'posestructs').mkdir()
    (root / 'posestructs' / '__init__.py').write_text('')
    (root / 'posestructs' / 'compat.py').write_text('print("report")\n')
    (root / 'setup.py').write_text('')
    (root / 'pyproject.toml').write_text('')
    return root, wheels


def run(project, *args, python=sys.executable, **env):
    root, wheels = project
    # the last two steps build from source, which the tests of setup.py do
    code = (
        'import sys, runpy; sys.argv = sys.argv[1:]; sys.path.insert(0, "tools/misc"); import setup_env;'
        'all_steps = setup_env.steps; setup_env.steps = lambda *choice: all_steps(*choice)[:4]; setup_env.main()'
    )
    pip = {'PIP_NO_INDEX': '1', 'PIP_FIND_LINKS': str(wheels), 'PIP_CONFIG_FILE': os.devnull}
    environment = {**os.environ, **pip, **env}
    call = [python, '-c', code, SCRIPT, *args]
    done = subprocess.run(call, cwd=root, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def installed(project, name):
    call = [project[0] / '.venv' / 'bin' / 'python', '-c', f'import {name}; print({name}.version)']
    return subprocess.run(call, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_idempotent_resumable_and_follows_changes(project):
    root, wheels = project
    torch = ('--torch', 'torchlike')
    # a package of the third step cannot be had: the set-up stops there, and says how to go on
    (wheels / 'package2-1.0-py3-none-any.whl').rename(wheels / 'hidden')
    code, out = run(project, *torch)
    assert code == 1 and 'package2' in out and 'run it again to go on' in out
    assert installed(project, 'torchlike') == '1.0' and installed(project, 'package3') == ''

    (wheels / 'hidden').rename(wheels / 'package2-1.0-py3-none-any.whl')
    code, out = run(project, *torch)
    assert code == 0, out
    assert 'creating' not in out and 'torchlike' not in out  # what was done is not done again
    assert 'packages (again, after an interruption)' in out and out.rstrip().endswith('is ready')
    assert installed(project, 'package2') == installed(project, 'package3') == '1.0'

    code, out = run(project, *torch)
    assert code == 0 and out.strip() == f'set-up: {root / ".venv"} is up to date'

    # another torch build, and all that is installed on top of it
    wheel(wheels, 'torchlike', '2.0')
    code, out = run(project, '--torch', 'torchlike==2.0')
    assert code == 0 and 'installing torchlike==2.0' in out and 'installing packages' in out
    assert 'build tools' not in out and installed(project, 'torchlike') == '2.0'

    # a broken environment is made afresh
    (root / '.venv' / 'bin' / 'python').unlink()
    code, out = run(project, '--torch', 'torchlike==2.0')
    assert code == 0 and 'creating' in out and installed(project, 'torchlike') == '2.0'


def test_an_environment_of_another_python_is_not_mixed_up(project):
    python = project[0] / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    # answers as an environment of Python 3.6 with a working pip does
    python.write_text('#!/bin/sh\n[ "$1" = -c ] && echo 3.6\nexit 0\n')
    python.chmod(0o755)
    (project[0] / '.venv' / 'pyvenv.cfg').write_text('')
    code, out = run(project, '--torch', 'torchlike')
    assert code == 1 and 'is of Python 3.6, this is 3.' in out and 'VENV=' in out
    assert 'installing' not in out


def test_a_foreign_folder_is_left_alone(project):
    (project[0] / '.venv').mkdir()
    (project[0] / '.venv' / 'precious').write_text('mine')
    code, out = run(project, '--torch', 'torchlike')
    assert code == 1 and 'is no virtual environment' in out
    assert (project[0] / '.venv' / 'precious').read_text() == 'mine'


def test_what_the_system_lacks_is_named_before_anything_is_made(project):
    code, out = run(project, PATH='/nonexistent', CC='no-such-compiler')
    assert code == 1 and 'a C compiler: no no-such-compiler' in out and 'apt install gcc' in out
    assert not (project[0] / '.venv').exists()


@pytest.fixture
def setup_env():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location('setup_env', repo_root() / SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_family_of_onedl_has_another_mmengine_and_nothing_else(setup_env):
    def requirements(family):
        (files,) = [step.files for step in setup_env.steps('torch', family) if step.name == 'openmmlab']
        lines = (repo_root() / files[0]).read_text().splitlines()
        return {line for line in lines if line and not line.startswith('#')}

    ours, onedl = requirements('openmmlab'), requirements('onedl')
    assert {line.partition('==')[0] for line in ours - onedl} == {'mmengine'}
    assert {line.partition('==')[0] for line in onedl - ours} == {'onedl-mmengine'}
    others = [[step for step in setup_env.steps('torch', f) if step.name != 'openmmlab'] for f in setup_env.FAMILIES]
    assert others[0] == others[1] and set(setup_env.FAMILIES) == {'openmmlab', 'onedl'}


def test_missing_headers_and_venv_are_named(project, setup_env, monkeypatch):
    assert setup_env.missing_from_system() == []
    monkeypatch.setattr(sysconfig, 'get_path', lambda name: str(project[0]))
    monkeypatch.setitem(sys.modules, 'ensurepip', None)
    venv, headers = setup_env.missing_from_system()
    assert 'ensurepip' in venv and '-venv' in venv
    assert f'no {project[0] / "Python.h"}' in headers and 'python3-dev' in headers
    monkeypatch.setattr(setup_env, 'TESTED', ((2, 7),))
    assert setup_env.missing_from_system()[0].startswith('Python 2.7: this is 3.')
