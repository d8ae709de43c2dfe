"""The adversarial terms of Adversarial PoseNet (Chen et al., ICCV 2017), on logits.

A discriminator, P or C, says for each joint how likely it is that the maps are true. With logits s, D = sigmoid(s)::

    L_D = E[log D(real)] + E[log(1 - |D(fake) - t|)]                 D maximises
    L_G + alpha L_C + beta L_P                                       G minimises, its part is the second term of each

with the label t of a predicted joint: for P t = 1 if d < delta, d its distance to the true place over the person's
size; for C t = 1 if ||y - y^|| < epsilon, the distance of its pose map to the true one; else 0. As t is 0 or 1,
log(1 - |D - t|) is log D or log(1 - D), that is log sigmoid(+s) or log sigmoid(-s), which no logit overflows.

**Gate.** The slides set alpha = 0 where c_fake = c_real and beta = 0 where p_fake = p_real; a real joint's label is 1.
Without it G would minimise log(1 - |D - 1|) = log D on joints that are right already, and push D down there.

**generator_loss.** 'minimax' is log(1 - |D - t|) as written, flat where D sees through a fake (Goodfellow et al.,
2014). 'non_saturating' is -log |D - t|: the same sign of the slope everywhere, steep there.

All terms are per joint; :func:`per_image` sums joints and divides by images, as Eq. 1 does with its maps. Which images
or joints a rank holds does not change the divisor, so that ranks and accumulated batches agree.

Shapes: B images, K joints, H x W cells.
"""

from __future__ import annotations

from numbers import Real

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from posestructs.layers.heatmaps import heatmap_maximum

REAL_LABEL = 1
GENERATOR_LOSSES = ('minimax', 'non_saturating')


def real_term(logits: Tensor) -> Tensor:
    """log D of true maps, to be maximised by D.

    Args:
        logits: (B, K).

    Returns:
        Tensor: (B, K), at most 0.
    """
    # log D(real)
    return F.logsigmoid(logits)


def fake_term(logits: Tensor, labels: Tensor) -> Tensor:
    """log(1 - |D - t|) of predicted maps, to be maximised by D.

    Args:
        logits: (B, K).
        labels: (B, K) t, each 0 or 1.

    Returns:
        Tensor: (B, K), at most 0.
    """
    # log(1 - |D(fake) - t|)
    return F.logsigmoid((2 * labels - 1) * logits)


def generator_term(logits: Tensor, labels: Tensor, kind: str = 'minimax', gate: bool = True) -> Tensor:
    """What G minimises of one discriminator's verdict on its maps.

    Args:
        logits: (B, K).
        labels: (B, K) t, each 0 or 1.
        kind: 'minimax' or 'non_saturating'.
        gate: Whether joints with the label of a real one give 0.

    Returns:
        Tensor: (B, K).
    """
    if kind == 'minimax':
        # log(1 - |D(fake) - t|)
        term = fake_term(logits, labels)
    else:
        # -log |D(fake) - t|
        term = -F.logsigmoid((1 - 2 * labels) * logits)
    # alpha = 0 where c_fake = c_real, beta = 0 where p_fake = p_real
    return term * (labels != REAL_LABEL) if gate else term


def per_image(terms: Tensor, weights: Tensor) -> Tensor:
    """Sum over joints, divide by images.

    Args:
        terms: (B, K).
        weights: (B, K), 0 for a joint without a label.

    Returns:
        Tensor: Scalar.
    """
    return (terms * weights).sum() / len(terms)


@torch.no_grad()
def labels_by_distance(maps: Tensor, cells: Tensor, sizes: Tensor, delta: float) -> Tensor:
    """p_fake: which joints are predicted at the right place.

    Args:
        maps: (B, K, H, W) predicted pose maps; a joint is predicted at its map's maximum, nowhere without one above 0.
        cells: (B, K, 2) true places, x and y in cells.
        sizes: (B,) size of each person in cells.
        delta: Allowed distance, in sizes.

    Returns:
        Tensor: (B, K) of 0 and 1, at least float32.
    """
    peaks, values = heatmap_maximum(maps)
    # p_fake^i = 1 if d_i < delta, d_i = |x_i - x^_i| / size
    right = (peaks - cells).norm(dim=2) < delta * sizes.unsqueeze(1)
    return (right & (values > 0)).to(peaks)


@torch.no_grad()
def labels_by_map(maps: Tensor, truth: Tensor, epsilon: float) -> Tensor:
    """c_fake: which joints have nearly the true map.

    Args:
        maps: (B, K, H, W) predicted pose maps.
        truth: (B, K, H, W) true ones, float32 or wider.
        epsilon: Allowed Euclidean distance over all cells of a map.

    Returns:
        Tensor: (B, K) of 0 and 1, at least float32.
    """
    # c_fake^i = 1 if ||y_i - y^_i|| < epsilon
    distance = (maps - truth).flatten(2).norm(dim=2)
    return (distance < epsilon).to(distance)


@MODELS.register_module()
class AdversarialLoss(nn.Module):
    """What P and C are told, and what they tell the generator.

    The paper publishes neither delta nor epsilon. The defaults are for maps with a sigma of 1 and in the middle of the
    values that ``benchmarks/label_thresholds.py`` compares.

    Args:
        delta: How near a joint counts as right for P, as a fraction of the person's size; above 0. The size is what the
            codec measures (``normalize``).
        epsilon: How near its map counts as right for C; above 0. A Gaussian of height 1 and standard deviation sigma
            has the norm 1.77 sigma.
        gate: Spare joints that are right already; see the module's description.
        generator_loss: 'minimax' or 'non_saturating'.

    Raises:
        ValueError: A value is not possible; names the key.
    """

    def __init__(
        self, delta: float = 0.2, epsilon: float = 1.0, gate: bool = True, generator_loss: str = 'minimax'
    ) -> None:
        super().__init__()
        for key, value in (('delta', delta), ('epsilon', epsilon)):
            if not isinstance(value, Real) or isinstance(value, bool) or not value > 0:
                raise ValueError(f'adversarial.{key}={value!r}, allowed: a number above 0')
        if not isinstance(gate, bool):
            raise ValueError(f'adversarial.gate={gate!r}, allowed: True, False')
        if generator_loss not in GENERATOR_LOSSES:
            raise ValueError(f'adversarial.generator_loss={generator_loss!r}, allowed: {GENERATOR_LOSSES}')
        self.delta, self.epsilon, self.gate, self.generator_loss = float(delta), float(epsilon), gate, generator_loss

    def labels(self, network: str, maps: Tensor, truth: Tensor, cells: Tensor, sizes: Tensor) -> Tensor:
        """t of each predicted joint.

        Args:
            network: 'pose' or 'confidence'.
            maps: (B, K, H, W) predicted pose maps.
            truth: (B, K, H, W) true ones.
            cells: (B, K, 2) true places in cells.
            sizes: (B,) in cells.

        Returns:
            Tensor: (B, K) of 0 and 1.
        """
        if network == 'pose':
            return labels_by_distance(maps, cells, sizes, self.delta)
        return labels_by_map(maps, truth, self.epsilon)

    def real(self, logits: Tensor) -> Tensor:
        """(B, K) loss of a discriminator on true maps: -log D."""
        return -real_term(logits)

    def fake(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(B, K) loss of a discriminator on predicted maps: ``-log(1 - |D - t|)``."""
        return -fake_term(logits, labels)

    def generator(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(B, K) loss of the generator; see :func:`generator_term`."""
        return generator_term(logits, labels, self.generator_loss, self.gate)
