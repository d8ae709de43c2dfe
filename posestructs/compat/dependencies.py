"""Packages that posestructs and mmpose import: what was found, whether it works, and how to install it."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import shlex
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

WORKS, STAND_IN, MISSING, BROKEN = 'works', 'replaced by a stand-in', 'missing', 'broken'
# Python 3.13 can build xtcocotools with this folder in its path only: see sitecustomize.py there
_EXEC_NAMES = shlex.quote(str(Path(__file__).with_name('exec_names')))
_BUILD = f'PYTHONPATH={_EXEC_NAMES} ' if sys.version_info >= (3, 13) else ''
ONEDL = 'pip uninstall -y mmengine mmcv-lite && pip install onedl-mmengine onedl-mmcv'


class Dependency(NamedTuple):
    """A package that posestructs or mmpose imports.

    Args:
        module: Name to import.
        distributions: Names under which it is installed, one of which is enough.
        install: Command that installs it.
        stand_in: True where mmpose imports it unguarded although most models do without it.
        exclusive: True where its distributions write the same files, so that two of them break each other.
    """

    module: str
    distributions: tuple[str, ...]
    install: str
    stand_in: bool = False
    exclusive: bool = False


class Finding(NamedTuple):
    """Row of the report: the state of one dependency."""

    name: str
    version: str
    state: str
    reason: str
    install: str


# In the order of installation: xtcocotools is built against the numpy that is there. OneDL's distributions are
# maintained forks of OpenMMLab's, with the same modules.
DEPENDENCIES = (
    Dependency('numpy', ('numpy',), 'pip install numpy'),
    Dependency('torch', ('torch',), 'pip install torch'),
    Dependency('scipy', ('scipy',), 'pip install scipy'),
    Dependency('h5py', ('h5py',), 'pip install h5py'),
    Dependency('matplotlib', ('matplotlib',), 'pip install matplotlib'),
    Dependency('PIL', ('pillow',), 'pip install pillow'),
    Dependency('rich', ('rich',), 'pip install rich'),
    Dependency('json_tricks', ('json_tricks',), 'pip install json_tricks'),
    Dependency('munkres', ('munkres',), 'pip install munkres'),
    Dependency('cv2', ('opencv-python-headless', 'opencv-python'), 'pip install opencv-python-headless'),
    Dependency(
        'mmengine',
        ('mmengine', 'mmengine-lite', 'onedl-mmengine'),
        'pip install mmengine==0.10.7',
        exclusive=True,
    ),
    Dependency(
        'mmcv',
        ('mmcv', 'mmcv-lite', 'mmcv-full', 'onedl-mmcv'),
        'pip install mmcv-lite==2.2.0',
        exclusive=True,
    ),
    Dependency(
        'xtcocotools',
        ('xtcocotools',),
        'pip install cython "setuptools<81" wheel && '
        f'{_BUILD}pip install --force-reinstall --no-deps --no-build-isolation --no-binary xtcocotools xtcocotools',
    ),
    Dependency('mmpose', ('mmpose',), 'pip install --no-deps mmpose==1.3.2'),
    Dependency('pkg_resources', ('setuptools',), 'pip install "setuptools<81"', stand_in=True),
    Dependency('mmcv.ops', ('mmcv', 'mmcv-full', 'onedl-mmcv'), ONEDL, stand_in=True),
    Dependency(
        'mmdet',
        ('mmdet', 'onedl-mmdetection'),
        f'{ONEDL} onedl-mmdetection',
        stand_in=True,
        exclusive=True,
    ),
    Dependency('torchvision', ('torchvision',), 'pip install torchvision', stand_in=True),
)

first_probe: dict[str, tuple[str, str]] = {}
"""State and reason of what a stand-in was put for: once that is hidden, the package looks absent."""


def probe(module: str) -> tuple[str, str]:
    """Try to import a module.

    Args:
        module: Dotted name.

    Returns:
        tuple[str, str]: State (works, missing or broken) and, unless it works, the reason in one line.
    """
    top = module.split('.')[0]
    if sys.modules.get(top, '') is None or (top not in sys.modules and importlib.util.find_spec(top) is None):
        return MISSING, f'no module {top}'
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            importlib.import_module(module)
    except Exception as e:  # a broken binary raises nearly anything: ImportError, RuntimeError, AssertionError, OSError
        absent = isinstance(e, ModuleNotFoundError) and (e.name or '').startswith(module)
        return MISSING if absent else BROKEN, f'{type(e).__name__}: {e}'.split('\n')[0]
    return WORKS, ''


def needs(name: str, module: str) -> str:
    """Say that a class or function needs a package that is not usable.

    Args:
        name: Name of the class or function.
        module: Module of the dependency.

    Returns:
        str: The message, with the command that installs the package.
    """
    state, reason = first_probe[module]
    return f'{name} needs {module}, which is {state} here ({reason}); to mend: {dependency(module).install}'


def dependency(module: str) -> Dependency:
    """Look up a dependency by its module."""
    return next(d for d in DEPENDENCIES if d.module == module)


def findings() -> list[Finding]:
    """Look at each dependency.

    Returns:
        list[Finding]: One row per dependency, in the order of installation.
    """
    return [find(d) for d in DEPENDENCIES]


def find(d: Dependency) -> Finding:
    """Look at a dependency.

    Args:
        d: The dependency.

    Returns:
        Finding: Version, state, and the command that mends it.
    """
    state, reason = first_probe.get(d.module) or probe(d.module)
    installed = _installed(d)
    version = ', '.join(f'{name} {number}' for name, number in installed.items()) or '-'
    if d.exclusive and len(installed) > 1:
        reason = f'{" and ".join(installed)} write the same files; keep one of them'
        mend = f'pip uninstall -y {" ".join(installed)} && {_install_again(d)}'
        return Finding(d.module, version, BROKEN, reason, mend)
    if d.stand_in and state != WORKS:
        state, reason = STAND_IN, f'{state}: {reason}'
    return Finding(d.module, version, state, reason, '' if state == WORKS else d.install)


def families() -> str | None:
    """Find OpenMMLab's and OneDL's distributions of the same package side by side.

    Returns:
        str | None: The distributions of both, where there are both; mmcv-lite beside onedl-mmengine is no such case.
    """
    names = [name for d in DEPENDENCIES if d.exclusive for name in (_installed(d) if _of_both(d) else ())]
    if not names:
        return None
    onedl = [name for name in names if _is_onedl(name)]
    others = [name for name in names if name not in onedl]
    return f'{", ".join(others)} (OpenMMLab) beside {", ".join(onedl)} (OneDL)'


def _install_again(d: Dependency) -> str:
    """Command that installs one distribution of a dependency: OneDL's where other packages are OneDL's only."""
    others = [_installed(other) for other in DEPENDENCIES if other.exclusive and other != d]
    if any(names and all(map(_is_onedl, names)) for names in others):
        return f'pip install {next(filter(_is_onedl, d.distributions))}'
    return d.install.rpartition('&& ')[2]


def _of_both(d: Dependency) -> bool:
    return len({_is_onedl(name) for name in _installed(d)}) == 2


def _is_onedl(distribution: str) -> bool:
    return distribution.startswith('onedl-')


def _installed(d: Dependency) -> dict[str, str]:
    """Versions of the distributions of a dependency that are installed."""
    found = {}
    for name in d.distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def report() -> str:
    """Format the findings as a table.

    Returns:
        str: One line per dependency with version and state; below, of each that does not work the reason, and on a
            line of its own the command that mends it.
    """
    found = findings()
    rows = [('package', 'found', 'state'), *((f.name, f.version, f.state) for f in found)]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    lines = [f'{name:<{widths[0]}}  {version:<{widths[1]}}  {state}' for name, version, state in rows]
    for f in found:
        if f.install:
            optional = ', only if you need it' if f.state == STAND_IN else ''
            lines += ['', f'to mend {f.name} ({f.reason}){optional}:', f'    {f.install}']
    if mixed := families():
        lines.append('')
        lines.append(f'broken: {mixed}. They replace each other: uninstall one family, then install the other anew')
    return '\n'.join(lines)


def mending_message(broken: list[Finding]) -> str:
    """Name packages that are not usable and the command that installs them.

    Args:
        broken: Their findings.

    Returns:
        str: The message of several lines.
    """
    width = max(len(f.name) for f in broken)
    lines = [f'  {f.name:<{width}}  {f.state}: {f.reason}' for f in broken]
    command = ' && \\\n    '.join(merge_installs([f.install for f in broken]))
    return '\n'.join(['posestructs needs packages that are not usable here:', *lines, f'This mends it:\n    {command}'])


def merge_installs(commands: list[str]) -> list[str]:
    """Put consecutive plain ``pip install NAME`` commands into one.

    Args:
        commands: Commands in the order of installation.

    Returns:
        list[str]: Fewer commands with the same effect.
    """
    merged: list[str] = []
    for command in commands:
        name = command.removeprefix('pip install ')
        plain = ' --' not in command and '&&' not in command
        if plain and merged and ' --' not in merged[-1] and '&&' not in merged[-1]:
            merged[-1] += f' {name}'
        else:
            merged.append(command)
    return merged


def main() -> int:
    """Read the command line, which has no flags but ``--help``, and print the report.

    Returns:
        int: 0 where posestructs can be imported, 1 where something required is missing or broken.
    """
    argparse.ArgumentParser(
        description='Report which packages were found, replaced by stand-ins, or are missing. The exit status is 1 if '
        'something required is missing or broken.'
    ).parse_args()
    sys.stdout.write(report() + '\n')
    return int(families() is not None or any(f.state in (MISSING, BROKEN) for f in findings()))
