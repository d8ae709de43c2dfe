"""Check that results can be written, before the work that makes them."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path

from posestructs.utils.usage import UsageError


def check_output_folder(flag: str, folder: str | Path) -> None:
    """Refuse a folder that cannot be created or written to.

    It is tried: a missing folder is created and removed again, since permissions alone say little (to root, of
    ``/proc``, and on network file systems).

    Args:
        flag: Name of the argument, for the error.
        folder: The folder.

    Raises:
        UsageError: It cannot be written to; says why.
    """
    folder, created = Path(folder), []
    try:
        for part in reversed((folder, *folder.parents)):
            if part.exists() and not part.is_dir():
                raise ValueError(f'{part} is a file, not a folder')
            if not part.is_dir():
                part.mkdir()
                created.append(part)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise UsageError(f'{flag} {folder}: cannot be written to: {getattr(error, "strerror", error)}') from error
    finally:
        for part in reversed(created):
            with contextlib.suppress(OSError):  # another process writes there by now
                part.rmdir()


def check_output_file(flag: str, file: str | Path) -> None:
    """Refuse a file that cannot be written.

    Args:
        flag: Name of the argument, for the error.
        file: The file; it may exist.

    Raises:
        UsageError: It is a folder, or its folder cannot be written to.
    """
    file = Path(file)
    if file.is_dir():
        raise UsageError(f'{flag} {file}: is a folder, allowed: a file')
    check_output_folder(flag, file.parent)


def check_outputs(args: argparse.Namespace) -> None:
    """Check the output flags of a tool, before it works.

    Args:
        args: Parsed flags, of which ``out`` is a file, ``out_dir`` and ``output_dir`` are folders.

    Raises:
        UsageError: One cannot be written to.
    """
    if getattr(args, 'out', None) is not None:
        check_output_file('--out', args.out)
    for name in ('out_dir', 'output_dir'):
        if getattr(args, name, None) is not None:
            check_output_folder(f'--{name.replace("_", "-")}', getattr(args, name))
