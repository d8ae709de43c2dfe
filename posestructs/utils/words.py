"""Words of messages that depend on a number."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Join a number and a noun, in the plural where it is not 1.

    Args:
        number: The number.
        noun: A noun whose plural ends with s.

    Returns:
        '1 image', '2 images'.
    """
    return f'{number} {noun}{"" if number == 1 else "s"}'
