"""Describe the images that a command left out."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 10
"""Images that are named."""


def describe_left_out(errors: Sequence[str], total: int, unit: str = 'image') -> str:
    """List the first images that were left out, and count the others.

    Args:
        errors: Reason of each, with the name of the image.
        total: Number of all images.
        unit: What they are called.

    Returns:
        A line with the numbers, and one for each of the first ``MOST`` images.
    """
    lines = [f'{len(errors)} of {total} {unit}{"" if total == 1 else "s"} were left out:', *errors[:MOST]]
    lines += [f'and {len(errors) - MOST} more'] if len(errors) > MOST else []
    return '\n  '.join(lines)
