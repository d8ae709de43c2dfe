"""BEGAN losses for an auto-encoder (Berthelot et al., 2017), as in Chou et al., Self Adversarial Training, 2017.

With the errors of reconstruction L(real) of targets and L(fake) of predictions, each summed over the joints of an image
and averaged over images::

    D minimises  L(real) - k L(fake),    G minimises  lambda_G L(fake)
    k <- min(max(k + lambda_k (gamma L(real) - L(fake)), 0), 1)

k balances the two: while the errors of predictions are above gamma times those of targets, k falls, and D is trained on
targets alone. lambda_G is the discriminator's weight, ``adversarial.weights.NAME``. k is saved with the discriminator,
and equal on all ranks, as it follows from values that are averaged over them.

Shapes: N batch, K joints.
"""

from __future__ import annotations

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.utils.checks import check_number


@MODELS.register_module()
class BEGANLoss(nn.Module):
    """Losses on logits that are negative errors of reconstruction.

    Attributes:
        log_odds: False: its logits are not log-odds, and no scores or accuracies are logged.

    Args:
        gamma: Ratio of the errors of predictions to those of targets at which k stays.
        lambda_k: Rate of k.

    Raises:
        ValueError: A number is not allowed; names the key.
    """

    log_odds = False

    def __init__(self, gamma: float = 0.5, lambda_k: float = 1e-3) -> None:
        super().__init__()
        self.gamma = check_number('BEGANLoss.gamma', gamma, 0, 1)
        self.lambda_k = check_number('BEGANLoss.lambda_k', lambda_k, 0)
        self.register_buffer('k', torch.zeros(()))

    def real(self, logits: Tensor) -> Tensor:
        """(N, K) loss of D on targets: the error."""
        return -logits

    def fake(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(N, K) loss of D on predictions: ``-k`` times the error."""
        return self.k.to(logits) * logits

    def generator(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(N, K) loss of G: the error."""
        return -logits

    @torch.no_grad()
    def update(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Update k after an iteration in which D was stepped.

        Args:
            real: Logits of targets, summed over joints, averaged over images and ranks.
            fake: Likewise of predictions.

        Returns:
            dict[str, Tensor]: Values to log: ``k``.
        """
        # k + lambda_k (gamma L(real) - L(fake))
        self.k.add_(self.lambda_k * (fake - self.gamma * real)).clamp_(0, 1)
        return dict(k=self.k.clone())
