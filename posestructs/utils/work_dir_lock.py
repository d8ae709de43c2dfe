"""Keep two runs from writing into one work directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from posestructs.utils.usage import UsageError

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None


@contextmanager
def work_dir_lock(work_dir: str | Path) -> Iterator[None]:
    """Hold a lock on a work directory; it is released with the process, however that ends.

    Args:
        work_dir: The directory, which is made where absent. Nothing is locked where the file system has no locks.

    Raises:
        UsageError: Another process trains there.
    """
    path = Path(work_dir) / '.lock'
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a+') as file:
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or 'unknown'
            raise UsageError(
                f'work dir {work_dir} is in use by another run (process {holder}): wait, or name another --work-dir'
            ) from error
        except OSError:
            pass
        file.truncate(0)
        file.write(f'{os.getpid()} on {os.uname().nodename}' if hasattr(os, 'uname') else str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
