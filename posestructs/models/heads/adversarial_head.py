"""Head of Adversarial PoseNet (Chen et al., ICCV 2017): K pose and K occlusion maps of every stack, trained by L_G.

::

    y_s = W2 f(W1 Y_s),  z_s = V2 f(V1 Z_s),  f = ReLU(norm(.)),  all 1x1
    L_G = 1/(2NS) sum_s sum_i |y^i - y_s^i|^2 + |z^i - z_s^i|^2

The maps are linear, as in Newell et al. (ECCV 2016); only L_G drives them towards [0, 1], the range in the paper.

Shapes: N batch, S stacks, K joints, C channels, H x W cells. (The paper's M images and N stacks are N and S here.)
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
from posestructs.layers.heatmaps import heatmap_maximum
from posestructs.layers.hourglass import BATCH_NORM, build_norm
from posestructs.models.heads.joint_accuracy import joint_accuracy
from posestructs.models.heads.map_targets import map_targets
from posestructs.utils.checks import check_integer

# features of one stack: one map for both tasks, or one map per task
StackFeatures = Tensor | Sequence[Tensor]
Features = Tensor | Sequence[StackFeatures]


@MODELS.register_module()
class AdversarialHead(HeatmapHead):
    """Pose and occlusion maps from the features of each stack.

    It accepts the output of any backbone or neck:

    - a list of S stacks, each (Y_s, Z_s): ``StackedPoseGenerator``;
    - a list of S stacks, each one map that both tasks read: mmpose's ``HourglassNet``, ``StackedPoseGenerator`` with
      one branch;
    - a tuple of maps of several scales, of which the last is used, with ``num_stacks=1``: ``ResNet``, ``HRNet``, necks.

    Args:
        in_channels: C.
        out_channels: K.
        num_stacks: S; each stack has its own layers, and the loss is the mean over stacks.
        multi_task: Predict occlusion maps too. Without them the decoder may be any heatmap codec of mmpose.
        hidden_channels: Channels between the two convolutions; by default C.
        norm_cfg: Normalisation after the first convolution; ``None`` for none.
        deconv_out_channels: Channels of deconvolutions that enlarge the features first, each by a factor of 2, as in
            mmpose's ``HeatmapHead``; for a single stack with one map, such as ``(256, 256, 256)`` behind a ResNet.
        deconv_kernel_sizes: Kernel sizes of the deconvolutions; by default 4 each.
        loss: Config of the loss of one kind of map of one stack, called with maps, target maps and weights (N, K); by
            default ``dict(type='HeatmapSumLoss')``.
        decoder: Config of the codec, :class:`~posestructs.codecs.OcclusionHeatmap` for ``multi_task``; its
            ``with_occlusion`` is ``multi_task`` by default.
        init_cfg: mmengine's ``init_cfg``; by default that of mmpose's ``HeatmapHead``, with first maps near 0.

    Raises:
        ValueError: A value is not allowed, or two of them do not fit together; names the keys.
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
            check_integer(f'AdversarialHead.{key}', value, 1)
        if deconv_out_channels and num_stacks > 1:
            raise ValueError(f'AdversarialHead.num_stacks={num_stacks}, allowed with deconv_out_channels: 1')
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
            feats: Output of a backbone or neck, in one of the forms that the class lists.

        Returns:
            list[Tensor]: S stacks of (N, 2K, H, W), pose maps first, or (N, K, H, W) without occlusion.

        Raises:
            ValueError: The features do not fit ``in_channels``, ``num_stacks``, ``multi_task`` or the deconvolutions.
        """
        out = []
        for layers, (pose, occlusion) in zip(self.stacks, self._read(feats), strict=True):
            maps = layers['pose'](pose)
            out.append(torch.cat([maps, layers['occlusion'](occlusion)], 1) if self.multi_task else maps)
        return out

    def split(self, maps: Tensor) -> tuple[Tensor, Tensor | None]:
        """Split maps into pose maps and occlusion maps.

        Args:
            maps: (N, 2K, H, W), or (N, K, H, W) without occlusion.

        Returns:
            tuple[Tensor, Tensor | None]: (N, K, H, W) each; the latter ``None`` without occlusion.
        """
        return (maps[:, : self.out_channels], maps[:, self.out_channels :]) if self.multi_task else (maps, None)

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
        """L_G from the maps of :meth:`forward`.

        Args:
            stacks: S stacks of (N, 2K or K, H, W).
            batch_data_samples: N samples with ``gt_fields.heatmaps``, ``gt_instance_labels.keypoint_weights`` and, for
                occlusion maps, ``gt_instance_labels.occlusion_weights``, as the codec encodes them.
            train_cfg: Options; ``compute_acc=False`` leaves out the accuracy.

        Returns:
            dict[str, Tensor]: ``loss_kpt`` and ``loss_occlusion``, whose sum is L_G, and ``acc_pose``, the
            :func:`~posestructs.models.heads.joint_accuracy.joint_accuracy` of the last stack.

        Raises:
            ValueError: The targets do not fit the maps.
        """
        targets, weights = map_targets(batch_data_samples, stacks[-1], self.out_channels, self.multi_task)
        losses: dict[str, Tensor] = {}
        for maps in stacks:
            for name, predicted, target, weight in zip(
                ('loss_kpt', 'loss_occlusion'), self.split(maps), self.split(targets), weights, strict=False
            ):
                # 1/S sum_s ...
                losses[name] = losses.get(name, 0) + self.loss_module(predicted, target, weight) / len(stacks)
        if (train_cfg or {}).get('compute_acc', True):
            pose, _ = self.split(stacks[-1].detach())
            # the empty map of a joint outside the image has no target cell
            cells, peaks = heatmap_maximum(self.split(targets)[0])
            losses['acc_pose'] = joint_accuracy(pose, cells, (weights[0] > 0) & (peaks > 0))
        return losses

    def predict(
        self,
        feats: Features | list[Features],
        batch_data_samples: list[PoseDataSample],
        test_cfg: Mapping[str, Any] | None = None,
    ) -> list[InstanceData] | tuple[list[InstanceData], list[PixelData]]:
        """Joints of a batch, from the last stack.

        Args:
            feats: Features; with ``flip_test`` a list of two, those of the images and of the flipped images.
            batch_data_samples: N samples; ``flip_indices`` of the first are used for ``flip_test``.
            test_cfg: Options as in mmpose: ``flip_test``, ``flip_mode`` ('heatmap'), ``shift_heatmap``,
                ``output_heatmaps``.

        Returns:
            list[InstanceData]: ``keypoints`` (1, K, 2) in input pixels, ``keypoint_scores`` (1, K) and, with occlusion
            maps, ``keypoints_occluded`` (1, K), the probability that each joint is occluded. With ``output_heatmaps``
            a tuple of this list and a list of ``PixelData`` with the K pose maps as ``heatmaps`` and the K occlusion
            maps as ``occlusion_heatmaps``.

        Raises:
            ValueError: ``flip_mode`` is not 'heatmap', or ``flip_test`` is set without a pair of features.
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
            batch_outputs: (N, 2K, H, W), or (N, K, H, W) without occlusion.

        Returns:
            list[InstanceData]: Joints, as from :meth:`predict`.

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
        """Mean of the maps of the images and of the maps of the flipped images, flipped back."""
        if not isinstance(feats, list) or len(feats) != 2:
            raise ValueError(
                'AdversarialHead: flip_test needs a list of two features, of the images and of the flipped images'
            )
        mode = test_cfg.get('flip_mode', 'heatmap')
        if mode != 'heatmap':
            raise ValueError(f"AdversarialHead: test_cfg flip_mode={mode!r}, allowed: 'heatmap'")
        if len(flip_indices) != self.out_channels:
            raise ValueError(
                f'AdversarialHead.out_channels={self.out_channels}, but the data have {len(flip_indices)} joints '
                '(flip_indices)'
            )
        # left and right are swapped in both pose and occlusion maps
        both = [*flip_indices, *(index + self.out_channels for index in flip_indices)]
        maps, flipped = (self.forward(features)[-1] for features in feats)
        flipped = flip_heatmaps(
            flipped,
            flip_mode=mode,
            flip_indices=both if self.multi_task else list(flip_indices),
            shift_heatmap=test_cfg.get('shift_heatmap', False),
        )
        return (maps + flipped) * 0.5

    def _read(self, feats: Features) -> list[tuple[Tensor, Tensor]]:
        """Features of both tasks of each stack; the same features twice if both tasks read one map."""
        if isinstance(feats, Tensor):
            feats = (feats,)
        if self.num_stacks == 1 and isinstance(feats, tuple):
            # maps of several scales, not stacks
            feats = feats[-1:]
        if len(feats) != self.num_stacks:
            raise ValueError(
                f'AdversarialHead: num_stacks={self.num_stacks}, but the features have {len(feats)} stacks'
            )
        out = []
        for stack in feats:
            self._check_channels(stack)
            if isinstance(stack, Tensor):
                stack = self.deconv_layers(stack)
                out.append((stack, stack))
                continue
            if len(stack) != 2 or not self.multi_task:
                raise ValueError(
                    f'AdversarialHead: multi_task={self.multi_task}, but a stack of the features has {len(stack)} '
                    'branches, allowed: two with multi_task=True, else one (num_branches of StackedPoseGenerator)'
                )
            if not isinstance(self.deconv_layers, nn.Identity):
                raise ValueError(
                    'AdversarialHead: a stack of the features has two branches, allowed with deconv_out_channels: '
                    'one map'
                )
            out.append(tuple(stack))
        return out

    def _check_channels(self, stack: StackFeatures) -> None:
        """Check the number of channels, to name the key, which a convolution would not."""
        for feature in (stack,) if isinstance(stack, Tensor) else stack:
            if feature.shape[1] != self.in_channels:
                raise ValueError(
                    f'AdversarialHead: head.in_channels={self.in_channels}, but the features of the backbone, or of '
                    f'the neck where there is one, have {feature.shape[1]} channels'
                )

    def _check_parts(self) -> None:
        """Refuse a loss that takes unknown occlusion for visible, and a decoder of another number of maps."""
        if self.multi_task and not getattr(self.loss_module, 'use_target_weight', True):
            raise ValueError(
                f'AdversarialHead: loss {type(self.loss_module).__name__} with use_target_weight=False would '
                'train joints of unknown occlusion as visible ones; set use_target_weight=True'
            )
        reads = getattr(self.decoder, 'with_occlusion', False)
        if self.decoder is not None and reads != self.multi_task:
            raise ValueError(
                f'AdversarialHead: multi_task={self.multi_task}, but the decoder {type(self.decoder).__name__} '
                f'{"reads" if reads else "does not read"} occlusion maps; use OcclusionHeatmap with '
                f'with_occlusion={self.multi_task}' + ('' if self.multi_task else ', or a codec of mmpose')
            )


def _for_task(decoder: Mapping[str, Any], multi_task: bool) -> dict[str, Any]:
    """Config of a codec, which by default reads as many maps as the head predicts."""
    kind = KEYPOINT_CODECS.get(decoder['type']) if isinstance(decoder['type'], str) else decoder['type']
    return {'with_occlusion': multi_task, **decoder} if kind is OcclusionHeatmap else dict(decoder)


def _two_convolutions(channels: int, hidden: int, joints: int, norm_cfg: Mapping[str, Any] | None) -> nn.Sequential:
    """Two 1x1 convolutions, from C to hidden to K channels."""
    return nn.Sequential(
        nn.Conv2d(channels, hidden, 1, bias=norm_cfg is None),
        build_norm(norm_cfg, hidden),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, joints, 1),
    )
