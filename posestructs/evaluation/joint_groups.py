"""Joint groups, the columns of a table: those of the metainfo, else every joint with its mirror image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from posestructs.evaluation.joint_names import as_names, check_column, find_joints
from posestructs.utils.checks import invalid_value

_SIDE_TOKEN = re.compile(r'(^|[_\- ])(left|right|l|r)(?=$|[_\- ])', re.IGNORECASE)


def mirrored_groups(meta: Mapping[str, Any]) -> dict[str, list[str]]:
    """Joint groups of a data set that declares none: every joint with its mirror image.

    Args:
        meta: Metainfo of the data set (``keypoint_name2id``, ``flip_indices``).

    Returns:
        dict[str, list[str]]: ``left_knee`` and ``right_knee`` give ``knee``; joints without a mirror stand alone.
    """
    names = sorted(meta['keypoint_name2id'], key=meta['keypoint_name2id'].__getitem__)
    mirror = meta.get('flip_indices', range(len(names)))
    groups = {}
    for i, name in enumerate(names):
        twin = mirror[i]
        if twin == i:
            groups[name] = [name]
        elif twin > i:
            common = _SIDE_TOKEN.sub('', name).strip('_- ')
            same = common == _SIDE_TOKEN.sub('', names[twin]).strip('_- ')
            free = common and common not in groups and common not in names
            groups[common if same and free else f'{name}+{names[twin]}'] = [name, names[twin]]
    return groups


def find_groups(groups: Any, meta: Mapping[str, Any], metric: str) -> dict[str, tuple[int, ...]]:
    """Joint groups, the columns of a table.

    Args:
        groups: Column name to joint names; ``None`` takes the metainfo's ``joint_groups``, and where there is none,
            :func:`mirrored_groups`.
        meta: Metainfo of the data set.
        metric: Name of the metric, for the error.

    Returns:
        dict[str, tuple[int, ...]]: Column name to joint indices.

    Raises:
        ValueError: It is not such a dict, or a group is empty or names an unknown joint.
    """
    if groups is None:
        groups = meta.get('joint_groups')
    if groups is None:
        groups = mirrored_groups(meta)
    if not isinstance(groups, Mapping):
        raise invalid_value(f'{metric}.joint_groups', groups, 'a dict of column name to joint names')
    found = {}
    for name, joints in groups.items():
        check_column(name, metric, 'joint_groups')
        names = as_names(joints)
        if names is None:
            raise invalid_value(f'{metric}.joint_groups[{name!r}]', joints, 'a list of joint names')
        found[name] = find_joints(names, meta['keypoint_name2id'], metric, f'joint_groups[{name!r}]')
    return found
