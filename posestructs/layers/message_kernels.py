"""The geometrical transform kernels of messages: a stack of convolutions for every edge of a tree.

Neighbouring parts' features are not aligned: a transform T shifts and reshapes what one part knows into what that
means for the other (Chu et al., CVPR 2016). It is a list of convolutions, one list for all edges, weights for each.

==============  =====================================================  ============  ==============  ========
preset          layers, C channels a part                              sees cells    multiply-adds*  rectify
==============  =====================================================  ============  ==============  ========
``paper``       three 7x7 C->C, nothing in between                     19 x 19       2,408,448       pre
``release``     7x7 C->C/2, ReLU, 7x7 C/2->C                           13 x 13       802,816         post
``separable``   1x1 C->C/4, 13x1, 1x13 C/4->C/4, 1x1 C/4->C            13 x 13       34,816          post
==============  =====================================================  ============  ==============  ========

(*) a cell and message, C = 128. The slides give the paper's kernel sizes only: its widths, and that nothing is in
between, are our choice. ``separable`` is ours: the release's costs seconds an image on a CPU. It is a 13x13 convolution
of low rank (Jaderberg et al., Speeding up CNNs with Low Rank Expansions, BMVC 2014) with nothing in between: of eight
runs in which it was to learn a shift by 6 cells, a ReLU before the last layer kept two from learning, slowed another.

Shapes: E edges, C channels of a part, kh x kw taps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import torch
from mmcv.cnn import build_activation_layer
from torch import Tensor, nn

from posestructs.layers.parallel_convs import Convolution

RELEASE_STD = 0.01
"""Deviation of the release's Gaussian initial values of messages and fc7."""


@dataclass(frozen=True)
class KernelLayer:
    """One convolution of a transform.

    Args:
        channels (int): That it gives.
        kernel_size (tuple[int, int]): Rows and columns of taps, both odd.
        dilation (int): Cells between taps.
        act_cfg (Mapping, optional): Activation after it, as in mmcv; one without parameters. None: none.
        std (float, optional): Deviation of the Gaussian initial weights; by default 1 / sqrt(inputs of a value).
    """

    channels: int
    kernel_size: tuple[int, int] = (7, 7)
    dilation: int = 1
    act_cfg: Mapping[str, Any] | None = None
    std: float | None = None

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns of cells that it sees."""
        return tuple(self.dilation * (side - 1) + 1 for side in self.kernel_size)


class Preset(NamedTuple):
    """Layers of a transform for C channels, and where features are rectified: before the sum too, or after it only."""

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
    """Layers of a transform from its config.

    Args:
        preset: One of :data:`PRESETS`, or None where ``transform`` says all.
        transform: Layers instead of the preset's: each a dict of ``channels`` (by default those of a part),
            ``kernel_size`` (a number or rows and columns, by default 7), ``dilation``, ``act_cfg`` and ``std`` of
            :class:`KernelLayer`.
        channels: C.

    Returns:
        tuple: The layers, and the preset's ``rectify`` ('post' where there is none).

    Raises:
        TypeError: ``transform`` is no list of dicts.
        ValueError: An unknown preset or key, or a value out of range; names the layer, the key, the value and what is
            allowed.
    """
    if preset is None and transform is None:
        raise ValueError(f'preset=None needs a transform; allowed without one: {_names(PRESETS)}')
    if preset is not None and preset not in PRESETS:
        raise ValueError(f'preset={preset!r}, allowed: {_names(PRESETS)}, or None with a transform')
    given, rectify = _preset(preset, channels) if preset is not None else Preset((), 'post')
    if transform is not None:
        if isinstance(transform, (str, Mapping)) or not isinstance(transform, Sequence) or not transform:
            raise TypeError(f'transform={transform!r}, allowed: a list of at least one dict, each a layer')
        given = transform
    layers = tuple(_layer(f'transform[{i}]', layer, channels) for i, layer in enumerate(given))
    if layers[-1].channels != channels:
        raise ValueError(
            f'transform[{len(layers) - 1}]: channels={layers[-1].channels}, but a message is added to '
            f'part_channels={channels} channels: the last layer must give as many'
        )
    return layers, rectify


def _layer(where: str, given: Mapping[str, Any], part_channels: int) -> KernelLayer:
    if not isinstance(given, Mapping):
        raise TypeError(f'{where}={given!r}, allowed: a dict, e.g. dict(channels=64, kernel_size=7)')
    known = KernelLayer.__dataclass_fields__
    if strange := sorted(set(given) - set(known)):
        raise ValueError(f'{where}: unknown {_names(strange)}, allowed: {_names(known)}')
    size = given.get('kernel_size', 7)
    sides = tuple(size) if isinstance(size, Sequence) and not isinstance(size, str) else (size, size)
    if len(sides) != 2 or any(not _is_count(side) or side % 2 == 0 for side in sides):
        raise ValueError(f'{where}: kernel_size={size!r}, allowed: an odd number, or two of them (rows, columns)')
    values = dict(channels=part_channels, dilation=1) | {k: v for k, v in given.items() if v is not None}
    for key in ('channels', 'dilation'):
        if not _is_count(values[key]):
            raise ValueError(f'{where}: {key}={values[key]!r}, allowed: a whole number from 1')
    std = values.get('std')
    if std is not None and (isinstance(std, bool) or not isinstance(std, Real) or not 0 <= std < math.inf):
        raise ValueError(f'{where}: std={std!r}, allowed: a number from 0, or None for 1 / sqrt(inputs of a value)')
    return KernelLayer(**(values | dict(kernel_size=sides)))


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1


def _names(values: Any) -> str:
    return ', '.join(map(repr, values))


class MessageKernels(nn.Module):
    """The transforms of all edges in one direction.

    Parameters are stacked over edges, so that an optimizer sees two a layer, whatever the tree. Their names tell
    ``paramwise_cfg`` what they are: ``kernels.0`` (E, C', C, kh, kw) and ``biases.0`` (E, C') for layer 0.

    Args:
        num_edges (int): E.
        channels (int): C.
        layers (Sequence[KernelLayer]): Of :func:`transform_layers`.

    Raises:
        ValueError: An activation has parameters, which edges would have to share.
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
        """Gaussian weights, biases zero."""
        for layer, weight, bias in zip(self.layers, self.kernels, self.biases, strict=True):
            std = 1 / math.sqrt(weight[0, 0].numel()) if layer.std is None else layer.std
            nn.init.normal_(weight, std=std)
            nn.init.zeros_(bias)

    def by_edge(self) -> list[tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]:
        """Views of the parameters: for each layer E weights and E biases.

        One ``unbind`` for all edges: its gradient is written once, that of E slices would be E tensors of full size.
        """
        return [(weight.unbind(), bias.unbind()) for weight, bias in zip(self.kernels, self.biases, strict=True)]

    def convolutions(self, chosen: Sequence[tuple[list, int]]) -> list[Convolution]:
        """Layers of several messages.

        Args:
            chosen: For each message the views of :meth:`by_edge`, of this or another direction, and its edge.

        Returns:
            list[Convolution]: For :mod:`posestructs.layers.parallel_convs`.
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
