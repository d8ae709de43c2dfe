"""Head of Adversarial PoseNet (Chen et al., ICCV 2017): K pose and K occlusion maps of every stack, trained by L_G.

::

    y_n = W2 f(W1 Y_n),  z_n = V2 f(V1 Z_n),  f = ReLU(norm(.)),  all 1x1
    L_G = 1/(2MN) sum_n sum_i |y^i - y_n^i|^2 + |z^i - z_n^i|^2

The maps are linear, as in Newell et al. (ECCV 2016); that they lie in [0, 1], as the paper says, is what L_G teaches.

Shapes: M images, N stacks, K joints, C channels, H x W cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.models.heads import HeatmapHead
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from mmpose.utils.tensor_utils import to_numpy
from torch import Tensor, nn

from posestructs.codecs import OcclusionHeatmap
from posestructs.layers.hourglass import BATCH_NORM, build_norm
from posestructs.models.heads.joint_accuracy import joint_accuracy

# features of one stack: one map for both tasks, or one for each
StackFeatures = Tensor | Sequence[Tensor]
Features = Tensor | Sequence[StackFeatures]


@MODELS.register_module()
class AdversarialHead(HeatmapHead):
    """Pose and occlusion maps from the features of each stack.

    It takes what any backbone or neck gives:

    - a list of N stacks, each (Y_n, Z_n): ``StackedPoseGenerator``;
    - a list of N stacks, each one map that both tasks read: mmpose's ``HourglassNet``, ``StackedPoseGenerator`` with
      one branch;
    - a tuple of maps of several scales, of which the last is used, with ``num_stacks=1``: ``ResNet``, ``HRNet``, necks.

    Args:
        in_channels: C.
        out_channels: K joints.
        num_stacks: N; each has its own layers and its own share of the loss.
        multi_task: Whether there are occlusion maps. Without them the decoder may be any of mmpose's heatmap codecs.
        hidden_channels: Between the two convolutions; by default C.
        norm_cfg: Normalisation after the first of them, by default ``dict(type='BN')``; ``None`` for none.
        deconv_out_channels: Channels of deconvolutions that double the map before all else, as in mmpose's
            ``HeatmapHead``; for one stack of one map, such as ``(256, 256, 256)`` behind a ResNet.
        deconv_kernel_sizes: Of these; by default 4 each.
        loss: Loss of one kind of map of one stack, called with maps, true maps and weights (M, K), by default
            ``dict(type='HeatmapSumLoss')``; the head averages over stacks.
        decoder: Config of the codec, :class:`~posestructs.codecs.OcclusionHeatmap` for ``multi_task``; its
            ``with_occlusion`` is by default ``multi_task``.
        init_cfg: By default that of mmpose's ``HeatmapHead``: the first maps are near 0.

    Raises:
        ValueError: Two of these do not fit together; names both.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_stacks: int = 1,
        multi_task: bool = True,
        hidden_channels: int | None = None,
        norm_cfg: Mapping[str, Any] | None = BATCH_NORM,
        deconv_out_channels: Sequence[int] | None = None,
        deconv_kernel_sizes: Sequence[int] | None = None,
        loss: Mapping[str, Any] | None = None,
        decoder: Mapping[str, Any] | None = None,
        init_cfg: Any = None,
    ) -> None:
        for key, value in (('in_channels', in_channels), ('out_channels', out_channels), ('num_stacks', num_stacks)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f'AdversarialHead: {key}={value!r}, allowed: an integer of at least 1')
        if deconv_out_channels and num_stacks > 1:
            raise ValueError(f'AdversarialHead: deconv_out_channels needs num_stacks=1, got num_stacks={num_stacks}')
        if deconv_out_channels and deconv_kernel_sizes is None:
            deconv_kernel_sizes = (4,) * len(deconv_out_channels)
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            deconv_out_channels=deconv_out_channels,
            deconv_kernel_sizes=deconv_kernel_sizes,
            final_layer=None,
            loss=dict(type='HeatmapSumLoss') if loss is None else dict(loss),
            decoder=None if decoder is None else _for_task(decoder, multi_task),
            init_cfg=init_cfg,
        )
        self.num_stacks, self.multi_task = num_stacks, multi_task
        self._check_parts()
        channels = deconv_out_channels[-1] if deconv_out_channels else in_channels
        hidden = channels if hidden_channels is None else hidden_channels
        tasks = ('pose', 'occlusion') if multi_task else ('pose',)
        self.stacks = nn.ModuleList(
            nn.ModuleDict({task: _two_convolutions(channels, hidden, out_channels, norm_cfg) for task in tasks})
            for _ in range(num_stacks)
        )

    def forward(self, feats: Features) -> list[Tensor]:
        """Maps of all stacks.

        Args:
            feats: See the class.

        Returns:
            list[Tensor]: N stacks of (M, 2K, H, W), pose maps first, or (M, K, H, W) without occlusion; linear.

        Raises:
            ValueError: The features do not fit ``in_channels``, ``num_stacks``, ``multi_task`` or the deconvolutions.
        """
        out = []
        for layers, (pose, occlusion) in zip(self.stacks, self._read(feats), strict=True):
            maps = layers['pose'](pose)
            out.append(torch.cat([maps, layers['occlusion'](occlusion)], 1) if self.multi_task else maps)
        return out

    def split(self, maps: Tensor) -> tuple[Tensor, Tensor | None]:
        """Tell pose maps from occlusion maps.

        Args:
            maps: (M, 2K, H, W), or (M, K, H, W) without occlusion.

        Returns:
            tuple[Tensor, Tensor | None]: (M, K, H, W) each; the latter ``None`` without occlusion.
        """
        return (maps[:, : self.out_channels], maps[:, self.out_channels :]) if self.multi_task else (maps, None)

    def maps(self, feats: Features) -> tuple[Tensor, Tensor | None]:
        """Pose maps and occlusion maps of the last stack, as :meth:`split` gives them."""
        return self.split(self.forward(feats)[-1])

    def loss(
        self, feats: Features, batch_data_samples: list[PoseDataSample], train_cfg: Mapping[str, Any] | None = None
    ) -> dict[str, Tensor]:
        """L_G of a batch; see :meth:`loss_from_maps`."""
        return self.loss_from_maps(self.forward(feats), batch_data_samples, train_cfg)

    def loss_from_maps(
        self,
        stacks: Sequence[Tensor],
        batch_data_samples: list[PoseDataSample],
        train_cfg: Mapping[str, Any] | None = None,
    ) -> dict[str, Tensor]:
        """L_G of maps that :meth:`forward` made.

        Args:
            stacks: N stacks of (M, 2K or K, H, W).
            batch_data_samples: With ``gt_fields.heatmaps``, ``gt_instance_labels.keypoint_weights`` and, for occlusion
                maps, ``gt_instance_labels.occlusion_weights``, as the codec makes them.
            train_cfg: ``compute_acc=False`` leaves out the accuracy.

        Returns:
            dict[str, Tensor]: ``loss_kpt`` and ``loss_occlusion``, whose sum is L_G; ``acc_pose``, see
            :func:`~posestructs.models.heads.joint_accuracy.joint_accuracy`, of the last stack.

        Raises:
            ValueError: The targets do not fit the maps.
        """
        truth, weights = self._targets(batch_data_samples, stacks[-1])
        losses: dict[str, Tensor] = {}
        for maps in stacks:
            for name, made, true, weight in zip(
                ('loss_kpt', 'loss_occlusion'), self.split(maps), self.split(truth), weights, strict=False
            ):
                # 1/N sum_n ...
                losses[name] = losses.get(name, 0) + self.loss_module(made, true, weight) / len(stacks)
        if (train_cfg or {}).get('compute_acc', True):
            pose, _ = self.split(stacks[-1].detach())
            cells = self.split(truth)[0].flatten(2).argmax(2)
            losses['acc_pose'] = joint_accuracy(pose, cells, weights[0] > 0)
        return losses

    def predict(
        self,
        feats: Features | list[Features],
        batch_data_samples: list[PoseDataSample],
        test_cfg: Mapping[str, Any] | None = None,
    ) -> list[InstanceData] | tuple[list[InstanceData], list[PixelData]]:
        """Joints of a batch, from the last stack.

        Args:
            feats: Features; with ``flip_test`` a list of those of the images and those of the mirrored images.
            batch_data_samples: The first one's ``flip_indices`` are read for ``flip_test``.
            test_cfg: ``flip_test``, ``flip_mode`` ('heatmap'), ``shift_heatmap``, ``output_heatmaps``, as in mmpose.

        Returns:
            list[InstanceData]: ``keypoints`` (1, K, 2) in input pixels, ``keypoint_scores`` (1, K) and, with occlusion
            maps, ``keypoints_occluded`` (1, K), the probability that each joint is occluded. With
            ``output_heatmaps`` a tuple of this and a list of ``PixelData``, whose ``heatmaps`` are the K pose maps and
            ``occlusion_heatmaps`` the K occlusion maps.

        Raises:
            ValueError: ``flip_mode`` is not 'heatmap', or ``flip_test`` comes without a pair of features.
        """
        test_cfg = test_cfg or {}
        if test_cfg.get('flip_test', False):
            maps = self._flip_test(feats, batch_data_samples[0].metainfo['flip_indices'], test_cfg)
        else:
            maps = self.forward(feats)[-1]
        predictions = self.decode(maps)
        if not test_cfg.get('output_heatmaps', False):
            return predictions
        kinds = zip(('heatmaps', 'occlusion_heatmaps'), self.split(maps.detach()), strict=True)
        kinds = {name: kind for name, kind in kinds if kind is not None}
        return predictions, [PixelData(**{name: kind[i] for name, kind in kinds.items()}) for i in range(len(maps))]

    def decode(self, batch_outputs: Tensor) -> list[InstanceData]:
        """Decode maps.

        Args:
            batch_outputs: (M, 2K, H, W), or (M, K, H, W) without occlusion.

        Returns:
            list[InstanceData]: See :meth:`predict`.

        Raises:
            RuntimeError: The head has no decoder.
        """
        if not self.multi_task:
            return super().decode(batch_outputs)
        arrays = to_numpy(batch_outputs)
        predictions = super().decode(arrays)
        for prediction, maps in zip(predictions, arrays, strict=True):
            prediction.keypoints_occluded = self.decoder.decode_occlusion(maps)
        return predictions

    def _flip_test(self, feats: list[Features], flip_indices: Sequence[int], test_cfg: Mapping[str, Any]) -> Tensor:
        """Mean of the maps of the images and of the maps, mirrored back, of the mirrored images."""
        if not isinstance(feats, list) or len(feats) != 2:
            raise ValueError('AdversarialHead: flip_test needs a list of two features, of the images and mirrored')
        mode = test_cfg.get('flip_mode', 'heatmap')
        if mode != 'heatmap':
            raise ValueError(f"AdversarialHead: test_cfg flip_mode={mode!r}, allowed: 'heatmap'")
        # both halves of the maps have a left and a right
        both = [*flip_indices, *(index + self.out_channels for index in flip_indices)]
        straight, mirrored = (self.forward(features)[-1] for features in feats)
        mirrored = flip_heatmaps(
            mirrored,
            flip_mode=mode,
            flip_indices=both if self.multi_task else list(flip_indices),
            shift_heatmap=test_cfg.get('shift_heatmap', False),
        )
        return (straight + mirrored) * 0.5

    def _read(self, feats: Features) -> list[tuple[Tensor, Tensor]]:
        """Features of both tasks of each stack, the same twice where there is one map for both."""
        if isinstance(feats, Tensor):
            feats = (feats,)
        if self.num_stacks == 1 and isinstance(feats, tuple):
            # several scales, of which the last counts, not stacks
            feats = feats[-1:]
        if len(feats) != self.num_stacks:
            raise ValueError(f'AdversarialHead: num_stacks={self.num_stacks}, the features are of {len(feats)} stacks')
        out = []
        for stack in feats:
            self._check_channels(stack)
            if isinstance(stack, Tensor):
                stack = self.deconv_layers(stack)
                out.append((stack, stack))
                continue
            if len(stack) != 2 or not self.multi_task:
                raise ValueError(
                    f'AdversarialHead: multi_task={self.multi_task}, a stack of the features has {len(stack)} '
                    'branches; allowed are two with multi_task=True, else one: see num_branches of StackedPoseGenerator'
                )
            if not isinstance(self.deconv_layers, nn.Identity):
                raise ValueError('AdversarialHead: deconv_out_channels is for features of one map, got two branches')
            out.append(tuple(stack))
        return out

    def _check_channels(self, stack: StackFeatures) -> None:
        """Refuse features of other channels, which a convolution would do without naming the key."""
        for feature in (stack,) if isinstance(stack, Tensor) else stack:
            if feature.shape[1] != self.in_channels:
                raise ValueError(
                    f'AdversarialHead: head.in_channels={self.in_channels}, but the features of the backbone, or of '
                    f'the neck where there is one, have {feature.shape[1]} channels'
                )

    def _targets(self, samples: list[PoseDataSample], maps: Tensor) -> tuple[Tensor, list[Tensor]]:
        """True maps, and weights (M, K) of each kind."""
        truth = torch.stack([sample.gt_fields.heatmaps for sample in samples])
        if not self.multi_task:
            # a codec that makes occlusion maps too is no mistake: the single-task baseline on the same pipeline
            truth = truth[:, : self.out_channels] if truth.shape[1] == 2 * self.out_channels else truth
        if truth.shape[:2] == maps.shape[:2] and truth.shape != maps.shape:
            (height, width), (rows, columns) = maps.shape[2:], truth.shape[2:]
            raise ValueError(
                f'AdversarialHead: its maps have {width} x {height} cells (width x height), those of the codec of the '
                f'pipeline heatmap_size=({columns}, {rows}): set heatmap_size to ({width}, {height}), let '
                'head.deconv_out_channels enlarge the maps, or choose another stride of the backbone'
            )
        if truth.shape != maps.shape:
            raise ValueError(
                f'AdversarialHead: out_channels={self.out_channels}, multi_task={self.multi_task} give maps of the '
                f'shape {tuple(maps.shape[1:])}, the codec of the pipeline {tuple(truth.shape[1:])}'
            )
        weights = [torch.cat([sample.gt_instance_labels.keypoint_weights for sample in samples])]
        if self.multi_task:
            if 'occlusion_weights' not in samples[0].gt_instance_labels:
                raise ValueError(
                    'AdversarialHead: multi_task=True needs gt_instance_labels.occlusion_weights, which '
                    'OcclusionHeatmap in the pipeline (GenerateTarget) makes'
                )
            known = torch.cat([sample.gt_instance_labels.occlusion_weights for sample in samples])
            weights.append(weights[0] * known)
        return truth, weights

    def _check_parts(self) -> None:
        """Refuse a loss that takes what is not known for zeros, and a decoder that reads another number of maps."""
        if self.multi_task and not getattr(self.loss_module, 'use_target_weight', True):
            raise ValueError(
                f'AdversarialHead: loss {type(self.loss_module).__name__} with use_target_weight=False would teach '
                'that joints of unknown occlusion are visible; set use_target_weight=True'
            )
        reads = getattr(self.decoder, 'with_occlusion', False)
        if self.decoder is not None and reads != self.multi_task:
            raise ValueError(
                f'AdversarialHead: multi_task={self.multi_task}, the decoder {type(self.decoder).__name__} '
                f'{"reads" if reads else "does not read"} occlusion maps; give OcclusionHeatmap with '
                f'with_occlusion={self.multi_task}' + ('' if self.multi_task else ', or a codec of mmpose')
            )


def _for_task(decoder: Mapping[str, Any], multi_task: bool) -> dict[str, Any]:
    """A codec's config, which reads as many maps as there are where it does not say itself."""
    kind = KEYPOINT_CODECS.get(decoder['type']) if isinstance(decoder['type'], str) else decoder['type']
    return {'with_occlusion': multi_task, **decoder} if kind is OcclusionHeatmap else dict(decoder)


def _two_convolutions(channels: int, hidden: int, joints: int, norm_cfg: Mapping[str, Any] | None) -> nn.Sequential:
    """Two 1x1 convolutions, C to hidden to K."""
    return nn.Sequential(
        nn.Conv2d(channels, hidden, 1, bias=norm_cfg is None),
        build_norm(norm_cfg, hidden),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, joints, 1),
    )
