"""Positions between cells: where Gaussians were sampled, the top of the true score, borders, refusals."""

import pytest
import torch

from posestructs.layers.max_sum import max_sum, placement_score
from posestructs.layers.placement_refinement import refine_placement

PARENTS = [1, -1, 1, 0]


def gaussian_logs(centres, h, w, sigma=1.5):
    """(1, V, 1, H, W) log of a Gaussian at (V, 2) centres."""
    y, x = torch.arange(h, dtype=torch.float64)[:, None], torch.arange(w, dtype=torch.float64)
    cx, cy = centres[:, 0, None, None], centres[:, 1, None, None]
    return (-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2))[None, :, None]


def random_case(seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(2, 4, 3, 9, 11, generator=generator, dtype=torch.float64)
    offsets = torch.randn(4, 3, 2, generator=generator, dtype=torch.float64)
    return scores, offsets, torch.rand(4, 3, 2, generator=generator, dtype=torch.float64)


def test_finds_the_centres_of_gaussians():
    centres = torch.tensor([[3.3, 4.6], [7.0, 2.1], [5.45, 5.55], [2.2, 6.8]], dtype=torch.float64)
    scores, nothing = gaussian_logs(centres, 9, 11), torch.zeros(4, 1, 2, dtype=torch.float64)
    result = max_sum(scores, PARENTS, nothing, nothing)
    refined = refine_placement(scores, PARENTS, nothing, nothing, result.positions, result.types)
    torch.testing.assert_close(refined[0], centres, rtol=0, atol=1e-12)
    quarter = refine_placement(scores, PARENTS, nothing, nothing, result.positions, result.types, 'quarter')
    expected = centres.round() + 0.25 * (centres - centres.round()).sign() * ((centres - centres.round()).abs() > 1e-9)
    torch.testing.assert_close(quarter[0], expected, rtol=0, atol=1e-12)


def test_deformation_pulls_between_cells():
    # along each axis F is -(a - 4.4)^2 / 2 - (b - 6.2)^2 / 2 - w (b - a - 1.5)^2; one part is moved, the other stays
    centres = torch.tensor([[4.4, 4.4], [6.2, 6.2]], dtype=torch.float64)
    scores = gaussian_logs(centres, 10, 10, sigma=1.0)
    offsets, weights = (torch.full((2, 1, 2), value, dtype=torch.float64) for value in (1.5, 0.3))
    result = max_sum(scores, [-1, 0], offsets, weights)
    a, b = result.positions[0, :, 0].tolist()
    assert (a, b) == (4, 6)
    refined = refine_placement(scores, [-1, 0], offsets, weights, result.positions, result.types)[0]
    # dF/da = -(a - 4.4) + 2 w (b - a - 1.5) = 0,  dF/db = -(b - 6.2) - 2 w (b - a - 1.5) = 0
    assert refined[0].tolist() == pytest.approx([(4.4 + 0.6 * (b - 1.5)) / 1.6] * 2, abs=1e-12)
    assert refined[1].tolist() == pytest.approx([(6.2 + 0.6 * (a + 1.5)) / 1.6] * 2, abs=1e-12)


@pytest.mark.parametrize('seed', range(3))
def test_is_the_top_of_the_parabola_through_the_score_of_the_pose(seed):
    scores, offsets, weights = random_case(seed)
    result = max_sum(scores, PARENTS, offsets, weights)
    refined = refine_placement(scores, PARENTS, offsets, weights, result.positions, result.types)
    assert ((refined - result.positions).abs() <= 0.5).all()
    for image in range(2):
        for k in range(4):
            for axis, size in ((0, 11), (1, 9)):
                cell = int(result.positions[image, k, axis])
                expected = float(cell)
                if 0 < cell < size - 1:
                    moved = []
                    for step in (-1, 0, 1):
                        positions = result.positions.clone()
                        positions[image, k, axis] += step
                        whole = placement_score(scores, PARENTS, offsets, weights, positions, result.types)
                        moved.append(float(whole[image]))
                    expected += (moved[2] - moved[0]) / (2 * (2 * moved[1] - moved[0] - moved[2]))
                assert float(refined[image, k, axis]) == pytest.approx(expected, abs=1e-9)


def test_borders_flat_maps_and_impossible_neighbours():
    scores = torch.zeros(1, 1, 1, 3, 3)
    nothing = torch.zeros(1, 1, 2)
    types = torch.zeros(1, 1, dtype=torch.int64)

    def refine(x, y, method='parabola'):
        positions = torch.tensor([[[x, y]]])
        return refine_placement(scores, [-1], nothing, nothing, positions, types, method)[0, 0].tolist()

    for method in ('parabola', 'quarter'):
        assert refine(1, 1, method) == [1.0, 1.0]
        assert refine(0, 2, method) == [0.0, 2.0]
    scores[0, 0, 0] = torch.tensor([[-2.0, -2, -2], [-torch.inf, 0, -1], [-2, -1, -2]])
    # along x a neighbour is impossible; along y the top is at (f(1) - f(-1)) / (2 (2 f(0) - f(1) - f(-1))) = 1 / 6
    assert refine(1, 1) == pytest.approx([1.0, 1 + 1 / 6])
    assert refine(1, 1, 'quarter') == [1.0, 1.25]


def test_half_precision_scores_give_float32_positions():
    scores, offsets, weights = random_case(0)
    result = max_sum(scores.half(), PARENTS, offsets, weights)
    refined = refine_placement(scores.half(), PARENTS, offsets, weights, result.positions, result.types)
    assert refined.dtype == torch.float32
    exact = refine_placement(scores, PARENTS, offsets, weights, result.positions, result.types)
    torch.testing.assert_close(refined, exact.float(), rtol=0, atol=0.01)


def test_refuses_an_unknown_method():
    scores, offsets, weights = random_case(0)
    with pytest.raises(ValueError, match="method='newton', allowed: .'parabola', 'quarter'."):
        refine_placement(scores, PARENTS, offsets, weights, None, None, 'newton')
