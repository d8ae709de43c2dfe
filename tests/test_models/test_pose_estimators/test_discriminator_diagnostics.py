"""Diagnostics against the same numbers collected joint by joint."""

import numpy as np
import pytest
import torch

from posestructs.models.pose_estimators.discriminator_diagnostics import diagnose
from tests.test_models.test_pose_estimators.test_adversarial_step import Plain


def pairs_in_order(scores, positive):
    """AUROC by counting pairs."""
    found = [
        (a > b) + 0.5 * (a == b)
        for a, p in zip(scores, positive, strict=True)
        if p
        for b, q in zip(scores, positive, strict=True)
        if not q
    ]
    return np.mean(found)


def test_figures_of_p(toy):
    model = toy.build(discriminators=dict(pose=toy.MODEL['discriminators']['pose']))
    batches = [toy.batch(0), toy.batch(6)]
    before = toy.weights(model)
    found = diagnose(model, [dict(batch) for batch in batches])['pose']
    assert toy.largest_difference(toy.weights(model), before) == 0
    right, fake, real, peaks, ratios = [], [], [], [], []
    for data in batches:
        plain = Plain(model, data)
        stacks = plain.generate()
        maps = stacks[-1].detach().requires_grad_()
        net = plain.model.discriminators['pose']
        small = torch.nn.functional.adaptive_avg_pool2d(plain.images, maps.shape[2:])
        logits = [net._logits(plain.masked(each), small) for each in (plain.targets, maps)]
        (own,) = torch.autograd.grad(plain.l_g([stacks[0].detach(), maps]), maps)
        joints = list(plain.joints('pose'))
        labels = [plain.label('pose', maps, i, k) for i, k in joints]
        gated = [at for at, t in zip(joints, labels, strict=True) if t == 0]
        term = sum(torch.log(1 - torch.sigmoid(logits[1][at])) for at in gated) / plain.count
        (other,) = torch.autograd.grad(term, maps)
        ratios.append((other.norm() / own.norm()).item())
        right += labels
        real += [logits[0][at].item() for at in joints]
        fake += [logits[1][at].item() for at in joints]
        peaks += [maps[i, k].max().item() for i, k in joints]
    assert found['joints'] == len(right) and 0 < sum(right) < len(right)
    assert found['share_right'] == pytest.approx(np.mean(right))
    assert found['auroc_discriminator'] == pytest.approx(pairs_in_order(fake, right))
    assert found['auroc_peak'] == pytest.approx(pairs_in_order(peaks, right))
    assert found['auroc_real'] == pytest.approx(pairs_in_order(real + fake, [1] * len(real) + [0] * len(fake)))
    assert found['score_real'] == pytest.approx(np.mean(1 / (1 + np.exp(-np.array(real)))))
    assert found['grad_ratio'] == pytest.approx(np.mean(ratios), rel=1e-6)
    assert found['grad_share'] == pytest.approx(0.7 * np.mean(ratios), rel=1e-6)
    assert model.training is False


def test_nothing_to_diagnose(toy):
    with pytest.raises(ValueError, match='no discriminators, or there is no batch'):
        diagnose(toy.build(), [])
