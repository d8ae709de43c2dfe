"""Traverse nested config containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from mmengine.config import Config


def walk_dicts(value: Any) -> Iterator[MutableMapping]:
    """Walk all dicts in dicts and lists, outer ones first.

    Args:
        value: A config, or a part of one.

    Yields:
        MutableMapping: Each dict; changes that the caller makes to it are followed.
    """
    value = value._cfg_dict if isinstance(value, Config) else value
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from walk_dicts(item)
