"""Remove from a checkpoint what only training needs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

PREFIX = 'discriminators.'


def discriminators_in(state: Mapping[str, Any]) -> set[str]:
    """List the discriminators whose weights a checkpoint holds.

    Args:
        state: Its ``state_dict``.

    Returns:
        set[str]: Such as ``{'pose', 'confidence'}``.
    """
    return {name.removeprefix(PREFIX).partition('.')[0] for name in state if name.startswith(PREFIX)}


def strip_discriminators(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the weights of the generator and the metadata of the run.

    The result loads with ``strict=True`` into the same model with ``discriminators=None``, and into mmpose's
    ``TopdownPoseEstimator`` with the same backbone, neck and head. Optimizers, schedules, logs and the state of hooks
    are left out. Where ``EMAHook`` averaged the weights, the averages are what is kept.

    Args:
        checkpoint: Checkpoint of a run with discriminators; not changed.

    Returns:
        dict[str, Any]: ``meta`` as it was, and ``state_dict``.

    Raises:
        ValueError: It holds no weights, or none of discriminators.
    """
    state = checkpoint.get('state_dict') if isinstance(checkpoint, Mapping) else None
    if not isinstance(state, Mapping):
        raise ValueError('it has no state_dict: not a checkpoint of mmengine')
    kept = OrderedDict((name, value) for name, value in state.items() if not name.startswith(PREFIX))
    if len(kept) == len(state):
        raise ValueError(
            f'it has no discriminators: none of its {len(state)} weights is named {PREFIX}..., so there is nothing to '
            'strip'
        )
    metadata = getattr(state, '_metadata', None)
    if metadata is not None:
        kept._metadata = OrderedDict(
            (name, value) for name, value in metadata.items() if not f'{name}.'.startswith(PREFIX)
        )
    return dict(meta=checkpoint.get('meta', {}), state_dict=kept)
