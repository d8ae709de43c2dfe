"""Find data that a config names and that are not there, before a run writes anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from posestructs.utils.nested import walk_dicts

_FIRST = 3


def missing_data(cfg: Config, phases: Sequence[str]) -> list[str]:
    """List annotation files and image folders that do not exist.

    Args:
        cfg: The config.
        phases: Those of ``train``, ``val`` and ``test`` that are run.

    Returns:
        list[str]: Paths with the keys that name them; addresses of storages are not looked at.
    """
    found: dict[str, str] = {}
    for phase in phases:
        dataset = (cfg.get(f'{phase}_dataloader') or {}).get('dataset')
        for part in walk_dicts(dataset):
            for key, path in _paths(part):
                if not Path(path).exists():
                    found.setdefault(path, f'{path} does not exist ({phase}_dataloader, {key})')
    return list(found.values())


def describe_missing(missing: Sequence[str]) -> str:
    """Put missing data into one line.

    Args:
        missing: At least one result of :func:`missing_data`.

    Returns:
        str: The first of them, their number, and how to name another folder.
    """
    more = len(missing) - _FIRST
    root = os.environ.get('POSESTRUCTS_DATA')
    advice = 'set the environment variable POSESTRUCTS_DATA to the folder with the data' if root is None else ''
    advice = advice or f'POSESTRUCTS_DATA={root}'
    return f'data: {"; ".join(missing[:_FIRST])}' + (f'; and {more} more' if more > 0 else '') + f'; {advice}'


def _paths(dataset: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys and local paths of a data set's own files, joined as mmengine joins them."""
    root = dataset.get('data_root') or ''
    if 'type' not in dataset or not isinstance(root, str):
        return
    prefix = dataset.get('data_prefix')
    prefixes = prefix.items() if isinstance(prefix, Mapping) else ()
    named = [('ann_file', dataset.get('ann_file')), *((f'data_prefix.{key}', value) for key, value in prefixes)]
    for key, path in named:
        if isinstance(path, str) and path and '://' not in path and '://' not in root:
            yield key, os.path.join(root, path)
