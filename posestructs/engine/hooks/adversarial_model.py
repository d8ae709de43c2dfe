"""Access to the model that the adversarial hooks control."""

from __future__ import annotations

from typing import Any

from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from posestructs.utils.networks import unwrapped

# attributes that hooks read and set; see AdversarialPoseEstimator
_CONTROLLED = ('adversarial_weights', 'frozen', 'skip_steps', 'networks')


def adversarial_model(runner: Runner, hook: str) -> Any:
    """Take the model out of its distributed wrapper.

    Args:
        runner: Runner of the training.
        hook: Name of the calling hook, for the error.

    Returns:
        AdversarialPoseEstimator: Or another model with ``adversarial_weights``, ``frozen``, ``skip_steps`` and
        ``networks()``.

    Raises:
        TypeError: The model has none of these.
    """
    model = unwrapped(runner.model)
    if not all(hasattr(model, name) for name in _CONTROLLED):
        raise TypeError(
            f'custom_hooks: {hook} controls AdversarialPoseEstimator, and model.type is {type(model).__name__}: leave '
            'the hook out'
        )
    return model


def discriminator_names(model: Any) -> tuple[str, ...]:
    """Names of a model's discriminators.

    Args:
        model: Model with the method ``networks``.

    Returns:
        tuple[str, ...]: Names of its networks without 'generator'.
    """
    return tuple(name for name in model.networks() if name != 'generator')


def batch_begins(runner: Runner, name: str) -> bool:
    """Check whether a network may be stopped or restarted now, which is not the case within an accumulated batch.

    Args:
        runner: Runner of the training, before an iteration.
        name: Name of the network.

    Returns:
        bool: Always True without accumulation.
    """
    optim = runner.optim_wrapper
    member = optim[name] if isinstance(optim, OptimWrapperDict) else optim
    return runner.iter % member._accumulative_counts == 0


def nothing_counted(runner: Runner, name: str, window: int = 1) -> bool:
    """Check whether no joint counted for a discriminator: none is labelled, or no person's size is known.

    All its values are then logged as 0. A discriminator that is wrong everywhere has an accuracy of 0 too, but not a
    loss of 0: a real joint that it scores below 0.5 costs at least log 2.

    Args:
        runner: Runner of the training, after an iteration.
        name: Name of the discriminator, which was run.
        window: Number of iterations to look back.

    Returns:
        bool: Whether no joint counted in any of them.
    """
    logged = (runner.message_hub.get_scalar(f'train/{name}.{key}') for key in ('acc_real', 'loss_real'))
    return all(scalar.mean(window) == 0 for scalar in logged)
