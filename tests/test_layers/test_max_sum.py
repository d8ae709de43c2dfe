"""Inference over trees against brute force over all placements, in float64; invariances; gradients; refusals."""

import numpy as np
import pytest
import torch

from posestructs.layers import distance_transform
from posestructs.layers.max_sum import max_sum, placement_score

# parents, T, H, W: at most some 20 000 placements each
CASES = {
    'one part': ([-1], 3, 4, 5),
    'pair, root last': ([1, -1], 4, 5, 7),
    'chain': ([-1, 0, 1], 2, 3, 4),
    'star': ([3, 3, 3, -1], 1, 3, 4),
    'branches': ([1, -1, 1, 0], 2, 2, 3),
    'chain, mixed up': ([2, -1, 1, 0], 1, 5, 2),
    'one row': ([1, 2, -1], 3, 1, 8),
    'one column': ([1, 2, -1], 3, 8, 1),
    'one cell': ([-1, 0, 0], 3, 1, 1),
}


def make_case(parents, types, h, w, images=1, seed=0, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, (images, len(parents), types, h, w))
    offsets = rng.normal(0, 1.5, (len(parents), types, 2))
    weights = rng.uniform(0, 0.6, (len(parents), types, 2))
    # some free along an axis, some expected beyond the map
    weights[rng.random(weights.shape) < 0.2] = 0
    offsets[rng.random(offsets.shape) < 0.1] *= 8
    return tuple(torch.from_numpy(a).to(dtype) for a in (scores, offsets, weights))


def brute_force(scores, parents, offsets, weights):
    """Score of every placement of one image: an axis for each part, over types and cells."""
    scores, offsets, weights = (a.double().numpy() for a in (scores, offsets, weights))
    parts, types, h, w = scores.shape
    t, y, x = (a.ravel() for a in np.meshgrid(range(types), range(h), range(w), indexing='ij'))
    total = np.zeros((len(t),) * parts)
    for k, parent in enumerate(parents):
        total += scores[k].ravel().reshape([-1 if i == k else 1 for i in range(parts)])
        if parent < 0:
            continue
        dx = x[:, None] - x[None] - offsets[k, t, 0][:, None]
        dy = y[:, None] - y[None] - offsets[k, t, 1][:, None]
        lost = weights[k, t, 0][:, None] * dx**2 + weights[k, t, 1][:, None] * dy**2  # (child, parent)
        lost = lost if k < parent else lost.T
        total -= lost.reshape([len(t) if i in (k, parent) else 1 for i in range(parts)])
    return total, t, y, x


def assert_best(result, image, scores, parents, offsets, weights, atol):
    total, t, y, x = brute_force(scores[image], parents, offsets, weights)
    best = np.unravel_index(total.argmax(), total.shape)
    np.testing.assert_allclose(result.score[image], total.max(), rtol=0, atol=atol)
    for k, i in enumerate(best):
        assert result.types[image, k] == t[i]
        assert result.positions[image, k].tolist() == [x[i], y[i]]


@pytest.mark.parametrize('name', CASES)
@pytest.mark.parametrize('seed', range(4))
def test_equals_brute_force(name, seed):
    parents, *sizes = CASES[name]
    case = make_case(parents, *sizes, images=2, seed=seed)
    result = max_sum(case[0], parents, *case[1:])
    for image in range(2):
        assert_best(result, image, case[0], parents, *case[1:], atol=1e-12)


@pytest.mark.parametrize('name', ['chain', 'branches', 'pair, root last'])
def test_equals_brute_force_in_float32(name):
    parents, *sizes = CASES[name]
    for seed in range(4):
        case = make_case(parents, *sizes, seed=seed, dtype=torch.float32)
        result = max_sum(case[0], parents, *case[1:])
        assert result.score.dtype == torch.float32
        assert_best(result, 0, case[0], parents, *case[1:], atol=2e-5)


def dense_messages(scores, parents, offsets, weights):
    """Best score by the same recursion, written out with loops over cells of the parent, in NumPy."""
    scores, offsets, weights = (a.double().numpy().copy() for a in (scores, offsets, weights))
    y, x = np.indices(scores.shape[-2:])
    depth = {parents.index(-1): 0}
    while len(depth) < len(parents):
        depth |= {k: depth[parent] + 1 for k, parent in enumerate(parents) if parent in depth}
    for k in sorted(depth, key=depth.get, reverse=True)[:-1]:
        message = np.empty(y.shape)
        for py, px in np.ndindex(y.shape):
            dx = x - px - offsets[k, :, 0, None, None]
            dy = y - py - offsets[k, :, 1, None, None]
            wx, wy = weights[k, :, 0, None, None], weights[k, :, 1, None, None]
            message[py, px] = (scores[k] - wx * dx**2 - wy * dy**2).max()
        scores[parents[k]] += message
    return scores[parents.index(-1)].max(0)


@pytest.mark.parametrize('size', [(11, 18), (17, 8)])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_equals_plain_recursion_on_larger_maps(size, dtype):
    parents = [4, 0, 0, 5, -1, 4, 3, 5]
    scores, offsets, weights = make_case(parents, 3, *size, dtype=dtype)
    result = max_sum(scores, parents, offsets, weights)
    expected = dense_messages(scores[0], parents, offsets, weights)
    atol = 1e-4 if dtype == torch.float32 else 1e-11
    # the placement found has the score that was promised
    np.testing.assert_allclose(result.score[0], expected.max(), rtol=0, atol=atol)
    exact = placement_score(*_doubled(scores, parents, offsets, weights), result.positions, result.types)
    np.testing.assert_allclose(exact, expected.max(), rtol=0, atol=atol)


def _doubled(scores, parents, offsets, weights):
    return scores.double(), parents, offsets.double(), weights.double()


def test_by_hand():
    # the part is expected 2 cells right of its parent (type 0) or 1 above it (type 1)
    scores = torch.full((1, 2, 2, 3, 4), -9.0)
    scores[0, 0, 0, 1, 0] = 0.0  # the root at (0, 1)
    scores[0, 1, 0, 1, 3] = -1.0  # one cell too far right, seen as type 0
    scores[0, 1, 1, 0, 0] = -1.75  # just above, seen as type 1
    offsets = torch.tensor([[[0.0, 0.0]] * 2, [[2.0, 0.0], [0.0, -1.0]]])
    weights = torch.full((2, 2, 2), 0.5)
    result = max_sum(scores, [-1, 0], offsets, weights)
    assert result.score.item() == -1.5
    assert result.positions.tolist() == [[[0, 1], [3, 1]]] and result.types[0, 1] == 0
    # a stiffer type 0 loses 1 instead of 0.5
    weights[1, 0, 0] = 1.0
    result = max_sum(scores, [-1, 0], offsets, weights)
    assert result.score.item() == -1.75
    assert result.positions.tolist() == [[[0, 1], [0, 0]]] and result.types[0, 1] == 1


def assert_equal(result, expected):
    for value, other in zip(result, expected, strict=True):
        assert torch.equal(value, other)


PARENTS = [2, 2, -1, 0, 0, 1]


def test_a_batch_equals_one_by_one(monkeypatch):
    scores, *deformation = make_case(PARENTS, 3, 7, 9, images=5, dtype=torch.float32)
    batch = max_sum(scores, PARENTS, *deformation)
    for image in range(5):
        assert_equal([value[image : image + 1] for value in batch], max_sum(scores[[image]], PARENTS, *deformation))
    # an image at a time in each slab
    monkeypatch.setattr(distance_transform, 'CPU_SLAB', 1)
    assert_equal(max_sum(scores, PARENTS, *deformation), batch)


def test_input_in_any_memory_order_and_type():
    scores, offsets, weights = make_case(PARENTS, 3, 7, 9, images=2, dtype=torch.float32)
    before = scores.clone()
    expected = max_sum(scores, PARENTS, offsets, weights)
    assert torch.equal(scores, before)
    strided = scores.permute(1, 4, 0, 3, 2).contiguous().permute(2, 0, 4, 3, 1)
    assert_equal(max_sum(strided, tuple(PARENTS), offsets.double(), weights.double()), expected)
    assert_equal(max_sum(scores, PARENTS, offsets.numpy(), weights.numpy()), expected)
    rounded = max_sum(scores.bfloat16(), PARENTS, offsets, weights)
    assert_equal(rounded, max_sum(scores.bfloat16().float(), PARENTS, offsets, weights))
    assert rounded.score.dtype == torch.float32


def test_no_images():
    scores, *deformation = make_case(PARENTS, 3, 7, 9)
    result = max_sum(scores[:0], PARENTS, *deformation)
    assert result.score.shape == (0,) and result.positions.shape == (0, 6, 2)


def test_a_constant_on_one_part_only_raises_the_score():
    scores, *deformation = make_case(PARENTS, 3, 6, 5)
    expected = max_sum(scores, PARENTS, *deformation)
    scores[:, 3] += 7.0
    result = max_sum(scores, PARENTS, *deformation)
    torch.testing.assert_close(result.score, expected.score + 7)
    assert_equal(result[1:3], expected[1:3])


def test_order_of_parts_and_types_does_not_matter():
    scores, offsets, weights = make_case(PARENTS, 3, 6, 5)
    expected = max_sum(scores, PARENTS, offsets, weights)
    order, types = [5, 2, 0, 4, 1, 3], [2, 0, 1]
    parents = [-1 if PARENTS[k] < 0 else order.index(PARENTS[k]) for k in order]
    result = max_sum(*(scores[:, order][:, :, types], parents, offsets[order][:, types], weights[order][:, types]))
    torch.testing.assert_close(result.score, expected.score)
    assert torch.equal(result.positions, expected.positions[:, order])
    assert torch.equal(torch.tensor(types)[result.types], expected.types[:, order])


def test_a_mirrored_image_has_the_mirrored_pose():
    scores, offsets, weights = make_case(PARENTS, 3, 6, 5)
    expected = max_sum(scores, PARENTS, offsets, weights)
    result = max_sum(scores.flip(-1), PARENTS, offsets * torch.tensor([-1.0, 1.0]), weights)
    torch.testing.assert_close(result.score, expected.score)
    assert torch.equal(result.positions[..., 0], 4 - expected.positions[..., 0])
    assert torch.equal(result.positions[..., 1], expected.positions[..., 1])
    assert torch.equal(result.types, expected.types)


def test_a_turned_image_has_the_turned_pose():
    scores, offsets, weights = make_case(PARENTS, 3, 6, 5)
    expected = max_sum(scores, PARENTS, offsets, weights)
    result = max_sum(scores.transpose(-1, -2), PARENTS, offsets.flip(-1), weights.flip(-1))
    torch.testing.assert_close(result.score, expected.score)
    assert torch.equal(result.positions, expected.positions.flip(-1))


def test_the_row_of_the_root_does_not_count():
    scores, offsets, weights = make_case(PARENTS, 3, 6, 5)
    expected = max_sum(scores, PARENTS, offsets, weights)
    offsets[2], weights[2] = 50.0, 3.0
    assert_equal(max_sum(scores, PARENTS, offsets, weights), expected)


def test_without_weights_each_part_goes_where_it_scores_best():
    scores, offsets, weights = make_case(PARENTS, 3, 6, 5)
    result = max_sum(scores, PARENTS, offsets, torch.zeros_like(weights))
    index = scores.flatten(2).argmax(2)
    assert torch.equal(result.types, index // 30)
    assert torch.equal(result.positions, torch.stack((index % 5, index // 5 % 6), dim=2))
    torch.testing.assert_close(result.score, scores.flatten(2).amax(2).sum(1))


def test_with_great_weights_the_pose_is_rigid():
    scores, offsets, weights = make_case(PARENTS, 1, 9, 9)
    offsets = torch.tensor([[1.0, 2], [-2, 0], [0, 0], [1, 1], [-1, 1], [0, -2]])[:, None]
    result = max_sum(scores, PARENTS, offsets, torch.full_like(weights, 1e6))
    cells = result.positions[0]
    for k, parent in enumerate(PARENTS):
        if parent >= 0:
            assert (cells[k] - cells[parent]).tolist() == offsets[k, 0].tolist()


def test_impossible_cells():
    scores, *deformation = make_case(PARENTS, 3, 6, 5)
    scores[:, 4] = -torch.inf
    scores[:, 4, 1, 5, 2] = -3.0
    scores.requires_grad_()
    result = max_sum(scores, PARENTS, *deformation)
    assert result.positions[0, 4].tolist() == [2, 5] and result.types[0, 4] == 1
    assert result.score.isfinite().all()
    result.score.sum().backward()
    assert scores.grad.isfinite().all()
    # nowhere at all: impossible, but no NaN
    with torch.no_grad():
        scores[:, 4] = -torch.inf
    result = max_sum(scores, PARENTS, *deformation)
    assert result.score.item() == -torch.inf
    result.score.sum().backward()
    assert not scores.grad.isnan().any()


def test_gradients_of_the_score():
    parents = [1, -1, 1, 0]
    case = [a.requires_grad_() for a in make_case(parents, 2, 3, 2, seed=1)]
    torch.autograd.gradcheck(lambda s, o, w: max_sum(s, parents, o, w.abs()).score, case)


def test_gradients_reach_the_best_placement_alone():
    scores, *deformation = make_case(PARENTS, 3, 7, 9, images=2)
    scores.requires_grad_()
    result = max_sum(scores, PARENTS, *deformation)
    (grad,) = torch.autograd.grad((result.score * torch.tensor([2.0, 3.0])).sum(), scores)
    expected = torch.zeros_like(scores)
    for image, factor in ((0, 2.0), (1, 3.0)):
        for k in range(len(PARENTS)):
            x, y = result.positions[image, k]
            expected[image, k, result.types[image, k], y, x] = factor
    assert torch.equal(grad, expected)


@pytest.mark.parametrize('parents', [(0, 1), (-1, -1), (1, 0, -1), (-1, 2), (-1, 1), (-2, -1), (-1, 2, 3, 1), ()])
def test_refuses_what_is_no_tree(parents):
    scores = torch.zeros(1, len(parents), 1, 2, 2)
    table = torch.zeros(len(parents), 1, 2)
    with pytest.raises(ValueError, match='parents'):
        max_sum(scores, parents, table, table)


def test_refusals():
    scores, offsets, weights = make_case([-1, 0], 3, 4, 5)
    for bad in (scores[0], scores[:, :1], scores[:, :, :0], scores[..., :0]):
        with pytest.raises(ValueError, match='max_sum: scores is .*allowed: .N, 2, T, H, W.'):
            max_sum(bad, [-1, 0], offsets, weights)
    for bad in (scores.long(), scores.numpy()):
        with pytest.raises(TypeError, match='max_sum: scores is .*allowed: a floating-point tensor'):
            max_sum(bad, [-1, 0], offsets, weights)
    with pytest.raises(ValueError, match=r'max_sum: offsets is \(2, 2, 2\), allowed: \(2, 3, 2\)'):
        max_sum(scores, [-1, 0], offsets[:, :2], weights)
    with pytest.raises(ValueError, match=r'max_sum: weights is \(3, 2\), allowed: \(2, 3, 2\)'):
        max_sum(scores, [-1, 0], offsets, weights[0])
    with pytest.raises(ValueError, match='weights holds -0.25, allowed: finite numbers of at least 0'):
        max_sum(scores, [-1, 0], offsets, torch.full_like(weights, -0.25))
    with pytest.raises(ValueError, match='offsets holds nan, allowed: finite numbers'):
        max_sum(scores, [-1, 0], torch.full_like(offsets, torch.nan), weights)


@pytest.mark.gpu
def test_a_gpu_gives_the_same_and_is_not_waited_for():
    scores, *deformation = make_case(PARENTS, 3, 17, 13, images=5, dtype=torch.float32)
    expected = max_sum(scores, PARENTS, *deformation)
    scores = scores.cuda()
    torch.cuda.set_sync_debug_mode('error')
    try:
        result = max_sum(scores, PARENTS, *deformation)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert_equal([value.cpu() for value in result[1:3]], expected[1:3])
    torch.testing.assert_close(result.score.cpu(), expected.score)
