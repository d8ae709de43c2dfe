"""Positions and redrawn maps against loops in Python, and their gradients against differences."""

import math

import pytest
import torch

from posestructs.layers.soft_argmax import draw, present, redraw, rounded, soft_argmax


def position(values, power):
    """Weighted mean cell of one map, by loops."""
    total = x = y = 0.0
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            weight = max(value, 0.0) ** power
            total, x, y = total + weight, x + weight * column, y + weight * row
    return (x / total, y / total) if total else (0.0, 0.0)


@pytest.mark.parametrize('power', [1.0, 2.5, 8.0])
def test_positions_are_weighted_means(power):
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    maps[0, 1] = -maps[0, 1].abs()  # nothing above 0
    found = soft_argmax(maps, power)
    for n in range(2):
        for k in range(3):
            assert found[n, k].tolist() == pytest.approx(position(maps[n, k].tolist(), power), rel=1e-9, abs=1e-12)
    assert present(maps).tolist() == [[1, 0, 1], [1, 1, 1]]


def test_scale_of_a_map_does_not_matter():
    maps = torch.rand(1, 2, 6, 6)
    torch.testing.assert_close(soft_argmax(maps), soft_argmax(1e-3 * maps))


def test_gradients_are_those_of_the_mean():
    torch.manual_seed(0)
    maps = torch.rand(1, 2, 3, 4, dtype=torch.float64) + 0.1
    # the peak that divides is detached, as it cancels out
    assert torch.autograd.gradcheck(lambda x: soft_argmax(x, 3.0), maps.requires_grad_())


def test_gradients_pass_the_rounding():
    cells = torch.tensor([[[1.4, 2.6]]], requires_grad=True)
    whole = rounded(cells)
    assert whole.tolist() == [[[1.0, 3.0]]]
    (whole * torch.tensor([2.0, 5.0])).sum().backward()
    assert cells.grad.tolist() == [[[2.0, 5.0]]]


def test_targets_and_predictions_look_alike():
    """A low, noisy map and a target at the same place become the same map; empty maps stay empty."""
    target = draw(torch.tensor([[[3.0, 2.0], [1.0, 4.0]]], dtype=torch.float64), (6, 7), 1.0)
    predicted = 0.2 * target + 0.004 * torch.rand_like(target)
    drawn = redraw(predicted, 1.0)
    torch.testing.assert_close(drawn, redraw(target, 1.0))
    for y in range(6):
        for x in range(7):
            assert drawn[0, 0, y, x].item() == pytest.approx(math.exp(-((x - 3) ** 2 + (y - 2) ** 2) / 2))
    assert not redraw(torch.zeros(1, 2, 6, 7), 1.0).any()
    assert redraw(predicted.requires_grad_(), 1.0)[0, 0, 2, 2].requires_grad
