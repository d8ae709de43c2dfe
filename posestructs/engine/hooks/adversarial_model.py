"""The model that the adversarial hooks steer, out of a runner."""

from __future__ import annotations

from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

# what a hook reads and sets; see AdversarialPoseEstimator
_STEERED = ('alpha', 'beta', 'frozen', 'skip_steps', 'networks')


def adversarial_model(runner: Runner, hook: str) -> Any:
    """Take the model out of its distributed wrapper.

    Args:
        runner: The runner that trains.
        hook: Name of the hook that asks, for the error.

    Returns:
        AdversarialPoseEstimator: Or another model that has its ``alpha``, ``beta``, ``frozen``, ``skip_steps`` and
        ``networks()``.

    Raises:
        TypeError: The model has no networks to steer.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    if not all(hasattr(model, name) for name in _STEERED):
        raise TypeError(
            f'custom_hooks: {hook} steers AdversarialPoseEstimator, and model.type is {type(model).__name__}: leave '
            'the hook out'
        )
    return model


def discriminator_names(model: Any) -> tuple[str, ...]:
    """Networks of a model beside its generator.

    Args:
        model: See :func:`adversarial_model`.

    Returns:
        tuple[str, ...]: Of 'pose' and 'confidence'; none where there are no discriminators.
    """
    return tuple(name for name in model.networks() if name != 'generator')


def batch_begins(runner: Runner, name: str) -> bool:
    """Tell whether a network may be stopped or let go now: not amid a batch whose gradients are accumulated.

    Args:
        runner: The runner that trains, before an iteration.
        name: Of the network.

    Returns:
        bool: Always true without accumulation.
    """
    optim = runner.optim_wrapper
    member = optim[name] if isinstance(optim, OptimWrapperDict) else optim
    return runner.iter % member._accumulative_counts == 0


def nothing_counted(runner: Runner, name: str, window: int = 1) -> bool:
    """Tell whether no joint counted for a discriminator: none is labelled, or none is of a person of known size.

    Then all is logged as 0, which is not what a discriminator without success gets: a true joint that it takes for a
    predicted one costs at least log 2.

    Args:
        runner: The runner that trains, after an iteration.
        name: Of the discriminator, which was run.
        window: Iterations to look back on.

    Returns:
        bool: Whether it was so in each of them.
    """
    logged = (runner.message_hub.get_scalar(f'train/{name}.{key}') for key in ('acc_real', 'loss_real'))
    return all(scalar.mean(window) == 0 for scalar in logged)
