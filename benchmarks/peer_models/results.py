"""File of results of ``benchmarks/peers.py``, to which each run adds its own.

The file is a list. An entry with ``model`` has that model's metrics; one with ``milliseconds`` has the times of the
networks that one run timed side by side, and its ``machine``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.raw_results import write_results
from posestructs.utils.usage import UsageError


def read_json(flag: str, path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        UsageError: The file cannot be read or is no JSON; begins with the flag.
    """
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise UsageError(f'{flag} {path}: {error.strerror}') from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f'{flag} {path}: not a JSON file ({error})') from error


def read_results(path: Path) -> list[dict[str, Any]]:
    """Results of earlier runs.

    Raises:
        UsageError: The file cannot be read or holds something else.
    """
    found = read_json('--out', path)
    if not isinstance(found, list) or not all(map(_is_entry, found)):
        raise UsageError(f'--out {path}: not a file of results, allowed: a new file, or one that peers.py has written')
    return found


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    is_time = isinstance(entry.get('milliseconds'), dict) and isinstance(entry.get('machine'), dict)
    return is_time or isinstance(entry.get('model'), str)


def merge(earlier: Sequence[dict], new: Sequence[dict]) -> list[dict[str, Any]]:
    """Replace the results of models, and the times of networks, that a run has measured again; keep the others.

    Args:
        earlier: Entries of the file.
        new: Entries of the run.

    Returns:
        Entries of models, then times, the newest last.
    """
    models = {entry['model']: entry for entry in (*earlier, *new) if 'model' in entry}
    times = [entry for entry in new if 'milliseconds' in entry]
    timed = {name for entry in times for name in entry['milliseconds']}
    kept = []
    for entry in earlier:
        others = {name: value for name, value in entry.get('milliseconds', {}).items() if name not in timed}
        if others:
            kept.append(dict(entry, milliseconds=others))
    return [*models.values(), *kept, *times]


def add_to_file(path: Path, new: Sequence[dict]) -> None:
    """Merge a run's results into a file, which is created where it does not exist."""
    earlier = read_results(path) if path.exists() else []
    write_results(path, merge(earlier, new))
