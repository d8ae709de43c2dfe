"""Resolve joint names of configs and metainfo to indices, with errors that list the allowed names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from posestructs.evaluation.tables import COUNTS
from posestructs.utils.checks import invalid_value


def name_to_id(meta: Mapping[str, Any] | None, metric: str) -> dict[str, int]:
    """Joint indices of a data set.

    Args:
        meta: Metainfo of the data set, as mmpose parses it.
        metric: Name of the metric, for the error.

    Returns:
        dict[str, int]: Joint name to index.

    Raises:
        ValueError: There is no metainfo, or it names no joints.
    """
    if not meta or not meta.get('keypoint_name2id'):
        raise ValueError(
            f'{metric}: dataset_meta has the keys {sorted(meta or ())}, allowed: the metainfo of an mmpose data set, '
            'which has keypoint_name2id'
        )
    return dict(meta['keypoint_name2id'])


def find_joints(names: Sequence[str], ids: Mapping[str, int], metric: str, key: str) -> tuple[int, ...]:
    """Indices of named joints.

    Args:
        names: Joint names.
        ids: Joint name to index.
        metric: Name of the metric, for the error.
        key: Config or metainfo key the names come from, for the message.

    Returns:
        tuple[int, ...]: One index per name.

    Raises:
        ValueError: A name is not one of the data set's joints.
    """
    unknown = [n for n in names if n not in ids]
    if unknown:
        raise ValueError(f'{metric}: {key} names {unknown}, which the data set does not have; its joints: {list(ids)}')
    return tuple(ids[n] for n in names)


def choose(meta: Mapping[str, Any], key: str, given: Any, metric: str, example: str) -> Any:
    """The value of a key: from the metric's config, else from the data set's metainfo.

    Args:
        meta: Metainfo of the data set, completed where it can be.
        key: Name of both the metric's argument and the metainfo key.
        given: The metric's argument; ``None`` takes the metainfo's value.
        metric: Name of the metric, for the error.
        example: Example of a value for the config.

    Returns:
        Any: The value.

    Raises:
        ValueError: Neither has it.
    """
    if given is not None:
        return given
    if meta.get(key):
        return meta[key]
    raise ValueError(
        f'{metric}: the metainfo of data set {meta.get("dataset_name")!r} has no {key!r}, and its joints are not those '
        f"of a shipped metainfo file; give it in the metric's config, e.g. {key}={example}, or use a data set of "
        f'posestructs, which keeps {key!r} of its metainfo (those of mmpose and CombinedDataset drop it); the data '
        f"set's joints: {list(meta['keypoint_name2id'])}"
    )


def check_pair(pair: Any, metric: str, key: str = 'torso_pair') -> tuple[str, str]:
    """A pair of different joint names.

    Args:
        pair: Value from the config or the metainfo.
        metric: Name of the metric, for the error.
        key: Config or metainfo key, for the message.

    Returns:
        tuple[str, str]: The pair.

    Raises:
        ValueError: It is not two different names.
    """
    is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(n, str) for n in pair)
    if not is_pair or pair[0] == pair[1]:
        raise invalid_value(f'{metric}.{key}', pair, 'two different joint names')
    return pair[0], pair[1]


def check_column(name: Any, metric: str, key: str) -> None:
    """Refuse group names that could be confused with other keys of a result."""
    if not isinstance(name, str) or not name or '/' in name or name in COUNTS:
        raise ValueError(f"{metric}: {key} has a group {name!r}; allowed is any text without '/' but {list(COUNTS)}")


def as_names(value: Any) -> tuple[str, ...] | None:
    """One name or several as a tuple; None where it is neither."""
    names = (value,) if isinstance(value, str) else value
    good = isinstance(names, (tuple, list)) and len(names) > 0 and all(isinstance(n, str) for n in names)
    return tuple(names) if good else None
