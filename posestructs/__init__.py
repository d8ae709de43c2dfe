"""Structured pose estimation for mmpose: importing this package registers its components in ``mmpose.registry``."""

import sys

from posestructs.version import __version__

__all__ = ['__version__']

# ``python -m posestructs.compat`` imports this package first, and has to run where nothing else does
if sys.orig_argv[-2:] != ['-m', 'posestructs.compat']:
    from posestructs import compat

    compat.apply()

    from posestructs import datasets, engine, evaluation, visualization

    __all__ += ['compat', 'datasets', 'engine', 'evaluation', 'visualization']
