"""Relativistic losses on pairs of the same image (Jolicoeur-Martineau, ICLR 2019; Huang et al., NeurIPS 2024).

A discriminator need only score the target of an image above the prediction for the same image, joint by joint. What all
maps of an image have in common, such as how hard it is, cancels out. With logits r of the target and f of the
prediction, and the label t of the predicted joint, 0 or 1::

    D minimises  (1 - t) softplus(-(r - f)),    G minimises  (1 - t) softplus(-(f - r))

A joint that is right already (t = 1) is no example of a prediction that differs from a target: it does not count for
D, nor, which is the gate of :class:`~posestructs.models.losses.AdversarialLoss`, for G. Huang et al. combine the loss
with the penalties R1 and R2 (``discriminators.NAME.gradient_penalty``), and leave normalisation out of D
(``norm_cfg=None``).

Shapes: N batch, K joints.
"""

from __future__ import annotations

from mmpose.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F


@MODELS.register_module()
class RelativisticLoss(nn.Module):
    """Losses of a discriminator that compares the target with the prediction of the same image."""

    def pairs(self, real: Tensor, fake: Tensor, labels: Tensor) -> Tensor:
        """Loss of D.

        Args:
            real: (N, K) logits of targets.
            fake: (N, K) logits of predictions.
            labels: (N, K) t, each 0 or 1.

        Returns:
            Tensor: (N, K).
        """
        # softplus(-(r - f))
        return F.softplus(fake - real) * (1 - labels)

    def generator_pairs(self, real: Tensor, fake: Tensor, labels: Tensor) -> Tensor:
        """Loss of G; arguments as for :meth:`pairs`.

        Returns:
            Tensor: (N, K).
        """
        # softplus(-(f - r))
        return F.softplus(real - fake) * (1 - labels)
