"""L_G of one stack against Eq. 1 written as loops, in float64."""

import pytest
import torch
from mmpose.registry import MODELS

from posestructs.models.losses import HeatmapSumLoss


def by_hand(maps, truth, weights):
    """1/(2M) sum over images, joints, rows and columns."""
    total = 0.0
    images, joints, height, width = maps.shape
    for m in range(images):
        for k in range(joints):
            for y in range(height):
                for x in range(width):
                    total += float(weights[m, k]) * (float(maps[m, k, y, x]) - float(truth[m, k, y, x])) ** 2
    return total / (2 * images)


def batch(images=3, joints=2, height=3, width=5):
    torch.manual_seed(0)
    maps, truth = torch.randn(2, images, joints, height, width, dtype=torch.float64)
    weights = torch.rand(images, joints, dtype=torch.float64)
    weights[1, 0] = 0
    return maps, truth, weights


def test_equals_the_formula():
    maps, truth, weights = batch()
    loss = MODELS.build(dict(type='HeatmapSumLoss', loss_weight=0.5))(maps, truth, weights)
    assert float(loss) == pytest.approx(0.5 * by_hand(maps, truth, weights), rel=1e-12)


def test_relation_to_mmposes_mean():
    """K * H * W / 2 times KeypointMSELoss, the conversion that the module states."""
    maps, truth, weights = batch()
    mean = MODELS.build(dict(type='KeypointMSELoss', use_target_weight=True))(maps, truth, weights)
    assert float(HeatmapSumLoss()(maps, truth, weights)) == pytest.approx(float(mean) * 2 * 3 * 5 / 2)


def test_gradients():
    maps, truth, weights = batch()
    maps.requires_grad_()
    torch.autograd.gradcheck(lambda maps: HeatmapSumLoss()(maps, truth, weights), maps)
    (grad,) = torch.autograd.grad(HeatmapSumLoss()(maps, truth, weights), maps)
    torch.testing.assert_close(grad, weights[..., None, None] * (maps - truth) / 3)
    assert not grad[1, 0].any()


def test_accumulation_is_the_mean_of_the_parts():
    """Also where one half has no label: the divisor is images, not labels."""
    maps, truth, weights = batch(images=4)
    weights[:2] = 0
    loss = HeatmapSumLoss()
    halves = [loss(maps[part], truth[part], weights[part]) for part in (slice(0, 2), slice(2, 4))]
    assert float(halves[0]) == 0
    assert float(sum(halves) / 2) == pytest.approx(float(loss(maps, truth, weights)))


def test_half_precision_maps_are_summed_in_float32():
    """Sums of 128 x 128 squared distances leave float16's range."""
    maps = torch.full((1, 1, 128, 128), 3.0, dtype=torch.float16)
    loss = HeatmapSumLoss()(maps, torch.zeros(1, 1, 128, 128), torch.ones(1, 1))
    assert float(loss) == 9 * 128 * 128 / 2


def test_refuses_shapes_that_do_not_fit():
    maps, truth, weights = batch()
    combined = [three.repeat(1, 3, 1, 1) for three in (maps, truth)]
    with pytest.raises(
        ValueError, match=r'true maps \(3, 6, 3, 5\) and weights of joints \(3, 2\).* heatmap_type="com'
    ):
        HeatmapSumLoss()(*combined, weights)
    # what would be broadcast
    with pytest.raises(ValueError, match=r'predicted maps \(3, 2, 3, 5\), true maps \(3, 1, 3, 5\)'):
        HeatmapSumLoss()(maps, truth[:, :1], weights)
    with pytest.raises(ValueError, match=r'weights of joints \(3, 1\)'):
        HeatmapSumLoss()(maps, truth, weights[:, :1])


def test_refuses_a_negative_factor():
    with pytest.raises(ValueError, match='loss_weight=-1, allowed: a number of at least 0'):
        HeatmapSumLoss(loss_weight=-1)
