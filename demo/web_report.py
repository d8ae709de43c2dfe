"""Sentences of the demo's page about what was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def counted(persons: Sequence) -> str:
    """'1 person', '2 persons'."""
    return f'{len(persons)} {"person" if len(persons) == 1 else "persons"}'


def nothing_drawn(persons: Sequence[dict[str, Any]], threshold: float) -> list[str]:
    """Report persons of whom no joint reaches the threshold.

    Args:
        persons: Persons as ``web_page.readable_person`` returns them.
        threshold: Least probability, or without a calibration least score, of a joint that is drawn.

    Returns:
        One sentence; none where at least one joint of each person is drawn.
    """
    values = [[joint.get('correct', joint['score']) for joint in person['joints']] for person in persons]
    below = [number for number, joints in enumerate(values, 1) if max(joints) < threshold]
    if not below:
        return []
    kind = 'probability' if 'correct' in persons[0]['joints'][0] else 'score'
    everyone, one = len(below) == len(persons), len(below) == 1
    whom = ' of any person' if everyone else f' of person {below[0]}' if one else f' of persons {_listed(below)}'
    whom = '' if len(persons) == 1 else whom
    what = 'nothing is' if everyone else 'it is not' if one else 'they are not'
    return [f'No joint{whom} has a {kind} of at least {threshold:g}: {what} drawn; move the slider to the left.']


def _listed(numbers: Sequence[int]) -> str:
    """'1 and 2', '1, 2 and 4'."""
    return f'{", ".join(map(str, numbers[:-1]))} and {numbers[-1]}'
