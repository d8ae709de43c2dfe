"""Everything that makes mmpose 1.3 import and resume on today's stack, and nothing else.

OpenMMLab's last releases (mmengine 0.10.7, mmcv 2.2.0, mmpose 1.3.2) import compiled ``mmcv.ops``, ``mmdet`` and
``torchvision`` unguarded, which pip alone cannot give them today. :func:`apply` imports mmpose with stand-ins in the
places of those that are absent or broken and then takes the stand-ins away, so that every ``try: import torchvision``
elsewhere still gets the truth. What works is never replaced. ``python -m posestructs.compat`` prints what was found.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

WORKS, STAND_IN, MISSING, BROKEN = 'works', 'replaced by a stand-in', 'missing', 'broken'


class Dependency(NamedTuple):
    """One package that posestructs or mmpose imports, and the command that installs it."""

    module: str
    distributions: tuple[str, ...]
    install: str
    stand_in: bool = False  # mmpose imports it unguarded although most models do without it


class Finding(NamedTuple):
    """What was found of one dependency: a row of the report."""

    name: str
    version: str
    state: str
    reason: str
    install: str


class StandIn(NamedTuple):
    """A module in the place of one that is absent or broken, with just the names that mmpose imports unguarded."""

    package: str  # what is absent or broken; also the key of its row in DEPENDENCIES
    module: str  # where mmpose imports from
    names: tuple[str, ...]  # only these: the guarded imports of other names must go on failing


# In the order in which they have to be installed: xtcocotools is built against the numpy that is there.
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
    Dependency('mmengine', ('mmengine', 'mmengine-lite'), 'pip install mmengine==0.10.7'),
    Dependency('mmcv', ('mmcv', 'mmcv-lite', 'mmcv-full'), 'pip install mmcv-lite==2.2.0'),
    Dependency(
        'xtcocotools',
        ('xtcocotools',),
        'pip install cython "setuptools<81" wheel && '
        'pip install --force-reinstall --no-deps --no-build-isolation --no-binary xtcocotools xtcocotools',
    ),
    Dependency('mmpose', ('mmpose',), 'pip install --no-deps mmpose==1.3.2'),
    Dependency('pkg_resources', ('setuptools',), 'pip install "setuptools<81"', stand_in=True),
    Dependency('mmcv.ops', ('mmcv',), 'pip uninstall -y mmcv-lite && pip install mmcv==2.2.0', stand_in=True),
    Dependency('mmdet', ('mmdet',), 'pip install mmdet', stand_in=True),
    Dependency('torchvision', ('torchvision',), 'pip install torchvision', stand_in=True),
)
STAND_INS = (
    StandIn('mmcv.ops', 'mmcv.ops', ('MultiScaleDeformableAttention',)),
    StandIn('mmdet', 'mmdet.utils', ('ConfigType', 'reduce_mean')),
    StandIn('torchvision', 'torchvision.transforms', ('ToPILImage',)),
)
# These modules of mmpose are the ones that import a stand-in; a class of theirs is refused when it is built.
_USERS = {
    'mmcv.ops': ('mmpose.models.heads.transformer_heads.edpose_head',),
    'mmdet': ('mmpose.models.heads.hybrid_heads.rtmo_head',),
    'torchvision': (),
}
_MMPOSE = ('mmpose.models', 'mmpose.visualization')

_applied = False
_first_probe: dict[str, tuple[str, str]] = {}  # of what a stand-in was put for: once hidden, all looks absent


def apply() -> None:
    """Import mmpose, with stand-ins for what is absent or broken; a second call does nothing.

    Raises:
        ImportError: Required packages are missing or broken, or mmpose was imported before and failed halfway; the
            message names each package and the command that mends it.
    """
    global _applied
    if _applied:
        return
    absent = [_find(d) for d in DEPENDENCIES if not d.stand_in and importlib.util.find_spec(d.module) is None]
    if absent:
        raise ImportError(_mending_message(absent))
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated', category=UserWarning)
    _stand_in_for_pkg_resources()
    with _stand_ins() as replaced:
        _import_mmpose()
    for package in replaced:
        _refuse_users(package)
    _mend_visualizer()
    _mend_to_numpy()
    _applied = True


# ---------------------------------------------------------------------------------------------------- stand-ins


def probe(module: str) -> tuple[str, str]:
    """Try to import a module.

    Args:
        module: Dotted name.

    Returns:
        tuple[str, str]: The state (works, missing or broken) and, unless it works, the reason in one line.
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


@contextmanager
def _stand_ins() -> Iterator[list[str]]:
    """Put stand-ins in place while mmpose is imported; yields the packages that were replaced."""
    replaced, added = [], []
    for stand_in in STAND_INS:
        state, reason = probe(stand_in.module)
        if state == WORKS:
            continue
        _first_probe[stand_in.package] = state, reason
        replaced.append(stand_in.package)
        _forget(stand_in.package)
        added += _put(stand_in)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
            yield replaced
    finally:
        for name in added:
            sys.modules.pop(name, None)
        for stand_in in STAND_INS:
            if stand_in.package in replaced and '.' not in stand_in.package:
                _hide_if_broken(stand_in.package)


def _put(stand_in: StandIn) -> list[str]:
    parts = stand_in.module.split('.')
    first = len(stand_in.package.split('.'))  # never a stand-in for mmcv itself
    names = ['.'.join(parts[:n]) for n in range(first, len(parts) + 1)]
    added = [name for name in names if name not in sys.modules]
    for name in added:
        module = ModuleType(name)
        module.__path__ = []  # a package without files: importing any other submodule fails as it should
        sys.modules[name] = module
    for name in stand_in.names:
        setattr(sys.modules[stand_in.module], name, _placeholder(name, stand_in))
    return added


def _placeholder(name: str, stand_in: StandIn) -> type:
    def refuse(self, *args, **kwargs):
        raise ImportError(_needs(f'{stand_in.module}.{name}', stand_in.package))

    # A class, so that annotations, isinstance and pickle treat it like any other; only making one is refused.
    return type(name, (), {'__new__': refuse, '__module__': stand_in.module})


def _needs(what: str, package: str) -> str:
    state, reason = _first_probe[package]
    return f'{what} needs {package}, which is {state} here ({reason}); to mend: {_dependency(package).install}'


def _dependency(module: str) -> Dependency:
    return next(d for d in DEPENDENCIES if d.module == module)


def _forget(package: str) -> None:
    """Drop what a failed import left behind."""
    for name in [n for n in sys.modules if n == package or n.startswith(package + '.')]:
        del sys.modules[name]


def _hide_if_broken(package: str) -> None:
    """Make a package that is there but crashes on import look absent: guards catch ImportError only."""
    if importlib.util.find_spec(package) is not None:
        _forget(package)
        sys.modules[package] = None  # type: ignore[assignment]


def _refuse_users(package: str) -> None:
    """Let mmpose's classes that need a replaced package say so when they are built, not when they are used."""
    for name in _USERS[package]:
        for cls in vars(sys.modules[name]).values():
            if isinstance(cls, type) and cls.__module__ == name and _is_model(cls):
                cls.__init__ = _refusing_init(cls, package)


def _is_model(cls: type) -> bool:
    return any(base.__name__ == 'BaseModule' for base in cls.__mro__)


def _refusing_init(cls: type, package: str) -> Callable:
    @functools.wraps(cls.__init__)
    def __init__(self, *args, **kwargs):
        raise ImportError(_needs(cls.__name__, package))

    return __init__


# ------------------------------------------------------------------------------------------------ importing mmpose


def _import_mmpose() -> None:
    left_over = [n for n in sys.modules if n.startswith(tuple(m + '.' for m in _MMPOSE))]
    halfway = bool(left_over) and not all(m in sys.modules for m in _MMPOSE)
    try:
        for module in _MMPOSE:
            importlib.import_module(module)
    except Exception as e:
        if halfway:
            raise ImportError(
                'mmpose was imported before posestructs and failed halfway, so that its registries hold some of its '
                f'classes already ({type(e).__name__}: {e}). Import posestructs before mmpose, in a fresh interpreter.'
            ) from e
        broken = [f for f in findings() if f.state in (MISSING, BROKEN)]
        if not broken:
            raise
        raise ImportError(_mending_message(broken)) from e


def _mending_message(broken: list[Finding]) -> str:
    width = max(len(f.name) for f in broken)
    lines = [f'  {f.name:<{width}}  {f.state}: {f.reason}' for f in broken]
    command = ' && \\\n    '.join(_merge_installs([f.install for f in broken]))
    return '\n'.join(['posestructs needs packages that are not usable here:', *lines, f'This mends it:\n    {command}'])


def _merge_installs(commands: list[str]) -> list[str]:
    """Put consecutive plain ``pip install NAME`` commands into one."""
    merged: list[str] = []
    for command in commands:
        name = command.removeprefix('pip install ')
        plain = ' --' not in command and '&&' not in command
        if plain and merged and ' --' not in merged[-1] and '&&' not in merged[-1]:
            merged[-1] += f' {name}'
        else:
            merged.append(command)
    return merged


# ------------------------------------------------------------------------------------------------ pkg_resources


def _stand_in_for_pkg_resources() -> None:
    """Give mmengine the four names it needs where setuptools (81 and later) no longer ships ``pkg_resources``.

    mmengine imports it inside functions and reloads it, so unlike the others this stand-in stays.
    """
    if 'pkg_resources' in sys.modules or importlib.util.find_spec('pkg_resources') is not None:
        return
    from posestructs.utils import pkg_resources_stand_in

    sys.modules['pkg_resources'] = pkg_resources_stand_in


# ------------------------------------------------------------------------------------------------ mended behaviour


def _mend_visualizer() -> None:
    """Let mmpose's visualizer draw under numpy 2.4: it passes a radius in an array of shape (1,) to ``int``."""
    import numpy as np
    from mmpose.visualization.opencv_backend_visualizer import OpencvBackendVisualizer

    draw_circles = OpencvBackendVisualizer.draw_circles

    @functools.wraps(draw_circles)
    def draw(self, center, radius, *args, **kwargs):
        if self.backend == 'opencv' and np.size(radius) == 1:
            radius = np.asarray(radius).item()
        return draw_circles(self, center, radius, *args, **kwargs)

    OpencvBackendVisualizer.draw_circles = draw


def _mend_to_numpy() -> None:
    """Let mmpose's heads measure their accuracy in bfloat16, which numpy does not have."""
    import torch
    from mmpose.utils import tensor_utils

    to_numpy = tensor_utils.to_numpy

    @functools.wraps(to_numpy)
    def convert(x, *args, **kwargs):
        if isinstance(x, torch.Tensor) and x.dtype == torch.bfloat16:
            x = x.float()
        return to_numpy(x, *args, **kwargs)

    for name, module in list(sys.modules.items()):
        if name.startswith('mmpose.') and getattr(module, 'to_numpy', None) is to_numpy:
            module.to_numpy = convert


# ------------------------------------------------------------------------------------------------ report


def findings() -> list[Finding]:
    """Look at each dependency.

    Returns:
        list[Finding]: One row a dependency, in installation order.
    """
    return [_find(d) for d in DEPENDENCIES]


def _find(d: Dependency) -> Finding:
    state, reason = _first_probe.get(d.module) or probe(d.module)
    if d.stand_in and state != WORKS:
        state, reason = STAND_IN, f'{state}: {reason}'
    return Finding(d.module, _version(d), state, reason, '' if state == WORKS else d.install)


def _version(d: Dependency) -> str:
    for name in d.distributions:
        try:
            return f'{name} {importlib.metadata.version(name)}'
        except importlib.metadata.PackageNotFoundError:
            continue
    return '-'


def report() -> str:
    """Format the findings as a table.

    Returns:
        str: One line a dependency: what was found, its state, and what to do about it.
    """
    rows = [('package', 'found', 'state', 'what to do')]
    for f in findings():
        optional = 'only if you need it: ' if f.state == STAND_IN else ''
        todo = f'{optional}{f.install}  ({f.reason})' if f.install else 'nothing'
        rows.append((f.name, f.version, f.state, todo))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return '\n'.join('  '.join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[3]]) for row in rows)


def main() -> int:
    """Print the report.

    Returns:
        int: 0 where posestructs can be imported, 1 where something required is missing or broken.
    """
    sys.stdout.write(report() + '\n')
    return int(any(f.state in (MISSING, BROKEN) for f in findings()))


if __name__ == '__main__':
    sys.exit(main())
