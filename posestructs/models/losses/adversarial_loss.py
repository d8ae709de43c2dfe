"""Discriminator and generator terms of the adversarial loss (Chen et al., ICCV 2017), computed on logits.

A discriminator D predicts for each joint the probability that its maps are real, D = sigmoid(s) for a logit s::

    L_D = E[log D(real)] + E[log(1 - |D(fake) - t|)]                 D maximises
    L_G + alpha L_C + beta L_P                                       G minimises, its part is the second term of each

t is the label of a predicted joint, by one of these rules (:data:`LABEL_RULES`):

- ``'p_fake'`` (the paper's P): t = 1 if d < delta, with d the distance to the true position over the person's size;
- ``'c_fake'`` (the paper's C): t = 1 if ||y - y^|| < epsilon, the distance between its pose map and the target map;
- ``'all_fake'``: t = 0 for every joint, an ordinary GAN.

As t is 0 or 1, log(1 - |D - t|) is log D or log(1 - D), that is log sigmoid(+s) or log sigmoid(-s), which is finite for
every logit.

**Gate.** The slides set alpha = 0 where c_fake = c_real and beta = 0 where p_fake = p_real; the label of a real joint
is 1. Without the gate, G would minimise log(1 - |D - 1|) = log D on joints that are already correct, and lower D
there.

**generator_loss.** 'minimax' is log(1 - |D - t|) as written; its gradient vanishes where D recognises a prediction
(Goodfellow et al., 2014). 'non_saturating' is -log |D - t|: its gradient has the same sign everywhere and is large
there.

All terms are per joint; :func:`per_image` sums over joints and divides by the number of images, as Eq. 1 does with its
maps. The divisor does not depend on which joints are labelled, so that ranks and accumulated batches agree.

Shapes: N batch, K joints, H x W cells.
"""

from __future__ import annotations

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from posestructs.layers.heatmaps import heatmap_maximum
from posestructs.utils.checks import check_bool, check_choice, check_number

REAL_LABEL = 1
GENERATOR_LOSSES = ('minimax', 'non_saturating')
#: label rules, each with the threshold of :class:`AdversarialLoss` that it compares with
LABEL_RULES = dict(p_fake='delta', c_fake='epsilon', all_fake=None)


def real_term(logits: Tensor) -> Tensor:
    """log D of real maps, which D maximises.

    Args:
        logits: (N, K).

    Returns:
        Tensor: (N, K), at most 0.
    """
    # log D(real)
    return F.logsigmoid(logits)


def fake_term(logits: Tensor, labels: Tensor) -> Tensor:
    """log(1 - |D - t|) of predicted maps, which D maximises.

    Args:
        logits: (N, K).
        labels: (N, K) t, each 0 or 1.

    Returns:
        Tensor: (N, K), at most 0.
    """
    # log(1 - |D(fake) - t|)
    return F.logsigmoid((2 * labels - 1) * logits)


def generator_term(logits: Tensor, labels: Tensor, kind: str = 'minimax', gate: bool = True) -> Tensor:
    """The term of one discriminator that G minimises.

    Args:
        logits: (N, K) of predicted maps.
        labels: (N, K) t, each 0 or 1.
        kind: 'minimax' or 'non_saturating'.
        gate: Set the term to 0 for joints with the label of a real one.

    Returns:
        Tensor: (N, K).
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
    """Sum over joints, divided by the number of images.

    Args:
        terms: (N, K).
        weights: (N, K), 0 for joints without a label.

    Returns:
        Tensor: Scalar.
    """
    return (terms * weights).sum() / len(terms)


@torch.no_grad()
def labels_by_distance(maps: Tensor, cells: Tensor, sizes: Tensor, delta: float) -> Tensor:
    """p_fake: 1 for joints that are predicted close to their true position.

    Args:
        maps: (N, K, H, W) predicted pose maps. A joint is predicted at the maximum of its map, and nowhere if no value
            is above 0.
        cells: (N, K, 2) true positions, x and y in cells.
        sizes: (N,) size of each person in cells.
        delta: Allowed distance as a fraction of the size.

    Returns:
        Tensor: (N, K) of 0 and 1, at least float32.
    """
    peaks, values = heatmap_maximum(maps)
    # p_fake^i = 1 if d_i < delta, d_i = |x_i - x^_i| / size
    correct = (peaks - cells).norm(dim=2) < delta * sizes.unsqueeze(1)
    return (correct & (values > 0)).to(peaks)


@torch.no_grad()
def labels_by_map(maps: Tensor, targets: Tensor, epsilon: float) -> Tensor:
    """c_fake: 1 for joints whose map is close to its target.

    Args:
        maps: (N, K, H, W) predicted pose maps.
        targets: (N, K, H, W) target maps, float32 or wider.
        epsilon: Allowed Euclidean distance over all cells of a map.

    Returns:
        Tensor: (N, K) of 0 and 1, at least float32.
    """
    # c_fake^i = 1 if ||y_i - y^_i|| < epsilon
    distance = (maps - targets).flatten(2).norm(dim=2)
    return (distance < epsilon).to(distance)


@MODELS.register_module()
class AdversarialLoss(nn.Module):
    """Labels of predicted joints, and the losses of discriminators and generator.

    The paper publishes neither delta nor epsilon. The defaults are for target maps with a sigma of 1, and lie in the
    middle of the values that ``benchmarks/label_thresholds.py`` compares.

    Args:
        delta: Greatest distance at which 'p_fake' labels a joint 1, as a fraction of the person's size, above 0. The
            size is measured by the codec (``normalize``).
        epsilon: Greatest distance between maps at which 'c_fake' labels a joint 1, above 0. A Gaussian of height 1 and
            standard deviation sigma has the norm 1.77 sigma.
        gate: Leave joints with the label 1 out of the generator's loss; see the module's description.
        generator_loss: 'minimax' or 'non_saturating'.

    Raises:
        ValueError: A value is not allowed; names the key.
    """

    def __init__(
        self, delta: float = 0.2, epsilon: float = 1.0, gate: bool = True, generator_loss: str = 'minimax'
    ) -> None:
        super().__init__()
        self.delta = float(check_number('adversarial.delta', delta, above=0))
        self.epsilon = float(check_number('adversarial.epsilon', epsilon, above=0))
        self.gate = check_bool('adversarial.gate', gate)
        self.generator_loss = check_choice('adversarial.generator_loss', generator_loss, GENERATOR_LOSSES)

    def labels(self, rule: str, maps: Tensor, targets: Tensor, cells: Tensor, sizes: Tensor) -> Tensor:
        """t of each predicted joint.

        Args:
            rule: One of :data:`LABEL_RULES`.
            maps: (N, K, H, W) predicted pose maps.
            targets: (N, K, H, W) target pose maps.
            cells: (N, K, 2) true positions in cells.
            sizes: (N,) size of each person in cells.

        Returns:
            Tensor: (N, K) of 0 and 1.
        """
        if rule == 'p_fake':
            return labels_by_distance(maps, cells, sizes, self.delta)
        if rule == 'c_fake':
            return labels_by_map(maps, targets, self.epsilon)
        return cells.new_zeros(cells.shape[:2])

    def real(self, logits: Tensor) -> Tensor:
        """(N, K) loss of a discriminator on real maps: -log D."""
        return -real_term(logits)

    def fake(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(N, K) loss of a discriminator on predicted maps: ``-log(1 - |D - t|)``."""
        return -fake_term(logits, labels)

    def generator(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(N, K) loss of the generator; see :func:`generator_term`."""
        return generator_term(logits, labels, self.generator_loss, self.gate)
