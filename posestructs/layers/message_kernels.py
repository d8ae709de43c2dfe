"""Transform kernels of messages: a stack of convolutions for every edge of a tree.

The features of neighbouring parts are not aligned. A transform T shifts and reshapes those of one part into a message
for the other (Chu et al., CVPR 2016). It is a list of convolutions: one list for all edges, weights for each edge.

==============  =====================================================  ===============  ==============  ========
preset          layers, with C channels of a part                      receptive field  multiply-adds*  rectify
==============  =====================================================  ===============  ==============  ========
``paper``       three 7x7 C->C, no activation in between               19 x 19 cells    2,408,448       pre
``release``     7x7 C->C/2, ReLU, 7x7 C/2->C                           13 x 13 cells    802,816         post
``separable``   1x1 C->C/4, 13x1, 1x13 C/4->C/4, 1x1 C/4->C            13 x 13 cells    34,816          post
==============  =====================================================  ===============  ==============  ========

(*) per cell and message, at C = 128.

- ``paper``: the authors' slides give the kernel sizes only; the widths and the missing activations are our choice.
- ``release``: the authors' code.
- ``separable``: ours, since the release's kernels take seconds per image on a CPU. It is a low-rank 13x13 convolution
  (Jaderberg et al., Speeding up CNNs with Low Rank Expansions, BMVC 2014) without activations. With a ReLU before the
  last layer, two of eight runs did not learn a shift by 6 cells, and another learned it slowly.

Shapes: E edges, C channels of a part, kh x kw taps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from mmcv.cnn import build_activation_layer
from torch import Tensor, nn

from posestructs.layers.message_passing import Convolution
from posestructs.utils.checks import check_choice, check_integer, check_keys, check_number, invalid_value

RELEASE_STD = 0.01
"""Standard deviation of the initial weights of messages and fc7 in the authors' release."""


@dataclass(frozen=True)
class KernelLayer:
    """One convolution of a transform.

    Args:
        channels: Number of output channels.
        kernel_size: Rows and columns of taps, both odd.
        dilation: Spacing of the taps in cells.
        act_cfg: Config of the activation after it, as in mmcv, of a type without parameters; None for none.
        std: Standard deviation of the initial weights; None for 1 / sqrt(fan-in).
    """

    channels: int
    kernel_size: tuple[int, int] = (7, 7)
    dilation: int = 1
    act_cfg: Mapping[str, Any] | None = None
    std: float | None = None

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns of cells that it covers."""
        return tuple(self.dilation * (side - 1) + 1 for side in self.kernel_size)


class Preset(NamedTuple):
    """Layers of a transform, and where part features are rectified: 'pre' (before the sum too) or 'post'."""

    layers: tuple[dict[str, Any], ...]
    rectify: str


def _preset(name: str, channels: int) -> Preset:
    half, quarter = max(channels // 2, 1), max(channels // 4, 1)
    full = dict(kernel_size=7, std=RELEASE_STD)
    if name == 'paper':
        return Preset((dict(full, channels=channels),) * 3, 'pre')
    if name == 'release':
        first = dict(full, channels=half, act_cfg=dict(type='ReLU'))
        return Preset((first, dict(full, channels=channels)), 'post')
    return Preset(
        (
            dict(channels=quarter, kernel_size=1),
            dict(channels=quarter, kernel_size=(13, 1)),
            dict(channels=quarter, kernel_size=(1, 13)),
            dict(channels=channels, kernel_size=1),
        ),
        'post',
    )


PRESETS = ('paper', 'release', 'separable')
"""Names of the presets."""


def transform_layers(
    preset: str | None, transform: Sequence[Mapping[str, Any]] | None, channels: int
) -> tuple[tuple[KernelLayer, ...], str]:
    """Read the layers of a transform from its config.

    Args:
        preset: One of :data:`PRESETS`; None where ``transform`` gives the layers.
        transform: Layers in the place of the preset's. Each is a dict of ``channels`` (by default those of a part),
            ``kernel_size`` (a number, or rows and columns; by default 7), ``dilation``, ``act_cfg`` and ``std`` of
            :class:`KernelLayer`.
        channels: Number of channels of a part, C.

    Returns:
        tuple: The layers, and the preset's ``rectify`` ('post' without a preset).

    Raises:
        TypeError: ``transform`` is not a list of dicts.
        ValueError: An unknown preset or key, or a value out of range.
    """
    if preset is not None or transform is None:
        check_choice('preset', preset, PRESETS if transform is None else (*PRESETS, None))
    given, rectify = _preset(preset, channels) if preset is not None else Preset((), 'post')
    if transform is not None:
        if isinstance(transform, (str, Mapping)) or not isinstance(transform, Sequence) or not transform:
            raise TypeError(f'transform={transform!r}, allowed: a list of at least one dict, each a layer')
        given = transform
    layers = tuple(_layer(f'transform[{i}]', layer, channels) for i, layer in enumerate(given))
    if layers[-1].channels != channels:
        raise invalid_value(
            f'transform[{len(layers) - 1}].channels',
            layers[-1].channels,
            f'part_channels={channels} in the last layer, whose output is added to the features of a part',
        )
    return layers, rectify


def _layer(key: str, given: Mapping[str, Any], part_channels: int) -> KernelLayer:
    if not isinstance(given, Mapping):
        raise TypeError(f'{key}={given!r}, allowed: a dict, e.g. dict(channels=64, kernel_size=7)')
    check_keys(key, given, [field.name for field in fields(KernelLayer)])
    values = {name: value for name, value in given.items() if value is not None}
    return KernelLayer(
        channels=check_integer(f'{key}.channels', values.get('channels', part_channels), 1),
        kernel_size=_kernel_size(f'{key}.kernel_size', values.get('kernel_size', 7)),
        dilation=check_integer(f'{key}.dilation', values.get('dilation', 1), 1),
        act_cfg=values.get('act_cfg'),
        std=check_number(f'{key}.std', values.get('std'), 0, optional=True),
    )


def _kernel_size(key: str, value: Any) -> tuple[int, int]:
    sides = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(sides) != 2:
        raise invalid_value(key, value, 'an odd number, or two of them (rows, columns)')
    for side in sides:
        if check_integer(key, side, 1) % 2 == 0:
            raise invalid_value(key, value, 'an odd number, or two of them (rows, columns)')
    return sides


class MessageKernels(nn.Module):
    """Transforms of all edges in one direction.

    Parameters are stacked over edges, so that an optimizer sees two per layer for any tree. ``paramwise_cfg``
    finds them by name: ``kernels.0`` (E, C', C, kh, kw) and ``biases.0`` (E, C') for layer 0.

    Args:
        num_edges: Number of edges, E.
        channels: Number of channels of a part, C.
        layers: Layers from :func:`transform_layers`.

    Raises:
        ValueError: An activation has parameters, which the edges would have to share.
    """

    def __init__(self, num_edges: int, channels: int, layers: Sequence[KernelLayer]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.kernels, self.biases = nn.ParameterList(), nn.ParameterList()
        for layer in self.layers:
            self.kernels.append(nn.Parameter(torch.empty(num_edges, layer.channels, channels, *layer.kernel_size)))
            self.biases.append(nn.Parameter(torch.empty(num_edges, layer.channels)))
            channels = layer.channels
        self.activations = nn.ModuleList(_activation(layer.act_cfg) for layer in self.layers)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw Gaussian weights and set biases to zero."""
        for layer, weight, bias in zip(self.layers, self.kernels, self.biases, strict=True):
            std = 1 / math.sqrt(weight[0, 0].numel()) if layer.std is None else layer.std
            nn.init.normal_(weight, std=std)
            nn.init.zeros_(bias)

    def by_edge(self) -> list[tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]:
        """Views of the parameters: for each layer E weights and E biases.

        All edges share one ``unbind``, whose gradient is written once; slices would write E gradients of full size.
        """
        return [(weight.unbind(), bias.unbind()) for weight, bias in zip(self.kernels, self.biases, strict=True)]

    def convolutions(self, chosen: Sequence[tuple[list, int]]) -> list[Convolution]:
        """Gather the layers of several messages.

        Args:
            chosen: For each message the views from :meth:`by_edge`, of this or the other direction, and its edge.

        Returns:
            list[Convolution]: Input of :func:`.message_passing.compute_messages`.
        """
        return [
            Convolution(
                [views[i][0][edge] for views, edge in chosen],
                [views[i][1][edge] for views, edge in chosen],
                layer.dilation,
                activation if layer.act_cfg else None,
            )
            for i, (layer, activation) in enumerate(zip(self.layers, self.activations, strict=True))
        ]


def _activation(act_cfg: Mapping[str, Any] | None) -> nn.Module:
    if not act_cfg:
        return nn.Identity()
    activation = build_activation_layer(dict(act_cfg))
    if any(True for _ in activation.parameters()):
        raise ValueError(f'transform: act_cfg={dict(act_cfg)!r} has parameters, allowed: one without, e.g. ReLU')
    return activation
