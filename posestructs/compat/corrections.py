"""Corrections of mmpose's and mmengine's behaviour beside current packages."""

from __future__ import annotations

import functools
import importlib.util
import sys
from types import ModuleType


def provide_pkg_resources() -> None:
    """Give mmengine the four names it needs where setuptools (81 and later) no longer ships ``pkg_resources``.

    mmengine imports it inside functions and reloads it, so unlike the others this stand-in stays.
    """
    if 'pkg_resources' in sys.modules or importlib.util.find_spec('pkg_resources') is not None:
        return
    from posestructs.compat import pkg_resources_stand_in

    sys.modules['pkg_resources'] = pkg_resources_stand_in


def provide_distutils() -> None:
    """Give mmengine's report of the environment the module it imports, which Python 3.12 no longer has.

    Setuptools brings one, where it is installed. The report catches one of its errors, which only compilers of Windows
    raise.
    """
    if 'distutils' in sys.modules or importlib.util.find_spec('distutils') is not None:
        return
    package, errors = ModuleType('distutils'), ModuleType('distutils.errors')
    package.__path__ = []  # a package without files: importing any other submodule fails as it should
    package.errors = errors
    name = 'DistutilsPlatformError'
    setattr(errors, name, type(name, (Exception,), {'__module__': errors.__name__}))
    sys.modules.update({'distutils': package, 'distutils.errors': errors})


def mend_visualizer() -> None:
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


def mend_to_numpy() -> None:
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
