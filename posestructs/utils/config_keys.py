"""Check of a config's top-level keys for typing errors."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from posestructs.utils.usage import UsageError

# top-level keys that are more than variables of the config's files
READ = {*inspect.signature(Runner).parameters, 'model_wrapper_cfg', 'find_unused_parameters', 'tensorboard'}
_KNOWN = {*READ, 'custom_imports', 'data_mode', 'data_root', 'preprocess_cfg'}
_TELLING = 4  # characters of a text that is not in others by chance
_CLOSE = 0.8  # ratio of difflib: 'train_dataloder' and 'modle', but not 'train_dataset'


def check_top_level_keys(cfg: Config, added: Collection[str] = ()) -> None:
    """Refuse a top-level key that is almost a known one, as nothing would read it.

    Variables of the config's files are top-level keys too. One whose value has been used elsewhere in the config is no
    typing error, and neither is one whose name begins with an underscore.

    Args:
        cfg: The config.
        added: Keys that the command line has added, which cannot have been used.

    Raises:
        UsageError: A key is probably misspelt; names the key that is meant.
    """
    for key in cfg:
        if key in _KNOWN or key.startswith('_'):
            continue
        near = difflib.get_close_matches(key, _KNOWN, n=1, cutoff=_CLOSE)
        rest = {name: cfg[name] for name in cfg if name != key}
        if near and (key in added or not (_is_in(cfg[key], rest) or _is_part(cfg[key], rest.get(near[0])))):
            raise UsageError(
                f'config: nothing reads the key {key}, did you mean {near[0]}? If it is a variable of your own, rename '
                f'it to _{key}'
            )


def _is_in(value: Any, rest: Mapping) -> bool:
    """Whether the value of a variable has been copied; of flags and integers one cannot tell."""
    if isinstance(value, str):
        return len(value) >= _TELLING and any(isinstance(part, str) and value in part for part in _parts(rest))
    return isinstance(value, (Mapping, list, tuple, float)) and any(
        type(part) is type(value) and part == value for part in _parts(rest)
    )


def _is_part(value: Any, whole: Any) -> bool:
    """Whether a dict or list has been spread into another (``**value``, ``*value``)."""
    if isinstance(value, Mapping) and isinstance(whole, Mapping):
        return all(name in whole and whole[name] == item for name, item in value.items())
    both = isinstance(value, (list, tuple)) and isinstance(whole, (list, tuple))
    return both and all(item in whole for item in value)


def _parts(value: Any) -> Iterator[Any]:
    """A value and everything in it."""
    yield value
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for inner in value:
            yield from _parts(inner)
