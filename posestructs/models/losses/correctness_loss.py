"""Loss of a discriminator that tells right joints from wrong ones within predicted maps.

The losses of Adversarial PoseNet also show P the target maps, all labelled 1: it then learns what target maps look like
in the first place. This loss leaves the targets out and gives right and wrong joints the same weight. With the label t
of a predicted joint, 0 or 1, and the share r of joints of a batch with t = 1::

    D minimises  -(t / 2r) log D - ((1 - t) / 2(1 - r)) log(1 - D)

G minimises -log D of wrong joints, as with ``generator_loss='non_saturating'`` and a ``gate``, where -log |D - t| is
-log D for t = 0. D is then the probability that a joint is right if as many were right as wrong.

Shapes: N batch, K joints.
"""

from __future__ import annotations

from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.models.losses.adversarial_loss import fake_term, generator_term

_LEAST_SHARE = 0.05
"""Least share of either kind that is balanced, so that a single joint does not outweigh a batch."""


@MODELS.register_module()
class CorrectnessLoss(nn.Module):
    """Losses of a discriminator with the label rule 'p_fake' that sees predicted maps alone."""

    def real(self, logits: Tensor) -> Tensor:
        """(N, K) loss of D on target maps: 0."""
        return logits * 0

    def fake(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of D on predicted maps.

        Args:
            logits: (N, K).
            labels: (N, K) t, each 0 or 1.

        Returns:
            Tensor: (N, K).
        """
        share = labels.mean().clamp(_LEAST_SHARE, 1 - _LEAST_SHARE)
        return -fake_term(logits, labels) * (labels / (2 * share) + (1 - labels) / (2 * (1 - share)))

    def generator(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of G; arguments as for :meth:`fake`.

        Returns:
            Tensor: (N, K).
        """
        return generator_term(logits, labels, 'non_saturating')
