"""Per-part features that exchange messages along a kinematic tree (Chu et al., CVPR 2016, sections 4 and 5).

    image features -> fc7: A_k, B_k for every part k -> sweep up, sweep down -> [A'_k, B'_k]

Shapes: N batch, V parts, K joints, C channels of a part and direction, h x w cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.layers.message_kernels import RELEASE_STD, MessageKernels, transform_layers
from posestructs.layers.message_passing import (
    DOWN,
    MODES,
    UP,
    Message,
    compute_messages,
    exporting,
    loop,
    message_steps,
    pass_messages,
    update,
)
from posestructs.structures import KinematicTree, build_tree
from posestructs.utils.checks import check_choice, check_integer

_SWEEPS = {'both': (UP, DOWN), 'up': (UP,), 'down': (DOWN,), 'none': (), 'self': (UP, DOWN)}


@MODELS.register_module()
class TreeMessagePassing(BaseModule):
    """Compute features of each part of a tree, and update them with messages from neighbouring parts.

    Parameters, with the E = V - 1 edges in the order of their child parts: ``fc7.weight`` and ``fc7.bias`` (part by
    part, up before down); ``up.kernels.0`` (E, C', C, kh, kw) and ``up.biases.0`` (E, C') for layer 0 of the
    transforms; likewise for other layers and for ``down``. They do not depend on ``mode``. The learning rates and decay
    of the release in a config::

        paramwise_cfg=dict(custom_keys={
            'kernels': dict(lr_mult=10, decay_mult=2), 'biases': dict(lr_mult=20),
            'fc7.weight': dict(lr_mult=10), 'fc7.bias': dict(lr_mult=20)})

    Args:
        in_channels: Channels of the feature map.
        tree: A tree or its config, see :func:`posestructs.structures.build_tree`.
        part_channels: C.
        preset: 'release', 'paper' or 'separable', see :mod:`posestructs.layers.message_kernels`; ``None`` if
            ``transform`` is given.
        transform: Layers of a transform in place of the preset's, each
            ``dict(channels=C, kernel_size=7, dilation=1, act_cfg=None, std=None)``.
        rectify: 'pre' to rectify A_k and B_k before messages are added (paper), 'post' to rectify the sums only
            (release). By default that of the preset, or 'post'.
        direction: 'both', 'up', 'down' or 'none'. Features of a direction without messages are returned all the same,
            so that ablations compare equal heads. 'self' is a control: both sweeps with the same parameters and cost,
            but each message is computed from the input features of its receiver instead of its sender's.
        mode: Backend that computes the messages of a step, 'loop' or 'grouped' of
            :mod:`posestructs.layers.message_passing`, with equal results; 'auto' selects one by rule.
        out_joints: Return features of the K joints only, in the order of the data set, for heads without a tree such as
            ``HeatmapHead``; False for features of all V parts.
        keep_input: Return the feature map as well, for a head that reads both.
        in_index: Index of the backbone's feature map to read; several indices for nested lists.
        init_cfg: mmengine's ``init_cfg``; by default messages as in the preset, fc7 Gaussian 0.01, biases zero.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A value is not allowed; names the key.
    """

    def __init__(
        self,
        in_channels: int,
        tree: KinematicTree | Mapping[str, Any],
        part_channels: int = 128,
        preset: str | None = 'release',
        transform: Sequence[Mapping[str, Any]] | None = None,
        rectify: str | None = None,
        direction: str = 'both',
        mode: str = 'auto',
        out_joints: bool = False,
        keep_input: bool = False,
        in_index: int | Sequence[int] = -1,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_integer('neck.in_channels', in_channels, 1)
        check_integer('neck.part_channels', part_channels, 1)
        layers, preset_rectify = transform_layers(preset, transform, part_channels)
        self.rectify = check_choice('neck.rectify', preset_rectify if rectify is None else rectify, ('pre', 'post'))
        self.direction = check_choice('neck.direction', direction, _SWEEPS)
        self.mode = check_choice('neck.mode', mode, MODES)
        self.tree = build_tree(tree)
        self.in_channels, self.part_channels = in_channels, part_channels
        self.in_index = (in_index,) if isinstance(in_index, int) else tuple(in_index)
        self.keep_input = keep_input
        self.out_parts = self.tree.joint_parts if out_joints else tuple(range(self.tree.num_parts))
        self.out_channels = len(self.out_parts) * 2 * part_channels

        self.fc7 = nn.Conv2d(in_channels, self.tree.num_parts * 2 * part_channels, 1)
        nn.init.normal_(self.fc7.weight, std=RELEASE_STD)
        nn.init.zeros_(self.fc7.bias)
        edges = [child for child, _ in self.tree.edges]
        self._edge_of = {child: e for e, child in enumerate(edges)}
        sweeps = _SWEEPS[direction] if edges else ()
        self.up = MessageKernels(len(edges), part_channels, layers) if UP in sweeps else None
        self.down = MessageKernels(len(edges), part_channels, layers) if DOWN in sweeps else None
        self._kernel_extent = tuple(max(layer.extent[i] for layer in layers) for i in range(2)) if sweeps else (1, 1)
        self._steps = message_steps(self.tree.parents, self.tree.levels, sweeps)

    def forward(self, feats: Tensor | Sequence) -> tuple[Tensor, ...]:
        """Features of all parts after both sweeps.

        Args:
            feats: Output of a backbone; the map at ``in_index`` is (N, in_channels, h, w).

        Returns:
            tuple[Tensor, ...]: (N, V * 2C, h, w), or (N, K * 2C, h, w) with ``out_joints``: [A'_k, B'_k] part by part;
            with ``keep_input`` also the map that was read.

        Raises:
            TypeError: There is no feature map at ``in_index``.
            ValueError: The map has another number of channels, or is smaller than a kernel.
        """
        x = self._feature_map(feats)
        updated = pass_messages(self._input_features(x), self._steps, self._sender(), self.direction == 'self')
        parts = torch.cat([updated[sweep][k] for k in self.out_parts for sweep in (UP, DOWN)], dim=1)
        return (parts, x) if self.keep_input else (parts,)

    # -- single operations, for show_messages ----------------------------------------------------------------------

    def input_features(self, feats: Tensor | Sequence, direction: str) -> Tensor:
        """A_k or B_k, to which messages are added.

        Args:
            feats: Output of a backbone, as for :meth:`forward`.
            direction: 'up' or 'down'.

        Returns:
            Tensor: (N, V, C, h, w).
        """
        sweep = _SWEEPS[check_choice('direction', direction, ('up', 'down'))][0]
        return torch.stack(self._input_features(self._feature_map(feats))[sweep], dim=1)

    def transform(self, x: Tensor, direction: str, child: int) -> Tensor:
        """The message over one edge.

        Args:
            x: (N, C, h, w) features A' or B' of the sender.
            direction: 'up' for the message from the child, 'down' for the one to it.
            child: Index of the part at the lower end of the edge.

        Returns:
            Tensor: (N, C, h, w).

        Raises:
            ValueError: The model has no messages in this direction, or the part is the root.
        """
        sweep = _SWEEPS[check_choice('direction', direction, ('up', 'down'))][0]
        if child not in self._edge_of:
            raise ValueError(f'child={child!r}, allowed: a part with a parent, of {sorted(self._edge_of)}')
        kernels = (self.up, self.down)[sweep]
        if kernels is None:
            raise ValueError(f'direction={direction!r}: this model was built with direction={self.direction!r}')
        return loop([x], kernels.convolutions([(kernels.by_edge(), self._edge_of[child])]))[0]

    @staticmethod
    def update(features: Tensor, incoming: Tensor | None = None) -> Tensor:
        """A'_k or B'_k from a part's input features and the sum of its incoming messages, (N, C, h, w) each."""
        return update(features, incoming)

    # --------------------------------------------------------------------------------------------------------------

    def _input_features(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """(A_k for all k, B_k for all k), each (N, C, h, w)."""
        # h_fc7^k = f(h_fc6 * w_fc7^k + b) in the paper; the release applies f to the sum only
        x = self.fc7(x)
        if self.rectify == 'pre':
            x = torch.relu(x)
        maps = x.split(self.part_channels, dim=1)
        return maps[0::2], maps[1::2]

    def _sender(self) -> Callable[[Sequence[Message], list[Tensor]], list[Tensor]]:
        """The function that computes the messages of a step."""
        kernels = self.up or self.down
        by_edge = [None if directed is None else directed.by_edge() for directed in (self.up, self.down)]

        def send(step: Sequence[Message], senders: list[Tensor]) -> list[Tensor]:
            layers = kernels.convolutions([(by_edge[message.sweep], self._edge_of[message.child]) for message in step])
            return compute_messages(self.mode, senders, layers)

        return send

    def _feature_map(self, feats: Tensor | Sequence) -> Tensor:
        x = feats
        for i in self.in_index if not isinstance(x, Tensor) else ():
            if isinstance(x, Tensor) or not -len(x) <= i < len(x):
                found = 'a tensor' if isinstance(x, Tensor) else f'{len(x)} maps'
                raise TypeError(f'neck: in_index={self.in_index}, but the backbone returns {found} at {i}')
            x = x[i]
        if not isinstance(x, Tensor):
            raise TypeError(f'neck: in_index={self.in_index} selects {len(x)} maps, needed: one, such as (-1, 0)')
        if not exporting():
            self._check_map(x)
        return x

    def _check_map(self, x: Tensor) -> None:
        if x.shape[1] != self.in_channels:
            raise ValueError(f'neck: in_channels={self.in_channels}, but the feature map has {x.shape[1]} channels')
        h, w = x.shape[-2:]
        rows, columns = self._kernel_extent
        if h < rows or w < columns:
            raise ValueError(
                f'neck: a feature map of {h} x {w} cells (height x width) is smaller than the message kernels, '
                f'{rows} x {columns}: use larger images, a smaller stride, or smaller kernels (neck.transform)'
            )

    def extra_repr(self) -> str:
        """Arguments that the parameters do not show."""
        names = ('direction', 'rectify', 'mode', 'part_channels', 'out_channels')
        return ', '.join(f'{name}={getattr(self, name)!r}' for name in names)
