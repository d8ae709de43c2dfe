"""What can be asked of the pictures, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

SMALLEST_SIZE = 32  # pixels: below, a forearm is thinner than a pixel
LARGEST_SIZE = 4096


@dataclass(frozen=True)
class SceneOptions:
    """How hard the pictures are.

    Args:
        occluder_prob (float): Probability of one or two things in front of the person.
        lookalike_prob (float): Probability of one to three limbs in the background that look like the person's.
        crop_prob (float): Probability of a view so close that joints can lie outside the image.
        max_rotation (float): Rotation in the image plane beyond what the poses bring along, drawn from
            -max_rotation to max_rotation degrees; 0 to 180.
        scale (tuple): Smallest and largest share of the image that the person spans, in the tighter direction.

    Raises:
        TypeError: A value of the wrong type.
        ValueError: A value out of range.
    """

    occluder_prob: float = 0.4
    lookalike_prob: float = 0.6
    crop_prob: float = 0.08
    max_rotation: float = 0.0
    scale: tuple[float, float] = (0.62, 0.96)

    def __post_init__(self) -> None:
        for key in ('occluder_prob', 'lookalike_prob', 'crop_prob'):
            check_real(key, getattr(self, key), 0.0, 1.0)
        check_real('max_rotation', self.max_rotation, 0.0, 180.0)
        if not isinstance(self.scale, (tuple, list)) or len(self.scale) != 2:
            raise TypeError(f'scale must be a pair (smallest, largest), got {self.scale!r}')
        low, high = self.scale
        check_real('scale[0]', low, 0.1, 1.0)
        check_real('scale[1]', high, low, 1.0)
        object.__setattr__(self, 'scale', (float(low), float(high)))


def check_real(key: str, value: float, low: float, high: float) -> None:
    """Refuse anything but a finite number from ``low`` to ``high``, naming the key."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'{key} must be a number, got {value!r}')
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f'{key} must be from {low:g} to {high:g}, got {value!r}')


def check_number(key: str, value: int, low: int, high: int) -> None:
    """Refuse anything but an integer from ``low`` to ``high``, naming the key."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f'{key} must be an integer, got {value!r}')
    if not low <= value <= high:
        raise ValueError(f'{key} must be from {low} to {high}, got {value!r}')


def check_size(size: int | tuple[int, int], key: str = 'size') -> tuple[int, int]:
    """Bring an image size into the form (width, height).

    Args:
        size (int | tuple): Width and height in pixels, or one number for a square.
        key (str): What an error calls it.

    Returns:
        tuple[int, int]: Width and height.

    Raises:
        TypeError: Not one or two integers.
        ValueError: A side below 32 or above 4096 pixels.
    """
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(sides) != 2:
        raise TypeError(f'{key} must be an integer or (width, height), got {size!r}')
    for side in sides:
        check_number(key, side, SMALLEST_SIZE, LARGEST_SIZE)
    return int(sides[0]), int(sides[1])
