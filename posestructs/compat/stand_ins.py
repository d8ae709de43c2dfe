"""Stand-ins for packages that mmpose imports although most of its models do without them."""

from __future__ import annotations

import functools
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

from posestructs.compat.dependencies import WORKS, first_probe, needs, probe


class StandIn(NamedTuple):
    """A module in the place of one that is absent or broken.

    Attributes:
        package: Package that is absent or broken; also the key of its row in ``DEPENDENCIES``.
        module: Module that mmpose imports from.
        names: Names that mmpose imports unguarded; guarded imports of other names have to go on failing.
    """

    package: str
    module: str
    names: tuple[str, ...]


STAND_INS = (
    StandIn('mmcv.ops', 'mmcv.ops', ('MultiScaleDeformableAttention',)),
    StandIn('mmdet', 'mmdet.utils', ('ConfigType', 'reduce_mean')),
    StandIn('torchvision', 'torchvision.transforms', ('ToPILImage',)),
)
# modules of mmpose that import a stand-in: their classes are refused when they are built
_USERS = {
    'mmcv.ops': ('mmpose.models.heads.transformer_heads.edpose_head',),
    'mmdet': ('mmpose.models.heads.hybrid_heads.rtmo_head',),
    'torchvision': (),
}


@contextmanager
def stand_ins() -> Iterator[list[str]]:
    """Put stand-ins in place while mmpose is imported, and take them away afterwards.

    Every ``try: import torchvision`` elsewhere then finds what is really there. What works is never replaced.

    Yields:
        list[str]: Packages that were replaced.
    """
    replaced, added = [], []
    for stand_in in STAND_INS:
        state, reason = probe(stand_in.module)
        if state == WORKS:
            continue
        first_probe[stand_in.package] = state, reason
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
        raise ImportError(needs(f'{stand_in.module}.{name}', stand_in.package))

    # A class, so that annotations, isinstance and pickle treat it like any other; only making one is refused.
    return type(name, (), {'__new__': refuse, '__module__': stand_in.module})


def _forget(package: str) -> None:
    """Drop what a failed import left behind."""
    for name in [n for n in sys.modules if n == package or n.startswith(package + '.')]:
        del sys.modules[name]


def _hide_if_broken(package: str) -> None:
    """Make a package that is there but crashes on import look absent: guards catch ImportError only."""
    if importlib.util.find_spec(package) is not None:
        _forget(package)
        sys.modules[package] = None  # type: ignore[assignment]


def refuse_users(package: str) -> None:
    """Let mmpose's classes that need a replaced package say so when they are built, not when they are used.

    Args:
        package: A package that was replaced.
    """
    for name in _USERS[package]:
        for cls in vars(sys.modules[name]).values():
            if isinstance(cls, type) and cls.__module__ == name and _is_model(cls):
                cls.__init__ = _refusing_init(cls, package)


def _is_model(cls: type) -> bool:
    return any(base.__name__ == 'BaseModule' for base in cls.__mro__)


def _refusing_init(cls: type, package: str) -> Callable:
    @functools.wraps(cls.__init__)
    def __init__(self, *args, **kwargs):
        raise ImportError(needs(cls.__name__, package))

    return __init__
