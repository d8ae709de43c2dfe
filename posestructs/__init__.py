"""Structured pose estimation for mmpose: importing this package registers its components in ``mmpose.registry``."""

import sys

from posestructs.version import __version__

__all__ = ['__version__']

# ``python -m posestructs.compat`` imports this package first, and has to run where nothing else does
if sys.orig_argv[-2:] != ['-m', 'posestructs.compat']:
    from posestructs import compat

    compat.apply()

    from posestructs.utils.config_bases import lead_to_our_configs

    lead_to_our_configs()

    from posestructs import codecs, datasets, engine, evaluation, layers, models, structures, visualization

    __all__ += ['codecs', 'compat', 'datasets', 'engine', 'evaluation', 'layers', 'models', 'structures']
    __all__ += ['visualization']
