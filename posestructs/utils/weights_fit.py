"""Compare the weights of a checkpoint with those of a model."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from posestructs.utils.release import PREFIX

_FIRST = 3  # names in a message; more would hide the rest


class Misfit(NamedTuple):
    """Differences between a checkpoint and a model.

    Attributes:
        other_shape: Names with both shapes.
        missing: Names that only the model has.
        unexpected: Names that only the file has.
        matching: Number of weights that fit.
    """

    other_shape: list[str]
    missing: list[str]
    unexpected: list[str]
    matching: int

    def __bool__(self) -> bool:
        return bool(self.other_shape or self.missing or self.unexpected)

    @property
    def share(self) -> float:
        """Share of the model's weights that the file has."""
        return self.matching / max(self.matching + len(self.other_shape) + len(self.missing), 1)

    def describe(self) -> str:
        """Count the differences, and name the first of each kind."""
        kinds = (
            ('of another shape', self.other_shape),
            ('missing in the file', self.missing),
            ('not of this model', self.unexpected),
        )
        return '; '.join(_listed(kind, names) for kind, names in kinds if names)


def weights_of(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Take the weights out of a checkpoint, without the prefix of a distributed wrapper.

    Args:
        checkpoint: ``state_dict`` and more, or the weights alone.

    Returns:
        dict[str, Any]: Weights by name.
    """
    state = checkpoint.get('state_dict', checkpoint)
    return {re.sub(r'^module\.', '', name): value for name, value in state.items()}


def compare_weights(own: Mapping[str, Tensor], state: Mapping[str, Any]) -> Misfit:
    """Compare names and shapes.

    Weights of discriminators may be missing and left over, as only training needs them, and so may counters of batches.

    Args:
        own: State of the model.
        state: Weights of the checkpoint, see :func:`weights_of`.

    Returns:
        Misfit: The differences; false where there are none.
    """
    both = [name for name in own if isinstance(state.get(name), Tensor)]
    differ = [name for name in both if state[name].shape != own[name].shape]
    shapes = [
        f'{name} {tuple(state[name].shape)} in the file, {tuple(own[name].shape)} in the model' for name in differ
    ]
    missing = [name for name in own if name not in state and not _optional(name)]
    unexpected = [name for name in state if name not in own and not _optional(name)]
    return Misfit(shapes, missing, unexpected, len(both) - len(differ))


def non_finite(state: Mapping[str, Any], parameters: Collection[str]) -> list[str]:
    """Find weights that are NaN or infinite.

    Args:
        state: Weights by name.
        parameters: Names of weights that infinity spoils too; a buffer may hold it.

    Returns:
        list[str]: Names of those that hold NaN or, as a parameter, infinity.
    """
    floats = {name: v for name, v in state.items() if isinstance(v, Tensor) and v.is_floating_point()}
    return [name for name, v in floats.items() if (~v.isfinite() if name in parameters else v.isnan()).any()]


def _optional(name: str) -> bool:
    return name.startswith(PREFIX) or name.endswith('num_batches_tracked')


def _listed(kind: str, names: Sequence[str]) -> str:
    return f'{kind} ({len(names)}): ' + ', '.join(names[:_FIRST]) + (', ...' if len(names) > _FIRST else '')
