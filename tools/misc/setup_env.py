#!/usr/bin/env python3
"""Set up a virtual environment with everything posestructs needs; the system's Python is not changed.

Each step records a hash of its requirements. A finished step is skipped, an interrupted one is repeated, and a step
whose requirements have changed is repeated together with all later steps.

    python3 tools/misc/setup_env.py [--venv .venv] [--torch "torch==2.13.0"] [--family onedl]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
TESTED = ((3, 11), (3, 12), (3, 13))
# by the name of its file in requirements/
FAMILIES = {'openmmlab': "OpenMMLab's packages", 'onedl': "OneDL's mmengine beside mmcv-lite and mmpose"}


class Step(NamedTuple):
    """A call of pip."""

    name: str
    says: str
    arguments: list[str]
    files: tuple[str, ...] = ()  # their contents decide whether the step has to be done again
    python_path: str = ''


def steps(torch: str, family: str = 'openmmlab') -> list[Step]:
    """List the installation steps in order.

    Args:
        torch: Requirement of the torch build, with pip options if any.
        family: Whose mmengine, a key of ``FAMILIES``.

    Returns:
        list[Step]: Steps of one pip call each.
    """
    req = 'requirements/'
    return [
        Step('build', 'build tools', ['-r', req + 'build.txt'], (req + 'build.txt',)),
        Step('torch', torch, shlex.split(torch)),
        Step(
            'packages',
            'packages',
            ['-r', 'requirements.txt', '-r', req + 'test.txt'],
            ('requirements.txt', req + 'test.txt'),
        ),
        Step('openmmlab', FAMILIES[family], ['--no-deps', '-r', f'{req}{family}.txt'], (f'{req}{family}.txt',)),
        Step(
            'source',
            'xtcocotools, built against the installed numpy',
            ['--no-deps', '--no-build-isolation', '--no-binary', ':all:', '-r', req + 'source.txt'],
            (req + 'source.txt',),
            # Python 3.13 builds it only with the sitecustomize.py there
            'posestructs/compat/exec_names',
        ),
        Step(
            'posestructs',
            'posestructs itself, editable',
            ['--no-deps', '--no-build-isolation', '-e', '.'],
            ('setup.py', 'pyproject.toml'),
        ),
    ]


def missing_from_system() -> list[str]:
    """Find requirements that are missing and that pip cannot install.

    Returns:
        list[str]: One phrase for each missing requirement; empty if nothing is missing.
    """
    missing = []
    version = sys.version_info[:2]
    if version not in TESTED:
        allowed = ', '.join(f'{a}.{b}' for a, b in TESTED)
        missing.append(f'Python {allowed}: this is {version[0]}.{version[1]} ({sys.executable}); PYTHON=... chooses')
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as e:
        missing.append(f'the module {e.name} (on Debian and Ubuntu: apt install python{version[0]}.{version[1]}-venv)')
    compiler = shlex.split(os.environ.get('CC') or sysconfig.get_config_var('CC') or 'cc')[0]
    if not shutil.which(compiler) and not shutil.which('cc'):
        missing.append(f'a C compiler: no {compiler} and no cc on the PATH (on Debian and Ubuntu: apt install gcc)')
    header = Path(sysconfig.get_path('include')) / 'Python.h'
    if not header.is_file():
        missing.append(f"Python's headers: no {header} (on Debian and Ubuntu: apt install python3-dev)")
    return missing


def environment() -> dict[str, str]:
    """Return the environment variables of every call, without those that reach outside the venv."""
    env = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'PYTHONHOME', 'PIP_USER', 'PIP_TARGET')}
    return env | {'PYTHONNOUSERSITE': '1', 'PIP_DISABLE_PIP_VERSION_CHECK': '1'}


def say(text: str) -> None:
    sys.stdout.write(f'set-up: {text}\n')
    sys.stdout.flush()


def works(python: Path) -> bool:
    call = [str(python), '-m', 'pip', '--version']
    return python.is_file() and subprocess.run(call, env=environment(), capture_output=True).returncode == 0


def make_venv(venv: Path) -> None:
    """Create the environment, or recreate it if an earlier attempt was interrupted."""
    python = venv / 'bin' / 'python'
    if works(python):
        call = [str(python), '-c', 'import sys; print("{}.{}".format(*sys.version_info))']
        found = subprocess.run(call, env=environment(), capture_output=True, text=True).stdout.strip()
        wanted = '{}.{}'.format(*sys.version_info)
        if found != wanted:
            raise SystemExit(f'set-up: {venv} is of Python {found}, this is {wanted}; remove it or choose VENV=...')
        return
    if venv.exists() and not (venv / 'pyvenv.cfg').is_file() and any(venv.iterdir()):
        raise SystemExit(f'set-up: {venv} exists and is no virtual environment; move it away or choose VENV=...')
    say(f'creating {venv}')
    subprocess.run([sys.executable, '-m', 'venv', '--clear', str(venv)], check=True, env=environment())


def digest(step: Step, before: str) -> str:
    """Hash a step and the hash of the step before it, so that a change repeats all later steps."""
    h = hashlib.sha256(repr((before, step.arguments, sys.version_info[:2])).encode())
    for name in step.files:
        h.update((ROOT / name).read_bytes())
    return h.hexdigest()


def run_step(step: Step, venv: Path, stamp: str) -> bool:
    """Run a step unless its recorded hash is up to date.

    Args:
        step: The step.
        venv: Folder of the virtual environment.
        stamp: Hash of the step.

    Returns:
        bool: True if the step was run.
    """
    done = venv / '.posestructs' / f'{step.name}.done'
    begun = done.with_suffix('.begun')
    if done.is_file() and done.read_text() == stamp:
        return False
    # a package that an interrupted pip copied in part may look installed to the next call
    again = ['--force-reinstall'] if begun.is_file() else []
    done.parent.mkdir(exist_ok=True)
    begun.touch()
    done.unlink(missing_ok=True)
    say(f'installing {step.says}' + (' (again, after an interruption)' if again else ''))
    call = [str(venv / 'bin' / 'python'), '-m', 'pip', 'install', '--quiet', *again, *step.arguments]
    env = environment() | ({'PYTHONPATH': str(ROOT / step.python_path)} if step.python_path else {})
    # the output is shown on failure only: pip warns of requirements that are left out on purpose, see openmmlab.txt
    with tempfile.TemporaryFile('w+') as log:
        if subprocess.run(call, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT).returncode:
            log.seek(0)
            raise SystemExit(f'{log.read()}\nset-up: this failed: {shlex.join(call)}\nset-up: run it again to go on.')
    done.write_text(stamp)
    begun.unlink()
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--venv', type=Path, default=ROOT / '.venv', help='folder of the virtual environment')
    parser.add_argument('--torch', default='torch==2.13.0', help='requirement of torch, with pip options if any')
    parser.add_argument('--family', choices=FAMILIES, default='openmmlab', help='whose mmengine; default: openmmlab')
    args = parser.parse_args()
    venv = args.venv if args.venv.is_absolute() else ROOT / args.venv
    if missing := missing_from_system():
        raise SystemExit('set-up needs what pip cannot install:\n' + '\n'.join(f'  - {m}' for m in missing))
    make_venv(venv)
    stamp, changed = '', False
    for step in steps(args.torch, args.family):
        stamp = digest(step, stamp)
        changed |= run_step(step, venv, stamp)
    if not changed:
        say(f'{venv} is up to date')
        return
    if subprocess.run(
        [str(venv / 'bin' / 'python'), '-m', 'posestructs.compat'], cwd=ROOT, env=environment()
    ).returncode:
        raise SystemExit(f'set-up: something above is missing or broken; remove {venv} and run it again')
    say(f'{venv} is ready')


if __name__ == '__main__':
    main()
