"""Terms of one discriminator in an iteration: generator terms, gradients at the maps, gradient penalties.

Shapes: N batch, K joints, C channels of the maps, H x W cells, h x w pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from posestructs.models.pose_estimators.discriminator_config import Penalty


class Discriminator(NamedTuple):
    """A discriminator and its part in an iteration.

    Attributes:
        network: Module that is called with maps and images and returns (N, K) logits.
        loss: Its losses; see :mod:`~posestructs.models.pose_estimators.adversarial_step`.
        labels: Labels of predicted joints, from predicted pose maps, target pose maps, positions and sizes; see
            :meth:`AdversarialLoss.labels`.
        label_rule: Rule of these labels, one of ``LABEL_RULES``.
        pose_maps_only: Leave out the occlusion maps.
        weight: Weight of its term in the generator's loss.
        penalty: Its gradient penalties.
    """

    network: nn.Module
    loss: nn.Module
    labels: Callable[..., Tensor]
    label_rule: str
    pose_maps_only: bool
    weight: float
    penalty: Penalty = Penalty()


def generator_terms(own: Discriminator, real: Tensor, fake: Tensor, images: Tensor, labels: Tensor) -> Tensor:
    """What G minimises of a discriminator, with a weight of 1.

    Args:
        own: The discriminator, whose weights should be excluded from the graph.
        real: (N, C, H, W) target maps.
        fake: (N, C, H, W) predicted maps, with their graph.
        images: (N, 3, h, w).
        labels: (N, K) labels of predicted joints.

    Returns:
        Tensor: (N, K).
    """
    network, loss = own.network, own.loss
    if hasattr(loss, 'generator_features'):
        with torch.no_grad():
            wanted = network.logits_and_features(real, images)[1]
        return loss.generator_features(wanted, network.logits_and_features(fake, images)[1], labels)
    if hasattr(loss, 'generator_pairs'):
        with torch.no_grad():
            compared = at_least_float32(network(real, images))
        return loss.generator_pairs(compared, at_least_float32(network(fake, images)), labels)
    return loss.generator(at_least_float32(network(fake, images)), labels)


def gradient_at(loss: Tensor, maps: Tensor) -> Tensor:
    """Gradient of a loss at maps; the graph is kept.

    Args:
        loss: Scalar.
        maps: (N, C, H, W).

    Returns:
        Tensor: (N, C, H, W), 0 if the loss does not depend on the maps.
    """
    (found,) = torch.autograd.grad(loss, maps, retain_graph=True, allow_unused=True)
    return at_least_float32(torch.zeros_like(maps) if found is None else found)


def compare_gradients(own: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Compare the gradient of a discriminator's term with that of L_G.

    Args:
        own: (N, C, H, W) gradient of the term.
        reference: (N, C, H, W) gradient of L_G.

    Returns:
        tuple[Tensor, Tensor]: Ratio of their norms, and their cosine; 0 if a gradient is 0.
    """
    # a term that is 0, as every joint is right already, has no direction
    tiny, sizes = torch.finfo(own.dtype).tiny, (own.norm(), reference.norm())
    cosine = (own * reference).sum() / (sizes[0] * sizes[1]).clamp(min=tiny)
    return sizes[0] / sizes[1].clamp(min=tiny), cosine


def gradient_penalty(logits: Tensor, maps: Tensor, weights: Tensor, penalty: Penalty) -> Tensor:
    """R1 and R2 (Mescheder et al., ICML 2018).

    Args:
        logits: (2N, K) logits of real and of predicted maps.
        maps: (2N, C, H, W) the maps, real ones first, in the graph of the logits.
        weights: (N, K) joints that count.
        penalty: Weights of the penalties.

    Returns:
        Tensor: Scalar, with a graph.
    """
    total = (logits * weights.repeat(2, 1)).sum()
    (found,) = torch.autograd.grad(total, maps, create_graph=True)
    # r/2 E|grad|^2
    real, fake = (each.mean() / 2 for each in found.square().sum((1, 2, 3)).chunk(2))
    return penalty.r1 * real + penalty.r2 * fake


def at_least_float32(values: Tensor) -> Tensor:
    """Undo the lower precision of autocast."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
