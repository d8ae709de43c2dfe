"""Report expected errors of a command in one line."""

from __future__ import annotations

import errno
import functools
import sys
from collections.abc import Callable
from pathlib import Path


class UsageError(ValueError):
    """A command that cannot work as it was given; its text is shown to the user in place of a traceback."""


# of a disk or a folder, not of a program
_FILE_SYSTEM_ERRORS = {errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EISDIR, errno.ENOSPC, errno.ENOTDIR}
_FILE_SYSTEM_ERRORS |= {errno.EPERM, errno.EROFS}


def report_usage_errors(main: Callable[[], None]) -> Callable[[], None]:
    """Decorate a command so that expected errors end it with one line on stderr.

    Those are a :class:`UsageError`, a full disk, a folder without permission (all exit status 1), and Ctrl-C (130).

    Args:
        main: The command.

    Returns:
        Callable[[], None]: The decorated command.
    """

    @functools.wraps(main)
    def wrapped() -> None:
        program = Path(sys.argv[0]).name
        try:
            main()
        except UsageError as error:
            sys.exit(f'{program}: error: {error}')
        except OSError as error:
            if error.errno not in _FILE_SYSTEM_ERRORS:
                raise
            where = f'{error.filename}: ' if error.filename else ''
            sys.exit(f'{program}: error: {where}{error.strerror}')
        except KeyboardInterrupt as error:
            print(' '.join(filter(None, [f'{program}: stopped by Ctrl-C', str(error)])), file=sys.stderr)
            sys.exit(130)

    return wrapped
