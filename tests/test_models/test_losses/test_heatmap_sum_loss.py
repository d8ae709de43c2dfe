"""L_G of one stack against Eq. 1 written as loops, in float64."""

import pytest
import torch
from mmpose.registry import MODELS

from posestructs.models.losses import HeatmapSumLoss


def by_hand(maps, targets, weights):
    """1/(2N) sum over images, joints, rows and columns."""
    total = 0.0
    images, joints, height, width = maps.shape
    for n in range(images):
        for k in range(joints):
            for y in range(height):
                for x in range(width):
                    total += float(weights[n, k]) * (float(maps[n, k, y, x]) - float(targets[n, k, y, x])) ** 2
    return total / (2 * images)


def batch(images=3, joints=2, height=3, width=5):
    torch.manual_seed(0)
    maps, targets = torch.randn(2, images, joints, height, width, dtype=torch.float64)
    weights = torch.rand(images, joints, dtype=torch.float64)
    weights[1, 0] = 0
    return maps, targets, weights


def test_equals_the_formula():
    maps, targets, weights = batch()
    loss = MODELS.build(dict(type='HeatmapSumLoss', loss_weight=0.5))(maps, targets, weights)
    assert float(loss) == pytest.approx(0.5 * by_hand(maps, targets, weights), rel=1e-12)


def test_relation_to_mmposes_mean():
    """K * H * W / 2 times KeypointMSELoss, the conversion that the module states."""
    maps, targets, weights = batch()
    mean = MODELS.build(dict(type='KeypointMSELoss', use_target_weight=True))(maps, targets, weights)
    assert float(HeatmapSumLoss()(maps, targets, weights)) == pytest.approx(float(mean) * 2 * 3 * 5 / 2)


def test_gradients():
    maps, targets, weights = batch()
    maps.requires_grad_()
    torch.autograd.gradcheck(lambda maps: HeatmapSumLoss()(maps, targets, weights), maps)
    (grad,) = torch.autograd.grad(HeatmapSumLoss()(maps, targets, weights), maps)
    torch.testing.assert_close(grad, weights[..., None, None] * (maps - targets) / 3)
    assert not grad[1, 0].any()


def test_accumulation_is_the_mean_of_the_parts():
    """Also if one half has no labels: the divisor is the number of images, not of labels."""
    maps, targets, weights = batch(images=4)
    weights[:2] = 0
    loss = HeatmapSumLoss()
    halves = [loss(maps[part], targets[part], weights[part]) for part in (slice(0, 2), slice(2, 4))]
    assert float(halves[0]) == 0
    assert float(sum(halves) / 2) == pytest.approx(float(loss(maps, targets, weights)))


def test_half_precision_maps_are_summed_in_float32():
    """The sum of 128 x 128 squared distances exceeds the range of float16."""
    maps = torch.full((1, 1, 128, 128), 3.0, dtype=torch.float16)
    loss = HeatmapSumLoss()(maps, torch.zeros(1, 1, 128, 128), torch.ones(1, 1))
    assert float(loss) == 9 * 128 * 128 / 2


def test_refuses_shapes_that_do_not_fit():
    maps, targets, weights = batch()
    combined = [three.repeat(1, 3, 1, 1) for three in (maps, targets)]
    with pytest.raises(ValueError, match=r'target maps \(3, 6, 3, 5\) and weights \(3, 2\).* heatmap_type="com'):
        HeatmapSumLoss()(*combined, weights)
    # shapes that would be broadcast
    with pytest.raises(ValueError, match=r'predicted maps \(3, 2, 3, 5\), target maps \(3, 1, 3, 5\)'):
        HeatmapSumLoss()(maps, targets[:, :1], weights)
    with pytest.raises(ValueError, match=r'weights \(3, 1\)'):
        HeatmapSumLoss()(maps, targets, weights[:, :1])


def test_refuses_a_negative_factor():
    with pytest.raises(ValueError, match='loss_weight=-1, allowed: a finite number of at least 0'):
        HeatmapSumLoss(loss_weight=-1)
