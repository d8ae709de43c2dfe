"""Report errors of a config's values, met while a runner builds its parts, in one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from posestructs.utils.usage import UsageError

SHOW = 'POSESTRUCTS_TRACEBACK'
_ERRORS = (TypeError, ValueError, KeyError, AssertionError, AttributeError, IndexError)


@contextmanager
def short_build_errors(work_dir: str | Path) -> Iterator[None]:
    """Turn an error of building a part from the config into a :class:`UsageError`; other errors pass.

    A work directory that the block made is removed with it, as nothing has run. With POSESTRUCTS_TRACEBACK=1 in the
    environment, the error and the directory are left as they are.

    Args:
        work_dir: Work directory of the run.

    Raises:
        UsageError: Building failed; names the class that was built.
    """
    new = not Path(work_dir).exists()
    try:
        yield
    except _ERRORS as error:
        part = None if isinstance(error, UsageError) else _part_built(error)
        if part is None or os.environ.get(SHOW) == '1':
            raise
        if new:
            shutil.rmtree(work_dir, ignore_errors=True)
        raise UsageError(f'config: {part} cannot be built: {_text(error)} ({SHOW}=1 shows where)') from error


def _part_built(error: BaseException) -> str | None:
    """Innermost part of the config that was being built; ``None`` where none was."""
    part, step = None, error.__traceback__
    while step is not None:
        part = _part_of(step.tb_frame) or part
        step = step.tb_next
    return part


def _part_of(frame: FrameType) -> str | None:
    module, function = frame.f_globals.get('__name__', ''), frame.f_code.co_name
    if module == 'mmengine.registry.build_functions' and function == 'build_from_cfg':
        kind = (frame.f_locals.get('cfg') or {}).get('type')
        return _name(kind) if kind else None
    if module == 'mmengine.runner.runner' and function == 'from_cfg':
        return 'the runner'
    if module == 'mmengine.runner.runner' and function.startswith('build_'):
        return f'the {function.removeprefix("build_").replace("_", " ")}'
    return None


def _name(kind: Any) -> str:
    return kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))


def _text(error: Exception) -> str:
    """Message of an error on one line, without mmengine's advice about registries."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    text = ' '.join(text.partition(' Please check whether the value')[0].split()) or 'no reason given'
    return text if isinstance(error, (ValueError, AssertionError)) else f'{type(error).__name__}: {text}'
