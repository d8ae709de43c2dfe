"""Check checkpoint files, and find the last one of a run that can be read whole."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from posestructs.utils.checks import check_integer, check_number, invalid_value
from posestructs.utils.safe_load import UnsafeCheckpointError, load_safely

# mmengine's Runner.resume reads both; the optimizer may be absent
_NEEDED = ('meta', 'message_hub')


def damage(path: str | Path, opt_in: bool = True) -> str | None:
    """Find what makes a checkpoint file unreadable.

    Args:
        path: An existing file.
        opt_in: See :func:`posestructs.utils.safe_load.load_safely`; false for what came from a server.

    Returns:
        str | None: What is wrong with it; ``None`` for a whole file. One that holds objects which torch refuses to load
        by default is whole.
    """
    path = Path(path)
    if path.stat().st_size == 0:
        return 'it is empty'
    try:
        if zipfile.is_zipfile(path):  # not so for what torch < 1.6 wrote
            with zipfile.ZipFile(path) as archive:
                bad = archive.testzip()  # compares all checksums, as torch does not
            if bad is not None:
                return f'its part {bad} is damaged'
        _load(path, opt_in)
    except UnsafeCheckpointError:
        return None
    except Exception as error:  # what a damaged file raises is not documented, by zipfile nor by torch
        return _describe(path, error)
    return None


def read_safely(path: str | Path) -> Any:
    """Load a checkpoint of plain tensors and numbers.

    Args:
        path: A whole file, see :func:`damage`.

    Returns:
        Any: Its content, on the CPU.

    Raises:
        UnsafeCheckpointError: It would run code.
    """
    return load_safely(path)


def refusal(path: str | Path, opt_in: bool = True) -> str | None:
    """Explain why a checkpoint may not be loaded.

    Args:
        path: A whole file, see :func:`damage`.
        opt_in: As in :func:`damage`.

    Returns:
        str | None: The objects that would run code; ``None`` where there are none, or where the user allows them.
    """
    try:
        _load(path, opt_in)
    except UnsafeCheckpointError as error:
        return str(error)
    return None


def why_not_resumable(path: str | Path, opt_in: bool = True) -> str | None:
    """Find out why a run cannot be resumed from a checkpoint.

    Args:
        path: An existing file.
        opt_in: As in :func:`damage`.

    Returns:
        str | None: The reason; ``None`` where a run can go on.
    """
    problem = damage(path, opt_in) or refusal(path, opt_in)
    if problem is not None:
        return problem
    content = _load(path, opt_in)
    missing = [key for key in _NEEDED if not isinstance(content, dict) or key not in content]
    if missing:
        return f'it holds no {" and no ".join(missing)}, only weights to start from (load_from)'
    try:
        _check_progress(content['meta'], content['message_hub'])
        _check_optimizer('optimizer', content.get('optimizer', {}))
    except ValueError as error:
        return f'it cannot be resumed: {error}'
    return None


def _check_progress(meta: Any, message_hub: Any) -> None:
    if not isinstance(meta, Mapping):
        raise invalid_value('meta', meta, 'a dict')
    for key in ('epoch', 'iter'):
        check_integer(f'meta.{key}', meta.get(key), 0)
    check_integer('meta.seed', meta.get('seed'), 0, 2**32 - 1, optional=True)
    if not isinstance(message_hub, Mapping):
        raise ValueError(f'message_hub is a {type(message_hub).__name__}, allowed: a dict')


def _check_optimizer(key: str, state: Any) -> None:
    """Check the groups of an optimizer, or of the optimizers of several networks."""
    if not isinstance(state, Mapping):
        raise ValueError(f'{key} is a {type(state).__name__}, allowed: a dict')
    if 'param_groups' not in state:
        if key != 'optimizer':
            raise ValueError(f'{key} has no param_groups')
        for name, part in state.items():
            _check_optimizer(f'{key}.{name}', part)
        return
    groups = state['param_groups']
    if not isinstance(groups, list) or not all(isinstance(group, Mapping) for group in groups):
        raise ValueError(f'{key}.param_groups are not a list of dicts')
    for i, group in enumerate(groups):
        check_number(f'{key}.param_groups[{i}].lr', group.get('lr'), 0)


def read_meta(path: str | Path, opt_in: bool = True) -> dict:
    """Read the metadata that a run stored in a checkpoint.

    Args:
        path: A checkpoint.
        opt_in: As in :func:`damage`.

    Returns:
        dict: Its ``meta``; empty where it has none.
    """
    return _load(path, opt_in).get('meta', {})


def last_good_checkpoint(
    work_dir: str | Path, patterns: Iterable[str] = ('epoch_*.pth', 'iter_*.pth')
) -> tuple[Path | None, list[str]]:
    """Find the newest checkpoint of a work directory that a run can go on from.

    The file that ``last_checkpoint`` names comes first, then the others from the most iterations to the fewest.

    Args:
        work_dir: Work directory of the run.
        patterns: Names of its checkpoints.

    Returns:
        tuple[Path | None, list[str]]: The file, ``None`` where there is none; and a note for each skipped file.

    Raises:
        ValueError: There are checkpoints, but not one is good.
    """
    notes = []
    for path in _candidates(Path(work_dir), patterns):
        problem = why_not_resumable(path)
        if problem is None:
            return path, notes
        notes.append(f'checkpoint {path} is skipped: {problem}')
    if notes:
        raise ValueError(f'no checkpoint in {work_dir} can be resumed: ' + '; '.join(notes))
    return None, notes


def _candidates(work_dir: Path, patterns: Iterable[str]) -> list[Path]:
    named = _named_by_pointer(work_dir, patterns)
    folders = {work_dir} if named is None else {work_dir, named.parent}
    others = {file for folder in folders for pattern in patterns for file in folder.glob(pattern) if file.is_file()}
    newest_first = sorted(others - {named}, key=_progress, reverse=True)
    return newest_first if named is None else [named, *newest_first]


def _named_by_pointer(work_dir: Path, patterns: Iterable[str]) -> Path | None:
    """The file that mmengine's ``last_checkpoint`` names.

    The pointer holds an absolute path, which stays behind where a work directory is copied: a file of that name in the
    directory itself comes first, and a file elsewhere counts only where the directory has no checkpoint of its own.
    """
    pointer = work_dir / 'last_checkpoint'
    name = pointer.read_text().strip() if pointer.is_file() else ''
    if not name:
        return None
    own = work_dir / Path(name).name
    if own.is_file():
        return own
    has_others = any(file.is_file() for pattern in patterns for file in work_dir.glob(pattern))
    return Path(name) if Path(name).is_file() and not has_others else None


def _progress(path: Path) -> tuple[float, int]:
    """Iterations that a checkpoint has; one that cannot be read comes first, to be skipped with a note."""
    try:
        return float(read_meta(path)['iter']), 0
    except Exception:  # what a damaged file raises is not documented
        return float('inf'), max(map(int, re.findall(r'\d+', path.stem)), default=0)


def _describe(path: Path, error: Exception) -> str:
    """Say in one line what a file is that torch cannot read; torch's own advice, to load it unsafely, is left out."""
    with path.open('rb') as file:
        start = file.read(512).lstrip().lower()
    if start.startswith((b'<!doctype', b'<html', b'<?xml')):
        return 'it is a web page, not a checkpoint'
    first_line = (str(error) or type(error).__name__).splitlines()[0]
    detail = '' if 'weights_only' in first_line else f' ({first_line})'
    return f'it is truncated or not a checkpoint{detail}'


def _load(path: str | Path, opt_in: bool = True) -> Any:
    """Content of a checkpoint as torch loads it, with tensors left on disk where possible."""
    return load_safely(path, mmap=_is_uncompressed(path), opt_in=opt_in)


def _is_uncompressed(path: str | Path) -> bool:
    """Check that a file is a zip archive whose weights can be mapped, unlike a published, compressed one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())
    except zipfile.BadZipFile:
        return False
