"""Body sticks: checks of their descriptions, and resolution of their joints to indices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from posestructs.evaluation.joint_names import as_names, check_column, find_joints
from posestructs.utils.checks import invalid_value

SIDES = ('left', 'right', None)


class Stick(NamedTuple):
    """One body stick; an end is the mean of one or more joints."""

    name: str  # left and right share it: tables average over it
    side: str | None
    ends: tuple[tuple[int, ...], tuple[int, ...]]


def check_sticks(sticks: Any, metric: str) -> list[dict]:
    """Stick descriptions whose joints are still names.

    Args:
        sticks: List of ``dict(name=..., side='left'|'right'|None, ends=(A, B))``; A and B are a joint name or a
            sequence of joint names (their mean).
        metric: Name of the metric, for the error.

    Returns:
        list[dict]: The same, each end a tuple of names.

    Raises:
        ValueError: A description is malformed, or two have the same name and side.
    """
    if not isinstance(sticks, (list, tuple)) or not sticks:
        raise invalid_value(f'{metric}.sticks', sticks, 'a list of dicts, at least one')
    checked = []
    for i, s in enumerate(sticks):
        ends = s.get('ends') if isinstance(s, Mapping) else None
        names = [as_names(e) for e in ends] if isinstance(ends, (tuple, list)) and len(ends) == 2 else [None]
        if (
            None in names
            or set(names[0]) == set(names[1])
            or not isinstance(s.get('name'), str)
            or s.get('side') not in SIDES
        ):
            raise invalid_value(
                f'{metric}.sticks[{i}]',
                s,
                f'dict(name=str, side={"|".join(map(repr, SIDES))}, ends=(A, B)) with A and B a joint name or several, '
                'A not B',
            )
        check_column(s['name'], metric, 'sticks')
        checked.append(dict(name=s['name'], side=s.get('side'), ends=tuple(names)))
    seen = [(s['name'], s['side']) for s in checked]
    if len(set(seen)) < len(seen):
        raise invalid_value(f'{metric}.sticks', seen, 'a name and side of its own for each stick')
    return checked


def find_sticks(sticks: Any, ids: Mapping[str, int], metric: str) -> list[Stick]:
    """Sticks with joint indices.

    Args:
        sticks: See :func:`check_sticks`.
        ids: Joint name to index.
        metric: Name of the metric, for the error.

    Returns:
        list[Stick]: One per description, in order.

    Raises:
        ValueError: A description is malformed or names an unknown joint.
    """
    return [
        Stick(s['name'], s['side'], tuple(find_joints(e, ids, metric, f'stick {s["name"]!r}') for e in s['ends']))
        for s in check_sticks(sticks, metric)
    ]
