"""Sticks, torso and joint groups of data sets whose metainfo lacks them.

The parser of mmpose's data sets and of ``CombinedDataset`` drops the metainfo keys that it does not know. Where the
joints are those of a shipped metainfo file, so are the body's sticks, its torso and the columns of its tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from posestructs.structures.metainfo import EXTRA_KEYS, load_metainfo, metainfo_file

SHIPPED = ('lsp', 'flic', 'flic_11kpt', 'mpii_occlusion', 'coco_occlusion')
"""Metainfo files to look in; where two have the same joints, the first counts."""


def complete(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Metainfo with the keys that it lacks, from the shipped file that has the same joints in the same order.

    Args:
        meta: Metainfo of a data set, as mmpose parses it (``keypoint_name2id``).

    Returns:
        dict[str, Any]: All of ``meta``, and those of ``sticks``, ``torso_pair`` and ``joint_groups`` that it lacks and
        the shipped file has; none where no file has its joints.
    """
    if all(key in meta for key in EXTRA_KEYS):
        return dict(meta)
    return {**_shipped_extras().get(_joints(meta), {}), **meta}


def _joints(meta: Mapping[str, Any]) -> tuple[str, ...]:
    ids = meta['keypoint_name2id']
    return tuple(sorted(ids, key=ids.__getitem__))


@cache
def _shipped_extras() -> dict[tuple[str, ...], dict[str, Any]]:
    extras: dict[tuple[str, ...], dict[str, Any]] = {}
    for name in SHIPPED:
        meta = load_metainfo(dict(from_file=metainfo_file(name)))
        extras.setdefault(_joints(meta), {key: meta[key] for key in EXTRA_KEYS if key in meta})
    return extras
