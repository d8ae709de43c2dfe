"""Compare the weights of a checkpoint with those of a model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from posestructs.utils.discriminator_weights import PREFIX
from posestructs.utils.usage import UsageError

_FIRST = 3  # names in a message; more would hide the rest


class Misfit(NamedTuple):
    """Differences between a checkpoint and a model.

    Attributes:
        other_shape: Names with both shapes.
        other_kind: Names of values that cannot stand for the weight, with what they are.
        missing: Names that only the model has.
        unexpected: Names that only the file has.
        matching: Number of weights that fit.
    """

    other_shape: list[str]
    other_kind: list[str]
    missing: list[str]
    unexpected: list[str]
    matching: int

    def __bool__(self) -> bool:
        return bool(self.other_shape or self.other_kind or self.missing or self.unexpected)

    @property
    def share(self) -> float:
        """Share of the model's weights that the file has."""
        others = len(self.other_shape) + len(self.other_kind) + len(self.missing)
        return self.matching / max(self.matching + others, 1)

    def count_by_network(self) -> str:
        """Count the weights of the model that the file does not have, by the first part of their names."""
        names = (*self.other_shape, *self.other_kind, *self.missing)
        counts = Counter(re.split(r'[. ]', name)[0] for name in names)
        return ', '.join(f'{count} of {network}' for network, count in counts.items())

    def describe(self) -> str:
        """Count the differences, and name the first of each kind."""
        kinds = (
            ('of another shape', self.other_shape),
            ('of another kind', self.other_kind),
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

    Raises:
        UsageError: It is not a dict of weights.
    """
    if not isinstance(checkpoint, Mapping):
        raise UsageError(f'the checkpoint holds a {type(checkpoint).__name__}, allowed: a dict with state_dict')
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, Mapping):
        raise UsageError(f'the checkpoint has state_dict of type {type(state).__name__}, allowed: a dict of tensors')
    if odd := [name for name in state if not isinstance(name, str)]:
        raise UsageError(f'the checkpoint has a weight called {odd[0]!r}, allowed: text')
    return {re.sub(r'^module\.', '', name): value for name, value in state.items()}


def compare_weights(own: Mapping[str, Tensor], state: Mapping[str, Any]) -> Misfit:
    """Compare names, shapes and kinds of values.

    Weights of discriminators may be missing and left over, as only training needs them, and so may counters of batches.

    Args:
        own: State of the model.
        state: Weights of the checkpoint, see :func:`weights_of`.

    Returns:
        Misfit: The differences; false where there are none.
    """
    kinds = {name: _unusable(state[name], own[name]) for name in own if name in state}
    other_kind = [f'{name} is {kind}' for name, kind in kinds.items() if kind]
    both = [name for name, kind in kinds.items() if not kind]
    differ = [name for name in both if state[name].shape != own[name].shape]
    shapes = [
        f'{name} {tuple(state[name].shape)} in the file, {tuple(own[name].shape)} in the model' for name in differ
    ]
    missing = [name for name in own if name not in state and not _optional(name)]
    unexpected = [name for name in state if name not in own and not _optional(name)]
    return Misfit(shapes, other_kind, missing, unexpected, len(both) - len(differ))


def non_finite(state: Mapping[str, Any], parameters: Collection[str]) -> list[str]:
    """Find weights that are NaN or infinite.

    Args:
        state: Weights by name.
        parameters: Names of weights that infinity spoils too; a buffer may hold it.

    Returns:
        list[str]: Names of those that hold NaN or, as a parameter, infinity.
    """
    floats = {name: v for name, v in state.items() if _has_values(v) and v.is_floating_point()}
    return [name for name, v in floats.items() if (~v.isfinite() if name in parameters else v.isnan()).any()]


def all_zero(state: Mapping[str, Any], parameters: Collection[str]) -> bool:
    """Check for weights that are all 0, of which no network was trained or initialised.

    Args:
        state: Weights by name.
        parameters: Names of those that training changes.

    Returns:
        bool: Whether there are such weights and each of them is 0.
    """
    values = [state[name] for name in parameters if _has_values(state.get(name))]
    return bool(values) and not any(value.any() for value in values)


def _has_values(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta


def _unusable(value: Any, own: Tensor) -> str | None:
    """What a value is that cannot be copied into a weight unchanged; ``None`` where it can.

    torch copies integers and the real parts of complex numbers into floats, and mmengine skips what is not a tensor.
    """
    if not isinstance(value, Tensor):
        return f'a {type(value).__name__}, not a tensor'
    if not _has_values(value):
        return 'a meta tensor' if value.is_meta else f'a tensor of layout {value.layout}'
    floats = value.is_floating_point(), own.is_floating_point()
    if floats[0] != floats[1] or value.is_complex() != own.is_complex():
        return f'{value.dtype} in the file, {own.dtype} in the model'
    return None


def _optional(name: str) -> bool:
    return name.startswith(PREFIX) or name.endswith('num_batches_tracked')


def _listed(kind: str, names: Sequence[str]) -> str:
    return f'{kind} ({len(names)}): ' + ', '.join(names[:_FIRST]) + (', ...' if len(names) > _FIRST else '')
