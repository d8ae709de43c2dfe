"""Report expected errors of a command in one line."""

from __future__ import annotations

import errno
import functools
import sys
from collections.abc import Callable
from pathlib import Path


class UsageError(ValueError):
    """A command that cannot work as it was given; its text is shown to the user in place of a traceback."""


class Terminated(KeyboardInterrupt):
    """A command stopped by SIGTERM, as the schedulers of clusters send it."""


# of a disk or a folder, not of a program
_FILE_SYSTEM_ERRORS = {errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EISDIR, errno.ENOSPC, errno.ENOTDIR}
_FILE_SYSTEM_ERRORS |= {errno.ELOOP, errno.ENAMETOOLONG, errno.EPERM, errno.EROFS}


def _program() -> str:
    """Name of the command, which ``posestructs`` sets when it has found it."""
    return Path(sys.argv[0]).name


def report_usage_errors(main: Callable[[], None]) -> Callable[[], None]:
    """Decorate a command so that expected errors end it with one line on stderr.

    Those are a :class:`UsageError`, a full disk, a folder without permission (all exit status 1), Ctrl-C (130) and
    :class:`Terminated` (143).

    Args:
        main: The command.

    Returns:
        Callable[[], None]: The decorated command.
    """

    @functools.wraps(main)
    def wrapped() -> None:
        try:
            main()
        except UsageError as error:
            sys.exit(f'{_program()}: error: {error}')
        except OSError as error:
            if error.errno not in _FILE_SYSTEM_ERRORS:
                raise
            where = f'{error.filename}: ' if error.filename else ''
            sys.exit(f'{_program()}: error: {where}{error.strerror}')
        except KeyboardInterrupt as error:
            by, status = ('SIGTERM', 143) if isinstance(error, Terminated) else ('Ctrl-C', 130)
            print(' '.join(filter(None, [f'{_program()}: stopped by {by}', str(error)])), file=sys.stderr)
            sys.exit(status)

    return wrapped
