"""Feature matching (Salimans et al., NeurIPS 2016; Wang et al., pix2pixHD, CVPR 2018).

D is trained as usual. G does not lower its score, which a discriminator that is always right makes meaningless, but
brings the features that D computes from the predicted maps closer to those that it computes from the targets of the
same image, at all sizes::

    G minimises  1/L sum_l mean |F_l(predicted) - F_l(target)|

over L layers; the mean is over channels and cells.

Shapes: N batch, K joints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmpose.registry import MODELS
from torch import Tensor

from posestructs.models.losses.adversarial_loss import AdversarialLoss


@MODELS.register_module()
class FeatureMatchingLoss(AdversarialLoss):
    """The losses of D of :class:`~posestructs.models.losses.AdversarialLoss`, and features for G.

    Its discriminator has the method ``logits_and_features``, as those of this package do. Arguments are those of
    ``AdversarialLoss``; labels are those of the estimator's own thresholds.
    """

    def generator_features(self, real: Sequence[Tensor], fake: Sequence[Tensor], labels: Tensor) -> Tensor:
        """Loss of G, the same for all joints of an image.

        Args:
            real: L features (N, F, h, w) of targets, without gradients.
            fake: L features of predictions.
            labels: (N, K) t; gives the number of joints.

        Returns:
            Tensor: (N, K), whose sum over the joints is the mean distance of the features.
        """
        # 1/L sum_l mean |F_l(predicted) - F_l(target)|
        each = [
            (f - r).abs().flatten(1).mean(1, dtype=torch.promote_types(f.dtype, torch.float32))
            for r, f in zip(real, fake, strict=True)
        ]
        return torch.stack(each).mean(0).unsqueeze(1).expand_as(labels) / labels.shape[1]
