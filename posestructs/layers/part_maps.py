"""Score maps of parts and their types: channels, and the average with the maps of the flipped image.

Shapes: N batch, V parts, T types, C = V*T + 1 channels (part-major, type inner, background last), h x w cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def mirror_channels(mirror: Sequence[int], mirror_types: np.ndarray) -> list[int]:
    """Channel permutation under a horizontal flip.

    Args:
        mirror: Mirror image of each of the V parts.
        mirror_types: (V, T), for each type the type of the mirror image that it becomes in a flipped image.

    Returns:
        list[int]: For each of the C channels of the image the channel of the flipped image that corresponds to it; the
        background stays.
    """
    num_parts, num_types = mirror_types.shape
    channels = np.arange(num_parts * num_types + 1)
    # type t of part k in the flipped image is type mirror_types[k, t] of part mirror[k] in the image
    targets = np.asarray(mirror)[:, None] * num_types + mirror_types
    channels[targets.ravel()] = np.arange(num_parts * num_types)
    return channels.tolist()


def flip_average(log_probs: Tensor, flipped: Tensor, channels: Sequence[int]) -> Tensor:
    """Mean probabilities of an image and its flipped copy.

    Probabilities are averaged, not their logarithms: the mean is a probability again, and a part that one of the two
    misses is not lost.

    Args:
        log_probs: (N, C, h, w) log probabilities of the image.
        flipped: (N, C, h, w) log probabilities of the flipped image.
        channels: C channels from :func:`mirror_channels`.

    Returns:
        Tensor: (N, C, h, w) log probabilities.
    """
    # log((p + q) / 2)
    return torch.logaddexp(log_probs, flipped.flip(-1)[:, channels]) - math.log(2)


def split_parts(log_probs: Tensor, num_parts: int) -> Tensor:
    """Maps of parts and types, without the background.

    Args:
        log_probs: (N, C, h, w).
        num_parts: Number of parts, V.

    Returns:
        Tensor: (N, V, T, h, w).
    """
    return log_probs[:, :-1].unflatten(1, (num_parts, -1))
