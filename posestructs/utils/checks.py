"""Checks of configuration values, with one wording: ``key=value, allowed: ...``.

Each check returns the value, so that a constructor can write ``self.depth = check_integer('Net.depth', depth, 0)``,
and raises a ``ValueError`` that names the key, the value and what is allowed. By convention the key is the class or
the config section, a dot, and the argument. ``True`` and ``False`` are not numbers, NaN and infinity are never
allowed, and NumPy scalars are as good as Python's.

=================================  ===========================================================================
``check_bool``                     ``True`` or ``False``
``check_choice``                   one of several values
``check_integer``                  an integer within bounds
``check_keys``                     a dict without unknown keys
``check_number``                   a finite number within bounds, which are inclusive or exclusive
``check_pairs``                    a list of pairs of indices
``check_range``                    a pair (least, greatest), or one number for both
``check_sequence``                 a list or tuple, of a given length, each item checked
``check_size``                     (width, height)
``check_weights``                  a choice between names, with weights
``is_integer``, ``is_number``      the same without an error, without bounds
``invalid_value``                  the error itself, for any other condition
=================================  ===========================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any


def invalid_value(key: str, value: Any, allowed: str) -> ValueError:
    """Build the error that all checks raise.

    Args:
        key: Name of the argument.
        value: The value that is refused.
        allowed: Description of the values that are not.

    Returns:
        ValueError: To be raised by the caller.
    """
    return ValueError(f'{key}={value!r}, allowed: {allowed}')


def list_names(names: Iterable[Any]) -> str:
    """Join values for an error message: ``'pre', 'post'``.

    Args:
        names: The values.

    Returns:
        str: Their representations, separated by commas.
    """
    return ', '.join(map(repr, names))


def is_integer(value: Any) -> bool:
    """Check for an integer, Python's or NumPy's; booleans do not count."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Check for a finite real number, Python's or NumPy's; booleans do not count."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_bool(key: str, value: Any) -> bool:
    """Check a flag.

    Args:
        key: Name of the argument.
        value: Value from the config.

    Returns:
        bool: The value.

    Raises:
        ValueError: It is neither True nor False.
    """
    if not isinstance(value, bool):
        raise invalid_value(key, value, 'True, False')
    return value


def check_choice(key: str, value: Any, allowed: Iterable[Any]) -> Any:
    """Check one of several values.

    Args:
        key: Name of the argument.
        value: Value from the config.
        allowed: The possible values; None may be one of them.

    Returns:
        Any: The value.

    Raises:
        ValueError: It is none of them.
    """
    allowed = tuple(allowed)
    # True == 1 to Python, and an array compares element by element
    if not any(isinstance(value, type(choice)) and _same_kind(value, choice) and value == choice for choice in allowed):
        raise invalid_value(key, value, list_names(allowed))
    return value


def check_integer(
    key: str, value: Any, low: int | None = None, high: int | None = None, *, optional: bool = False
) -> int | None:
    """Check an integer.

    Args:
        key: Name of the argument.
        value: Value from the config.
        low: Least allowed value; None for no limit.
        high: Greatest allowed value; None for no limit.
        optional: Allow None as well.

    Returns:
        int | None: The value.

    Raises:
        ValueError: It is not an integer, or out of bounds.
    """
    if value is None and optional:
        return None
    if not is_integer(value) or not _within(value, low, high):
        raise invalid_value(key, value, f'an integer{_bounds(low, high)}{_or_none(optional)}')
    return value


def check_number(
    key: str,
    value: Any,
    low: float | None = None,
    high: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
    optional: bool = False,
) -> float | None:
    """Check a finite number.

    Args:
        key: Name of the argument.
        value: Value from the config.
        low: Least allowed value; None for no limit.
        high: Greatest allowed value; None for no limit.
        above: Exclusive lower bound, in the place of ``low``.
        below: Exclusive upper bound, in the place of ``high``.
        optional: Allow None as well.

    Returns:
        float | None: The value, an int where it was one.

    Raises:
        ValueError: It is not a number, not finite, or out of bounds.
    """
    if value is None and optional:
        return None
    if not is_number(value) or not _within(value, low, high, above, below):
        open_ended = (low is None and above is None) or (high is None and below is None)
        kind = 'a finite number' if open_ended else 'a number'
        raise invalid_value(key, value, f'{kind}{_bounds(low, high, above, below)}{_or_none(optional)}')
    return value


def check_sequence(
    key: str, value: Any, check: Callable[[str, Any], Any] | None = None, length: int | None = None
) -> tuple:
    """Check a list or tuple and each of its items.

    Args:
        key: Name of the argument; item i is called ``key[i]``.
        value: Value from the config.
        check: Check of an item, called with its key and value, such as ``functools.partial(check_integer, low=1)``;
            what it returns takes the place of the item.
        length: Required number of items; None for at least one.

    Returns:
        tuple: The items.

    Raises:
        ValueError: It is not a list or tuple, is of another length, or an item is not allowed.
    """
    if not isinstance(value, (list, tuple)) or (not value if length is None else len(value) != length):
        count = 'at least one item' if length is None else f'{length} item{"s" * (length != 1)}'
        raise invalid_value(key, value, f'a list of {count}')
    return tuple(value) if check is None else tuple(check(f'{key}[{i}]', item) for i, item in enumerate(value))


def check_size(key: str, value: Any, low: int = 1) -> tuple[int, int]:
    """Check a size.

    Args:
        key: Name of the argument.
        value: Value from the config.
        low: Least side.

    Returns:
        tuple[int, int]: Width and height.

    Raises:
        ValueError: It is not a pair of integers, or one of them is too small.
    """
    sides = tuple(value) if isinstance(value, (list, tuple)) else ()
    if len(sides) != 2 or not all(is_integer(side) and side >= low for side in sides):
        raise invalid_value(key, value, f'(width, height), two integers of at least {low}')
    return sides


def check_range(key: str, value: Any, low: float, high: float, *, integer: bool = False) -> tuple:
    """Check a pair (least, greatest); a single number stands for both.

    Args:
        key: Name of the argument.
        value: Value from the config.
        low: Least allowed value.
        high: Greatest allowed value.
        integer: Allow integers only.

    Returns:
        tuple: Least and greatest.

    Raises:
        ValueError: It is not such a pair, not in order, or out of bounds.
    """
    pair = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(pair) != 2:
        raise invalid_value(key, value, 'one number or a pair (least, greatest)')
    for number in pair:
        (check_integer if integer else check_number)(key, number, low, high)
    if pair[0] > pair[1]:
        raise invalid_value(key, value, 'a pair (least, greatest) in this order')
    return pair


def check_pairs(key: str, value: Any) -> list[tuple[int, int]]:
    """Check a list of pairs of joint indices; an empty one is allowed.

    Args:
        key: Name of the argument.
        value: Value from the config.

    Returns:
        list[tuple[int, int]]: The pairs.

    Raises:
        ValueError: It is not such a list.
    """
    pairs = [tuple(pair) for pair in value if _is_list(pair)] if _is_list(value) else None
    if pairs is None or len(pairs) != len(value) or not all(map(_is_pair_of_indices, pairs)):
        raise invalid_value(key, value, 'a list of pairs of joint indices')
    return [(int(start), int(end)) for start, end in pairs]


def check_weights(key: str, value: Any, allowed: Sequence[str]) -> dict[str, float]:
    """Check a random choice between names: a name, names that are equally likely, or a dict from names to weights.

    Args:
        key: Name of the argument.
        value: Value from the config.
        allowed: The possible names.

    Returns:
        dict[str, float]: Names with a probability above 0, and that probability; they sum to 1.

    Raises:
        ValueError: An unknown name, a negative weight, or nothing to choose from.
    """
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (Mapping, Sequence)) or not all(isinstance(name, str) for name in names):
        raise invalid_value(key, value, f'a name, a list of names or a dict of weights, of {list_names(allowed)}')
    weights = dict(names) if isinstance(names, Mapping) else dict.fromkeys(names, 1.0)
    for name, weight in weights.items():
        if name not in allowed:
            raise invalid_value(key, value, f'the names {list_names(allowed)}')
        check_number(f'{key}[{name!r}]', weight, 0)
    total = sum(weights.values())
    if not 0 < total < math.inf:
        raise invalid_value(key, value, f'at least one of {list_names(allowed)} with a weight above 0')
    return {name: weight / total for name, weight in weights.items() if weight}


def check_keys(key: str, value: Any, allowed: Iterable[str], required: Iterable[str] = ()) -> Mapping[str, Any]:
    """Check the keys of a dict.

    Args:
        key: Name of the argument.
        value: Value from the config.
        allowed: The possible keys.
        required: Those that have to be there.

    Returns:
        Mapping[str, Any]: The value.

    Raises:
        ValueError: It is not a dict, has an unknown key, or lacks a required one.
    """
    allowed, required = tuple(allowed), tuple(required)
    if not isinstance(value, Mapping):
        raise invalid_value(key, value, f'a dict with the keys {list_names(allowed)}')
    if unknown := [name for name in value if name not in allowed]:
        raise ValueError(f'{key}: unknown keys {list_names(unknown)}, allowed: {list_names(allowed)}')
    if missing := [name for name in required if name not in value]:
        raise ValueError(f'{key}: missing keys {list_names(missing)}, required: {list_names(required)}')
    return value


def _same_kind(value: Any, other: Any) -> bool:
    return isinstance(value, bool) == isinstance(other, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _is_pair_of_indices(pair: Sequence[Any]) -> bool:
    return len(pair) == 2 and all(is_integer(index) and index >= 0 for index in pair)


def _within(
    value: float,
    low: float | None,
    high: float | None,
    above: float | None = None,
    below: float | None = None,
) -> bool:
    return (
        (low is None or value >= low)
        and (high is None or value <= high)
        and (above is None or value > above)
        and (below is None or value < below)
    )


def _bounds(low: float | None, high: float | None, above: float | None = None, below: float | None = None) -> str:
    """Bounds in words, with a leading space: ' from 0 to 1', ' of at least 0 and below 1', ' above 0'."""
    if low is not None and high is not None:
        return f' from {low} to {high}'
    lower = f'of at least {low}' if low is not None else None if above is None else f'above {above}'
    upper = f'below {below}' if below is not None else None if high is None else f'at most {high}'
    if lower is None and upper is not None and below is None:
        upper = f'of {upper}'
    text = ' and '.join(part for part in (lower, upper) if part)
    return f' {text}' if text else ''


def _or_none(optional: bool) -> str:
    return ', or None' if optional else ''
