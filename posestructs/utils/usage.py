"""Errors of a command's user, told in one line."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path


class UsageError(ValueError):
    """A command that cannot work as it was given; its text is shown to the user in place of a traceback."""


def report_usage_errors(main: Callable[[], None]) -> Callable[[], None]:
    """Decorate a command so that a :class:`UsageError` ends it with one line on stderr and exit status 1.

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
            sys.exit(f'{Path(sys.argv[0]).name}: error: {error}')

    return wrapped
