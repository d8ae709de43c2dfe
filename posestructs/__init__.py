"""Structured pose estimation for mmpose: importing this package registers its components in ``mmpose.registry``."""

import os
import sys

from posestructs.version import __version__

__all__ = ['__version__']


def register() -> None:
    """Import mmpose, then the components, which registers them; a second call does nothing.

    The command ``posestructs`` does so itself, where a component is needed, so that a stop meanwhile ends it in one
    line. Everything else does so by importing this package.
    """
    from posestructs import compat

    compat.apply()

    from posestructs.utils.config_bases import lead_to_our_configs

    lead_to_our_configs()

    from posestructs import codecs, datasets, engine, evaluation, layers, models, structures, visualization

    components = compat, codecs, datasets, engine, evaluation, layers, models, structures, visualization
    names = [module.__name__.rpartition('.')[2] for module in components]
    __all__[1:] = sorted(names)


def _is_command(words: list[str]) -> bool:
    """Check for the command ``posestructs``, ``python -m posestructs``, or the report of ``posestructs.compat``.

    ``python -m posestructs.compat`` imports this package first, and has to run where nothing else does.
    """
    words = words[1:]
    while words and words[0].startswith('-') and words[0] != '-m':
        words = words[2 if words[0] in ('-W', '-X') else 1 :]
    if words[:1] == ['-m']:
        return words[1:2] in (['posestructs'], ['posestructs.compat'])
    return bool(words) and os.path.basename(words[0]) in ('posestructs', 'posestructs.exe')


if not _is_command(sys.orig_argv):
    register()
