"""Checks of transform arguments: an error names the key, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any


def check_number(key: str, value: Any, low: float, high: float, kind: type = Real) -> Any:
    """Check a single number.

    Args:
        key (str): Name of the argument, for the message.
        value: What the config gives.
        low (float): Least allowed value.
        high (float): Greatest allowed value.
        kind (type): ``numbers.Real`` or ``numbers.Integral``.

    Returns:
        The value.

    Raises:
        ValueError: It is no such number or not within the limits.
    """
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        what = 'an integer' if kind is Integral else 'a number'
        raise ValueError(f'{key}={value!r}, allowed: {what} from {low} to {high}')
    return value


def check_range(key: str, value: Any, low: float, high: float, kind: type = Real) -> tuple:
    """Check a pair (least, greatest); a single number stands for both.

    Args:
        key (str): Name of the argument, for the message.
        value: What the config gives.
        low (float): Least allowed value.
        high (float): Greatest allowed value.
        kind (type): ``numbers.Real`` or ``numbers.Integral``.

    Returns:
        tuple: (least, greatest).

    Raises:
        ValueError: It is no such pair, not in order or not within the limits.
    """
    pair = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
    if len(pair) != 2:
        raise ValueError(f'{key}={value!r}, allowed: one number or a pair (least, greatest)')
    for number in pair:
        check_number(key, number, low, high, kind)
    if pair[0] > pair[1]:
        raise ValueError(f'{key}={value!r}, allowed: a pair (least, greatest) in this order')
    return pair


def check_pairs(key: str, value: Any) -> list[tuple[int, int]]:
    """Check a list of pairs of indices; an empty one is allowed.

    Args:
        key (str): Name of the argument, for the message.
        value: What the config gives.

    Returns:
        list[tuple[int, int]]: The pairs.

    Raises:
        ValueError: It is no such list.
    """
    error = ValueError(f'{key}={value!r}, allowed: a list of pairs of joint indices')
    try:
        pairs = [tuple(pair) for pair in value]
    except TypeError:
        raise error from None
    numbers = [number for pair in pairs for number in pair]
    whole = all(isinstance(number, Integral) and not isinstance(number, bool) and number >= 0 for number in numbers)
    if not whole or any(len(pair) != 2 for pair in pairs):
        raise error
    return [(int(start), int(end)) for start, end in pairs]


def check_weights(key: str, value: Any, allowed: Sequence[str]) -> dict[str, float]:
    """Check a choice between names: a name, a sequence of names (equally likely), or a dict from name to weight.

    Args:
        key (str): Name of the argument, for the message.
        value: What the config gives.
        allowed (Sequence[str]): The names.

    Returns:
        dict[str, float]: From name to probability, those above 0; they add up to 1.

    Raises:
        ValueError: An unknown name, a negative weight, or nothing to choose from.
    """
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (Mapping, Sequence)) or not all(isinstance(name, str) for name in names):
        raise ValueError(f'{key}={value!r}, allowed: a name, a list of names or a dict of weights, of {tuple(allowed)}')
    weights = dict(names) if isinstance(names, Mapping) else dict.fromkeys(names, 1.0)
    for name, weight in weights.items():
        if name not in allowed:
            raise ValueError(f'{key}={value!r}, allowed names: {tuple(allowed)}')
        check_number(f'{key}[{name!r}]', weight, 0, float('inf'))
    total = sum(weights.values())
    if not 0 < total < float('inf'):
        raise ValueError(f'{key}={value!r}, allowed: at least one of {tuple(allowed)} with a weight above 0')
    return {name: weight / total for name, weight in weights.items() if weight}
