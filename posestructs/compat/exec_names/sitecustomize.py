"""``exec`` as it was before Python 3.13, for the build of xtcocotools, whose setup.py needs it.

That file reads with ``locals()`` a name that ``exec`` has set in a function; Python 3.13 (PEP 667) no longer keeps it.
Python imports this module at its start where this folder is in ``PYTHONPATH``.
"""

import builtins
import functools
import sys

_exec = builtins.exec


@functools.wraps(_exec)
def _exec_that_keeps_names(source, globals=None, locals=None, /, **options):
    frame = sys._getframe(1)
    if globals is None:
        globals, locals = frame.f_globals, frame.f_locals if locals is None else locals
    _exec(source, globals, globals if locals is None else locals, **options)


if sys.version_info >= (3, 13):
    builtins.exec = _exec_that_keeps_names
