"""Report errors of a config's values and of checkpoints, met before a runner's first step, in one line and without a
work directory.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from mmengine.model import PretrainedInit

from posestructs.utils.usage import UsageError

SHOW = 'POSESTRUCTS_TRACEBACK'
_STEPS = ('run_epoch', 'run_iter', 'evaluate')
_ERRORS = (TypeError, ValueError, KeyError, AssertionError, AttributeError, IndexError)
_ERRORS += (RuntimeError, FileNotFoundError)


@contextmanager
def short_build_errors(work_dir: str | Path) -> Iterator[None]:
    """Turn an error of building a part from the config, or of loading weights, into a :class:`UsageError`.

    Other errors pass.

    A work directory that the block made is removed, as nothing has run, and also where a check before the first
    step raises a :class:`UsageError`. With POSESTRUCTS_TRACEBACK=1 in the
    environment, the error and the directory are left as they are.

    Args:
        work_dir: Work directory of the run.

    Raises:
        UsageError: Building or loading failed; names the class that was built, or the checkpoint.
    """
    path = Path(work_dir)
    created = [part for part in (path, *path.parents) if not part.exists()]
    try:
        yield
    except _ERRORS as error:
        known = isinstance(error, UsageError)
        failed = None if known else _what_failed(error)
        if not (failed or known) or os.environ.get(SHOW) == '1':
            raise
        if created and not _has_run(error):
            shutil.rmtree(path, ignore_errors=True)
            for parent in created[1:]:
                with suppress(OSError):  # another run is there by now
                    parent.rmdir()
        if known:
            raise
        raise UsageError(f'{failed}: {_text(error)} ({SHOW}=1 shows where)') from error


def _frames(error: BaseException) -> Iterator[FrameType]:
    step = error.__traceback__
    while step is not None:
        yield step.tb_frame
        step = step.tb_next


def _what_failed(error: BaseException) -> str | None:
    """The innermost part of the config that was being built, or checkpoint that was being loaded, with a predicate."""
    failed = None
    for frame in _frames(error):
        part, checkpoint = _part_of(frame), _checkpoint_of(frame)
        if part or checkpoint:
            failed = f'config: {part} cannot be built' if part else f'{checkpoint} cannot be loaded'
    return failed


def _has_run(error: BaseException) -> bool:
    """Whether an error came from within the steps of a loop or after them, so that there may be results."""
    for frame in _frames(error):
        function = frame.f_code.co_name
        if frame.f_globals.get('__name__', '').startswith('mmengine.') and function in _STEPS:
            return True
        event = frame.f_locals.get('fn_name', '') if function == 'call_hook' else ''
        if event.startswith('after_') and event != 'after_load_checkpoint':
            return True
    return False


def _part_of(frame: FrameType) -> str | None:
    module, function = frame.f_globals.get('__name__', ''), frame.f_code.co_name
    if module == 'mmengine.registry.build_functions' and function == 'build_from_cfg':
        cfg = frame.f_locals.get('cfg')
        kind = cfg.get('type') if isinstance(cfg, Mapping) else None
        return _name(kind) if kind else None
    if module == 'mmengine.runner.runner' and function == 'from_cfg':
        return 'the runner'
    if module == 'mmengine.runner.runner' and function.startswith('build_'):
        return f'the {function.removeprefix("build_").replace("_", " ")}'
    return None


def _checkpoint_of(frame: FrameType) -> str | None:
    module, function = frame.f_globals.get('__name__', ''), frame.f_code.co_name
    if module == 'mmengine.runner.runner' and function == 'load_checkpoint':
        return f'checkpoint {frame.f_locals["filename"]}'
    if module == 'mmengine.model.weight_init' and function == '__call__':
        source = frame.f_locals.get('self')
        if isinstance(source, PretrainedInit):
            return f'init_cfg.checkpoint={source.checkpoint!r}'
    return None


def _name(kind: Any) -> str:
    return kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))


def _text(error: Exception) -> str:
    """Message of an error on one line, without mmengine's advice about registries."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    text = ' '.join(text.partition(' Please check whether the value')[0].split()) or 'no reason given'
    return text if isinstance(error, (ValueError, AssertionError)) else f'{type(error).__name__}: {text}'
