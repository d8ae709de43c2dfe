"""Several convolutions of equal size at once, as a few batched matrix products.

cuDNN has no fast kernels for every grouped convolution, cuBLAS has for every batched matrix product. A convolution
becomes one without the kh * kw copies of its input that ``unfold`` makes: only the kw taps of a kernel's row are laid
side by side, and since all rows have equal length, a step down is a shift of the whole matrix::

    Y[r] = b + sum over i of X[r + i] W[i],   X[r] = rows of w cells x (kw * C),   W[i]: (kw * C) x C'

The rows of a batch's images follow each other, kh // 2 empty ones between them; products of those are thrown away.
The gradient of the input is the same function of the turned kernels; X is laid out afresh for that of the weights.

Shapes: G convolutions, N batch, h x w cells, C input and C' output channels, kh x kw taps, both odd.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def shifted_matmul(x: Tensor, weight: Tensor, bias: Tensor, dilation: int = 1) -> Tensor:
    """Convolve maps, each with its own weights; maps keep their size.

    Under autocast it computes in autocast's type, as a convolution does. In float32 on a GPU the precision is that of
    matrix products (``torch.set_float32_matmul_precision``), which by default is higher than that of convolutions.

    Args:
        x: (G, N, h, w, C); w is at least dilation * (kw // 2).
        weight: (G, C', C, kh, kw).
        bias: (G, C').
        dilation: Cells between the taps.

    Returns:
        Tensor: (G, N, h, w, C').
    """
    device = x.device.type
    if torch.is_autocast_enabled(device) and x.dtype != torch.float64:
        dtype = torch.get_autocast_dtype(device)
        x, weight, bias = x.to(dtype), weight.to(dtype), bias.to(dtype)
    return _ShiftedMatmul.apply(x, weight, bias, dilation)


class _ShiftedMatmul(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return _convolve(x, weight, bias, dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        need_x, need_weight, need_bias, _ = ctx.needs_input_grad
        turned = weight.flip(3, 4).transpose(1, 2)
        return (
            _convolve(grad, turned, None, ctx.dilation) if need_x else None,
            _weight_gradient(x, grad, weight.shape, ctx.dilation) if need_weight else None,
            grad.sum((1, 2, 3)) if need_bias else None,
            None,
        )


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    groups, batch, h, w, _ = x.shape
    _, outputs, _, kh, kw = weight.shape
    gap = dilation * (kh // 2)
    shifted = _shifted(_rows(x, gap, kw, dilation), kh, dilation, batch * (h + gap) - gap)
    taps = weight.permute(3, 0, 4, 2, 1).reshape(kh, groups, -1, outputs)
    full = x.new_zeros(groups, batch * (h + gap), w, outputs)
    y = full.flatten(1, 2)[:, : shifted[0].shape[1]]
    if bias is not None:
        y += bias[:, None]
    # Y[r] = b + sum over i of X[r + i] W[i]
    for rows, tap in zip(shifted, taps.unbind(), strict=True):
        y.baddbmm_(rows, tap)
    return full.unflatten(1, (batch, h + gap))[:, :, :h]


def _weight_gradient(x: Tensor, grad: Tensor, shape: torch.Size, dilation: int) -> Tensor:
    groups, batch, h, w, outputs = grad.shape
    _, _, inputs, kh, kw = shape
    gap = dilation * (kh // 2)
    shifted = _shifted(_rows(x, gap, kw, dilation), kh, dilation, batch * (h + gap) - gap)
    full = grad.new_zeros(groups, batch * (h + gap), w, outputs)
    full.unflatten(1, (batch, h + gap))[:, :, :h] = grad
    dy = full.flatten(1, 2)[:, : shifted[0].shape[1]]
    # dW[i] = sum over r of X[r + i]' dY[r]
    taps = torch.stack([torch.bmm(rows.transpose(1, 2), dy) for rows in shifted])
    return taps.view(kh, groups, kw, inputs, outputs).permute(1, 4, 3, 0, 2)


def _rows(x: Tensor, gap: int, kw: int, dilation: int) -> Tensor:
    """Images below each other, ``gap`` empty rows around each, the taps of a kernel's row side by side.

    Returns:
        Tensor: (G, gap + N * (h + gap), w, kw * C).
    """
    groups, batch, h, w, channels = x.shape
    rows = x.new_zeros(groups, gap + batch * (h + gap), w, kw, channels)
    images = rows[:, gap:].unflatten(1, (batch, h + gap))[:, :, :h]
    for j in range(kw):
        shift = (j - kw // 2) * dilation
        left, right = max(-shift, 0), max(shift, 0)
        images[..., left : w - right, j, :] = x[:, :, :, right : w - left]
    return rows.flatten(3)


def _shifted(rows: Tensor, kh: int, dilation: int, count: int) -> list[Tensor]:
    """What each row of a kernel reads: kh overlapping views (G, count * w, kw * C)."""
    w = rows.shape[2]
    flat = rows.flatten(1, 2)
    return [flat[:, i * dilation * w : (i * dilation + count) * w] for i in range(kh)]
