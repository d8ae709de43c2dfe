"""The loss against a loop over cells and channels, its gradients, and its sample of the background."""

import numpy as np
import pytest
import torch
from mmpose.registry import MODELS
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import gradcheck

from posestructs.models.losses import MaskedSoftmaxLoss
from posestructs.models.losses.masked_softmax_loss import masked_softmax_loss, sample_background

N, V, T, H, W = 2, 4, 3, 4, 5


def case(num_types=T, dtype=torch.float64):
    """Logits and targets with a shared cell, an absent part, an unknown type and a weighted mask."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(N, V * num_types + 1, H, W, generator=generator, dtype=dtype)
    cells = torch.tensor([[7, 7, 0, 19], [3, 12, 12, 12]])
    types = torch.tensor([[0, num_types - 1, 0, -1], [1 % num_types, 0, -1, num_types - 1]])
    shares = torch.tensor([[1 / 2, 1 / 2, 0, 1], [1, 1 / 3, 1 / 3, 1 / 3]], dtype=dtype)
    mask = torch.zeros(N, H, W, dtype=dtype)
    mask[0, 0, 0], mask[0, 2, 2], mask[1, 3, 3] = 1, 0.5, 0.25
    return logits, cells, types, shares, mask


def slow_cells(logits, cells, types, shares, mask):
    """- m sum_k t_k log softmax(z)_k, in numpy, cell by cell."""
    z, num_types = logits.detach().double().numpy(), (logits.shape[1] - 1) // cells.shape[1]
    losses = np.zeros((len(z), H, W))
    for n, y, x in np.ndindex(losses.shape):
        softmax = np.exp(z[n, :, y, x]) / np.exp(z[n, :, y, x]).sum()
        losses[n, y, x] -= float(mask[n, y, x]) * np.log(softmax[-1])
        for k in range(cells.shape[1]):
            if shares[n, k] > 0 and int(cells[n, k]) == y * W + x:
                t = int(types[n, k])
                wanted = range(num_types) if t < 0 else [t]
                probability = sum(softmax[k * num_types + i] for i in wanted)
                losses[n, y, x] -= float(shares[n, k]) * np.log(probability)
    return losses


@pytest.mark.parametrize('num_types', [1, 3])
def test_loss_against_a_loop(num_types):
    logits, *targets = case(num_types)
    expected = slow_cells(logits, *targets)
    assert masked_softmax_loss(logits, *targets).item() == pytest.approx(expected.sum() / N, abs=1e-12)
    # image 0 has parts at cells 7 and 19 and two background cells, image 1 parts at 3 and 12 and one
    per_image = expected.sum(axis=(1, 2))
    by_cells = masked_softmax_loss(logits, *targets, normalize='cells').item()
    assert by_cells == pytest.approx((per_image[0] / 4 + per_image[1] / 3) / 2, abs=1e-12)


@pytest.mark.parametrize('normalize', ['images', 'cells'])
def test_gradients(normalize):
    logits, *targets = case()
    logits.requires_grad_()
    assert gradcheck(lambda z: masked_softmax_loss(z, *targets, normalize=normalize), (logits,))


def test_gradient_is_softmax_minus_target():
    """And zero at cells that do not count."""
    logits, cells, types, shares, mask = case()
    types = types.clamp(min=0)
    logits.requires_grad_()
    masked_softmax_loss(logits, cells, types, shares, mask).backward()
    target, weight = torch.zeros_like(logits), mask.clone()
    target[:, -1] = mask
    for n in range(N):
        for k in range(V):
            y, x = divmod(int(cells[n, k]), W)
            target[n, k * T + int(types[n, k]), y, x] += shares[n, k]
            weight[n, y, x] += shares[n, k]
    expected = (weight[:, None] * logits.detach().softmax(dim=1) - target) / N
    torch.testing.assert_close(logits.grad, expected)


@pytest.mark.parametrize('normalize', ['images', 'cells'])
def test_nothing_labelled_and_nothing_drawn_is_zero(normalize):
    logits, cells, types, shares, mask = case()
    # not NaN either with the logits of a diverged network
    logits = (logits * 1e4).requires_grad_()
    loss = masked_softmax_loss(logits, cells, types, 0 * shares, 0 * mask, normalize)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_an_image_has_the_same_weight_alone_and_in_a_batch():
    logits, *targets = case()
    for normalize in ('images', 'cells'):
        whole = masked_softmax_loss(logits, *targets, normalize=normalize)
        alone = [masked_softmax_loss(logits[[n]], *(t[[n]] for t in targets), normalize=normalize) for n in range(N)]
        torch.testing.assert_close(whole, sum(alone) / N)


def test_the_sample_is_drawn_at_the_rates():
    """30,000 draws per rate: within four standard deviations of each."""
    rates = torch.tensor([0.0, 0.0005, 0.01, 0.5, 1.0])[None, :, None].expand(300, 5, 100)
    weights = torch.tensor([3.0, 1.0, 0.5, 0.5, 2.0])[None, :, None].expand(300, 5, 100)
    mask = sample_background(rates, weights, torch.Generator().manual_seed(0))
    assert set(mask.unique().tolist()) == {0, 0.5, 1, 2}
    drawn = (mask > 0).double().mean(dim=(0, 2))
    expected = rates[0, :, 0].double()
    assert ((drawn - expected).abs() <= 4 * (expected * (1 - expected) / 30000).sqrt()).all()
    assert (mask[:, 0] == 0).all()
    assert (mask[:, 4] == 2).all()


def test_the_sample_is_new_each_time_and_repeatable():
    logits, cells, types, shares, _ = case(dtype=torch.float32)
    rates, weights = torch.full((N, H, W), 0.5), torch.ones(N, H, W)
    loss = MaskedSoftmaxLoss()
    values = [loss(logits, cells, types, shares, rates, weights, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert values[0] == values[1] != values[2]
    assert loss(logits, cells, types, shares, rates, weights) != loss(logits, cells, types, shares, rates, weights)


def test_expected_loss_over_samples():
    """The mean over many samples is the loss with each cell weighted by its rate."""
    logits, cells, types, shares, _ = case(dtype=torch.float32)
    rates = torch.rand(N, H, W, generator=torch.Generator().manual_seed(3))
    weights = 1 + rates
    loss, generator = MaskedSoftmaxLoss(loss_weight=2.0), torch.Generator().manual_seed(4)
    values = torch.stack([loss(logits, cells, types, shares, rates, weights, generator) for _ in range(1500)])
    expected = 2 * masked_softmax_loss(logits, cells, types, shares, rates * weights)
    assert abs(values.mean() - expected) < 4 * values.std() / 1500**0.5


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_logits(dtype):
    logits, cells, types, shares, mask = case(dtype=torch.float32)
    logits = (logits * 10).to(dtype)
    rates = (mask > 0).float()
    loss = MaskedSoftmaxLoss()(logits, cells, types, shares, rates, mask)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, masked_softmax_loss(logits.float(), cells, types, shares, mask))


def test_channels_last():
    logits, *targets = case()
    expected = masked_softmax_loss(logits, *targets)
    found = masked_softmax_loss(logits.to(memory_format=torch.channels_last), *targets)
    torch.testing.assert_close(found, expected)


def test_shapes_do_not_depend_on_data():
    """Fake tensors pass forward and backward: no value is copied to the host, and no size depends on values."""
    with FakeTensorMode():
        logits = torch.empty(N, V * T + 1, H, W, requires_grad=True)
        cells, types = torch.empty(2, N, V, dtype=torch.int64)
        shares, (rates, weights) = torch.empty(N, V), torch.empty(2, N, H, W)
        loss = MaskedSoftmaxLoss(normalize='cells')(logits, cells, types, shares, rates, weights)
        loss.backward()
    assert logits.grad.shape == logits.shape


def test_bad_arguments():
    logits, cells, types, shares, mask = case()
    loss = MODELS.build(dict(type='MaskedSoftmaxLoss'))
    with pytest.raises(ValueError, match='13 channels of logits, targets have 5 parts'):
        loss(logits, cells.new_zeros(N, 5), types, shares, mask, mask)
    with pytest.raises(ValueError, match='logits have 5 x 4 cells .* targets 6 x 4: heatmap_size'):
        loss(logits, cells, types, shares, *torch.zeros(2, N, 4, 6))
    with pytest.raises(ValueError, match="normalize='mean', allowed: 'images', 'cells'"):
        MODELS.build(dict(type='MaskedSoftmaxLoss', normalize='mean'))
