"""Remove from a checkpoint what only training needs."""

from __future__ import annotations

import ast
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


def kept_discriminator(checkpoint: Mapping[str, Any]) -> str | None:
    """Name of the discriminator that the model of a run keeps at test time.

    Args:
        checkpoint: Checkpoint of a run, whose ``meta.cfg`` is the text of its config.

    Returns:
        str | None: ``model.keep`` of the config; None where there is none or no config.
    """
    text = (checkpoint.get('meta') or {}).get('cfg')
    try:
        statements = ast.parse(text).body if isinstance(text, str) else []
    except (SyntaxError, ValueError):
        return None
    for statement in statements:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], 'id', None) == 'model':
            values = [key.value for key in getattr(statement.value, 'keywords', ()) if key.arg == 'keep']
            return getattr(values[0], 'value', None) if values else None
    return None


def strip_discriminators(checkpoint: Mapping[str, Any], keep: str | None = None) -> dict[str, Any]:
    """Keep the weights of the generator, perhaps those of one discriminator, and the metadata of the run.

    The result loads with ``strict=True`` into the same model with ``discriminators=None``, and into mmpose's
    ``TopdownPoseEstimator`` with the same backbone, neck and head. Optimizers, schedules, logs and the state of hooks
    are left out. Where ``EMAHook`` averaged the weights, the averages are what is kept.

    Args:
        checkpoint: Checkpoint of a run with discriminators; not changed.
        keep: Name of a discriminator to keep, for ``AdversarialPoseEstimator(keep=...)``.

    Returns:
        dict[str, Any]: ``meta`` as it was, and ``state_dict``.

    Raises:
        ValueError: It holds no weights, or none of discriminators, or none of ``keep``.
    """
    state = checkpoint.get('state_dict') if isinstance(checkpoint, Mapping) else None
    if not isinstance(state, Mapping):
        raise ValueError('it has no state_dict: not a checkpoint of mmengine')
    held = discriminators_in(state)
    if keep is not None and keep not in held:
        raise ValueError(f'keep={keep!r}, allowed: {", ".join(sorted(held)) or "none, it has no discriminators"}')

    def belongs(name: str) -> bool:
        return not name.startswith(PREFIX) or (keep is not None and name.startswith(f'{PREFIX}{keep}.'))

    kept = OrderedDict((name, value) for name, value in state.items() if belongs(name))
    if not held:
        raise ValueError(
            f'it has no discriminators: none of its {len(state)} weights is named {PREFIX}..., so there is nothing to '
            'strip'
        )
    metadata = getattr(state, '_metadata', None)
    if metadata is not None:
        kept._metadata = OrderedDict((name, value) for name, value in metadata.items() if belongs(f'{name}.'))
    return dict(meta=checkpoint.get('meta', {}), state_dict=kept)
