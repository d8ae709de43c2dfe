"""Structured pose estimation for mmpose: importing this package registers its components in ``mmpose.registry``."""

import os
import sys

from posestructs.version import __version__

__all__ = ['__version__']


def _is_light(words: list[str]) -> bool:
    """Check for a command that needs no component: help, the version, or the report of ``posestructs.compat``.

    ``python -m posestructs.compat`` imports this package first, and has to run where nothing else does.
    """
    words = words[1:]
    while words and words[0].startswith('-') and words[0] != '-m':
        words = words[2 if words[0] in ('-W', '-X') else 1 :]
    if words[:2] == ['-m', 'posestructs.compat']:
        return True
    if words[:2] == ['-m', 'posestructs']:
        words = words[1:]
    elif not words or os.path.basename(words[0]) not in ('posestructs', 'posestructs.exe'):
        return False
    return len(words) == 1 or words[1] in ('-h', '--help', '--version', 'compat')


if not _is_light(sys.orig_argv):
    from posestructs import compat

    compat.apply()

    from posestructs.utils.config_bases import lead_to_our_configs

    lead_to_our_configs()

    from posestructs import codecs, datasets, engine, evaluation, layers, models, structures, visualization

    __all__ += ['codecs', 'compat', 'datasets', 'engine', 'evaluation', 'layers', 'models', 'structures']
    __all__ += ['visualization']
