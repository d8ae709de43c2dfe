"""Everything that makes mmpose 1.3 import and resume on today's stack, and nothing else.

OpenMMLab's last releases (mmengine 0.10.7, mmcv 2.2.0, mmpose 1.3.2) import compiled ``mmcv.ops``, ``mmdet`` and
``torchvision`` unguarded, which pip alone cannot provide beside current packages. :func:`apply` imports mmpose with
stand-ins in the places of those that are absent or broken. ``python -m posestructs.compat`` prints what was found.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings

from posestructs.compat.corrections import (
    mend_to_numpy,
    mend_visualizer,
    provide_distutils,
    provide_pkg_resources,
)
from posestructs.compat.dependencies import (
    BROKEN,
    DEPENDENCIES,
    MISSING,
    STAND_IN,
    WORKS,
    Dependency,
    Finding,
    find,
    findings,
    main,
    mending_message,
    probe,
    report,
)
from posestructs.compat.stand_ins import refuse_users, stand_ins

__all__ = [
    'BROKEN',
    'DEPENDENCIES',
    'MISSING',
    'STAND_IN',
    'WORKS',
    'Dependency',
    'Finding',
    'apply',
    'findings',
    'main',
]
__all__ += ['probe', 'report']

_MMPOSE = ('mmpose.models', 'mmpose.visualization')
_applied = False


def apply() -> None:
    """Import mmpose, with stand-ins for what is absent or broken; a second call does nothing.

    Raises:
        ImportError: Required packages are missing or broken, or mmpose was imported before and failed halfway; the
            message names each package and the command that mends it.
    """
    global _applied
    if _applied:
        return
    absent = [find(d) for d in DEPENDENCIES if not d.stand_in and importlib.util.find_spec(d.module) is None]
    if absent:
        raise ImportError(mending_message(absent))
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated', category=UserWarning)
    provide_pkg_resources()
    provide_distutils()
    with stand_ins() as replaced:
        _import_mmpose()
    for package in replaced:
        refuse_users(package)
    mend_visualizer()
    mend_to_numpy()
    _applied = True


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
        raise ImportError(mending_message(broken)) from e
