"""One small tar that grids go on from on another machine: their results, and the checkpoints of unfinished runs."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.grid.run import PUT_OFF, Place, is_finished
from posestructs.utils.checkpoints import last_good_checkpoint
from posestructs.utils.files import atomic_write
from posestructs.utils.usage import UsageError

LIMIT = 16 * 2**20
RESULTS, WORK = 'results', 'work'


def pack(path: Path, place: Place, grids: Iterable[str], folders: Sequence[Path], limit: int = LIMIT) -> list[str]:
    """Write the tar.

    Args:
        path: The tar; compressed.
        place: Where files are.
        grids: Names of the grids whose results go in.
        folders: Of the unfinished runs, the most wanted first. Of each goes in the newest whole checkpoint.
        limit: Largest size in bytes. A checkpoint that would exceed it stays out, and its run begins anew, after all
            others: a mark in its folder says so.

    Returns:
        list[str]: Names of the folders whose checkpoint stayed out.

    Raises:
        UsageError: The results alone exceed the limit.
    """
    found = sorted(file for grid in set(grids) for file in (place.results / grid).glob('*.json'))
    files = [(file, f'{RESULTS}/{file.relative_to(place.results)}') for file in found]
    data, left_out = _tar(files), []
    if len(data) > limit:
        raise UsageError(f'--pack {path}: the results alone take {len(data):,} bytes, allowed are {limit:,}')
    for folder in folders:
        checkpoint, _ = last_good_checkpoint(folder)
        if checkpoint is not None:
            more = [*files, _named(checkpoint, place)]
            larger = _tar(more)
            if len(larger) <= limit:
                data, files = larger, more
                (folder / PUT_OFF).unlink(missing_ok=True)
            else:
                left_out.append(folder.name)
                (folder / PUT_OFF).touch()
    marks = [_named(folder / PUT_OFF, place) for folder in folders if (folder / PUT_OFF).is_file()]
    data = _tar([*files, *marks]) if marks else data
    atomic_write(path, data)
    return left_out


def unpack(path: Path, place: Place) -> int:
    """Put the files of a tar where a grid looks for them; a file that is there already is replaced, but no result of
    the same run, and no run that has got as far is put back.

    Args:
        path: Of :func:`pack`.
        place: Where files go.

    Returns:
        int: How many.

    Raises:
        UsageError: It is no such tar.
    """
    roots = {RESULTS: place.results, WORK: place.work}
    try:
        with tarfile.open(path) as archive:
            members = archive.getmembers()
            for member in members:
                kind, _, name = member.name.partition('/')
                if kind not in roots or not name or '..' in Path(name).parts or not member.isfile():
                    raise UsageError(f'--unpack {path}: {member.name} is no file of --pack')
            for member in members:
                kind, _, name = member.name.partition('/')
                file, content = roots[kind] / name, archive.extractfile(member).read()
                there = is_finished(file, _mark(content)) if kind == RESULTS else _got_as_far(file)
                if there:
                    continue
                atomic_write(file, content)
                if kind == WORK:  # an older checkpoint that is named there would be preferred
                    (file.parent / 'last_checkpoint').unlink(missing_ok=True)
    except (OSError, ValueError, KeyError, tarfile.TarError) as error:
        raise UsageError(f'--unpack {path}: {error}') from error
    return len(members)


def _mark(content: bytes) -> str:
    return json.loads(content)['fingerprint']


def _named(file: Path, place: Place) -> tuple[Path, str]:
    """A file of a run, and its name in the tar."""
    return file, f'{WORK}/{file.relative_to(place.work)}'


def _got_as_far(file: Path) -> bool:
    """Whether a run can go on from a checkpoint of that epoch or of a later one; its folder is named by its config."""
    if file.name == PUT_OFF:
        return False
    try:
        found, _ = last_good_checkpoint(file.parent)
    except ValueError:  # there are some, but not one is good
        return False
    return found is not None and _epoch(found) >= _epoch(file)


def _epoch(checkpoint: Path) -> int:
    return int(checkpoint.stem.removeprefix('epoch_'))


def _tar(files: Sequence[tuple[Path, str]]) -> bytes:
    """Of files and their names in it."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode='w:gz', compresslevel=6) as archive:
        for file, name in files:
            content = file.read_bytes()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()
