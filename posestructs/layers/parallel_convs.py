"""The transforms of several messages at once, in three ways that give the same.

Each message goes through its own stack of convolutions; those of one step have the same sizes and different weights.

- ``loop``: one after the other. On a CPU, and on a GPU whose cores one convolution of a large batch fills, nothing is
  faster.
- ``grouped``: side by side as the groups of one convolution. On LSP's tree that is 18 launches for 100; how fast they
  are depends on cuDNN.
- ``matmul``: side by side as batched matrix products, see :mod:`posestructs.layers.shifted_matmul`.

Shapes: G messages, N batch, C channels, h x w cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from posestructs.layers.shifted_matmul import shifted_matmul


class Convolution(NamedTuple):
    """One layer of the transforms of G messages; its maps keep their size.

    Args:
        weights: G times (C', C, kh, kw), kh and kw odd.
        biases: G times (C',).
        dilation: Cells between the taps.
        activation: What follows, element by element; None: nothing.
    """

    weights: Sequence[Tensor]
    biases: Sequence[Tensor]
    dilation: int = 1
    activation: Callable[[Tensor], Tensor] | None = None

    @property
    def padding(self) -> tuple[int, int]:
        """Rows and columns to add on each side."""
        kh, kw = self.weights[0].shape[-2:]
        return self.dilation * (kh // 2), self.dilation * (kw // 2)

    def activate(self, x: Tensor) -> Tensor:
        """Apply the activation, if there is one."""
        return x if self.activation is None else self.activation(x)


def loop(inputs: Sequence[Tensor], layers: Sequence[Convolution]) -> list[Tensor]:
    """One message after the other.

    Args:
        inputs: G times (N, C, h, w).
        layers: Of all the messages.

    Returns:
        list[Tensor]: G times (N, C', h, w).
    """
    outputs = []
    for g, x in enumerate(inputs):
        for layer in layers:
            x = F.conv2d(x, layer.weights[g], layer.biases[g], padding=layer.padding, dilation=layer.dilation)
            x = layer.activate(x)
        outputs.append(x)
    return outputs


def grouped(inputs: Sequence[Tensor], layers: Sequence[Convolution]) -> list[Tensor]:
    """As the groups of one convolution, G * C channels wide; see :func:`loop`."""
    groups = len(inputs)
    x = torch.cat(list(inputs), dim=1)
    for layer in layers:
        weight, bias = torch.cat(list(layer.weights)), torch.cat(list(layer.biases))
        x = F.conv2d(x, weight, bias, padding=layer.padding, dilation=layer.dilation, groups=groups)
        x = layer.activate(x)
    return list(x.chunk(groups, dim=1))


def matmul(inputs: Sequence[Tensor], layers: Sequence[Convolution]) -> list[Tensor]:
    """As batched matrix products; see :func:`loop`. The messages lie in memory channels last."""
    x = torch.stack([x.permute(0, 2, 3, 1) for x in inputs])
    for layer in layers:
        x = shifted_matmul(x, torch.stack(list(layer.weights)), torch.stack(list(layer.biases)), layer.dilation)
        x = layer.activate(x)
    return [x.permute(0, 3, 1, 2) for x in x.unbind()]


WAYS: dict[str, Callable[[Sequence[Tensor], Sequence[Convolution]], list[Tensor]]] = dict(
    loop=loop, grouped=grouped, matmul=matmul
)
"""The three by their names."""
