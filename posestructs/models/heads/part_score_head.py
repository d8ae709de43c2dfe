"""Head of structured feature learning: scores of parts and types, and of the background, at every cell.

Chu et al., CVPR 2016: z_k = [A'_k, B'_k] * w_pred^k, a 1x1 convolution over the part's own features, and a softmax over
all parts, their mixture types and the background. A flow in one line: features (N, V*C', h, w) -> logits
(N, V*T + 1, h, w) -> masked softmax loss, or log softmax -> the codec -> K joints.

Shapes: N images, K joints, V parts, T types, C' channels of a part, h x w cells. Channels are part-major, type inner,
background last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.models.heads.base_head import BaseHead
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.utils.typing import OptSampleList, Predictions
from torch import Tensor, nn

from posestructs.codecs.part_decoding import flip_average, split_parts
from posestructs.codecs.part_score_map import PartScoreMap
from posestructs.models.heads.joint_accuracy import joint_accuracy
from posestructs.structures import KinematicTree, build_tree

BACKGROUND = ('branch', 'plain')


@MODELS.register_module()
class PartScoreHead(BaseHead):
    """Per-part scores and a background score.

    Args:
        in_channels (int): Channels of the part features, V*C': ``out_channels`` of :class:`TreeMessagePassing`.
        tree (optional): See :func:`posestructs.structures.build_tree`. By default the decoder's.
        num_types (int, optional): T. By default the decoder's, or 1.
        background (str): 'branch', as in the release: a 1x1 convolution of its own, ReLU and channel dropout before the
            background's 1x1 convolution; or 'plain': that one alone. Defaults to 'branch'.
        shared_channels (int, optional): Channels of the feature that all parts share (the release's fc6), which the
            background then looks at; the neck has to pass it on (``keep_input=True``). By default the background looks
            at the features of all parts.
        background_channels (int): Width of the branch. Defaults to 512.
        dropout (float): Probability that the branch drops a channel. Defaults to 0.5.
        loss (dict): Defaults to ``dict(type='MaskedSoftmaxLoss')``.
        decoder (dict, optional): A :class:`PartScoreMap`; needed to predict.
        init_cfg (dict, optional): By default Gaussian 0.1, and 0.01 for the first layer of the branch, as the release.

    Raises:
        TypeError: ``decoder`` is no PartScoreMap.
        ValueError: A value is not allowed, or counts of parts, types and channels disagree.
    """

    def __init__(
        self,
        in_channels: int,
        tree: KinematicTree | Mapping[str, Any] | None = None,
        num_types: int | None = None,
        background: str = 'branch',
        shared_channels: int | None = None,
        background_channels: int = 512,
        dropout: float = 0.5,
        loss: Mapping[str, Any] | None = None,
        decoder: Mapping[str, Any] | None = None,
        init_cfg: Mapping[str, Any] | Sequence | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.decoder = None if decoder is None else KEYPOINT_CODECS.build(decoder)
        self.tree, self.num_types = _agree(self.decoder, tree, num_types)
        self.in_channels = _part_channels(in_channels, self.tree)
        self.shared_channels = _width('shared_channels', shared_channels, optional=True)
        self.loss_module = MODELS.build(dict(type='MaskedSoftmaxLoss') if loss is None else loss)
        self.register_buffer('joint_parts', torch.tensor(self.tree.joint_parts), persistent=False)
        num_parts = self.tree.num_parts
        # z_k = [A'_k, B'_k] * w_pred^k
        self.prediction = nn.Conv2d(in_channels, num_parts * self.num_types, 1, groups=num_parts)
        self.background = background
        self._build_background(
            shared_channels or in_channels, _width('background_channels', background_channels), dropout
        )
        if init_cfg is None:
            self.init_cfg = self.default_init_cfg

    def _build_background(self, in_channels: int, channels: int, dropout: float) -> None:
        if self.background not in BACKGROUND:
            raise ValueError(f'PartScoreHead.background={self.background!r}, allowed: {BACKGROUND}')
        if self.background == 'branch':
            self.background_features = nn.Conv2d(in_channels, channels, 1)
            self.background_dropout = nn.Dropout2d(dropout)
            in_channels = channels
        self.background_logit = nn.Conv2d(in_channels, 1, 1)

    @property
    def default_init_cfg(self) -> dict:
        """Initial values of the release."""
        cfg = dict(type='Normal', layer='Conv2d', std=0.1, bias=0)
        if self.background == 'branch':
            cfg['override'] = dict(type='Normal', name='background_features', std=0.01)
        return cfg

    @property
    def test_cfg(self) -> dict:
        """What the pose estimator sets from its own."""
        return self._test_cfg

    @test_cfg.setter
    def test_cfg(self, value: Mapping[str, Any]) -> None:
        if value.get('flip_test') and value.get('shift_heatmap'):
            raise ValueError(
                'test_cfg.shift_heatmap=True, allowed with PartScoreHead: False. A cell covers whole pixels here, so '
                'that maps of a flipped image need no shift'
            )
        self._test_cfg = value

    # -- scores ----------------------------------------------------------------------------------------------------

    def forward(self, feats: Tensor | Sequence[Tensor]) -> Tensor:
        """Logits of parts x types and background.

        Args:
            feats (Sequence[Tensor]): (N, V*C', h, w) features of the parts; further, with ``shared_channels``, the
                (N, shared_channels, h, w) feature that they share. Or the first alone.

        Returns:
            Tensor: (N, V*T + 1, h, w).

        Raises:
            ValueError: The channels are not those that the head was built for.
        """
        feats = (feats,) if isinstance(feats, Tensor) else feats
        parts, shared = self._inputs(feats)
        if self.background == 'branch':
            shared = self.background_dropout(self.background_features(shared).relu())
        return torch.cat((self.prediction(parts), self.background_logit(shared)), dim=1)

    def _inputs(self, feats: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        parts = feats[0]
        if parts.shape[1] != self.in_channels:
            raise ValueError(self._mismatch(f'the neck gives {parts.shape[1]} channels of parts'))
        if self.shared_channels is None:
            return parts, parts
        if len(feats) < 2:
            raise ValueError(
                f'PartScoreHead.shared_channels={self.shared_channels} needs a second feature from the neck '
                '(TreeMessagePassing.keep_input=True), which gives one'
            )
        if feats[1].shape[1] != self.shared_channels:
            raise ValueError(self._mismatch(f'the neck gives a shared feature of {feats[1].shape[1]} channels'))
        return parts, feats[1]

    def _mismatch(self, found: str) -> str:
        num_parts = self.tree.num_parts
        return (
            f'{found}; PartScoreHead has in_channels={self.in_channels} ({num_parts} parts of its tree x '
            f'{self.in_channels // num_parts}), shared_channels={self.shared_channels}'
            + ('' if self.decoder is None else f', and its decoder {self.decoder.tree.num_parts} parts')
        )

    def log_probabilities(self, feats: Sequence[Tensor]) -> Tensor:
        """Log softmax over channels, in float32 at least.

        Args:
            feats (Sequence[Tensor]): As of :meth:`forward`.

        Returns:
            Tensor: (N, V*T + 1, h, w).
        """
        logits = self.forward(feats)
        return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(dim=1)

    def joint_maps(self, log_probs: Tensor) -> Tensor:
        """Maps of the joints alone, in the order of the data set.

        Args:
            log_probs (Tensor): (N, V*T + 1, h, w).

        Returns:
            Tensor: (N, K, h, w) log probability of each joint, summed over types.
        """
        # index_select with a buffer: a list of indices would be copied to the device each time
        return split_parts(log_probs, self.tree.num_parts).index_select(1, self.joint_parts).logsumexp(dim=2)

    def part_scores(self, log_probs: Tensor) -> Tensor:
        """Probabilities of all parts, virtual ones included, and of the background.

        Args:
            log_probs (Tensor): (N, V*T + 1, h, w).

        Returns:
            Tensor: (N, V + 1, h, w), which add up to 1 in each cell.
        """
        parts = split_parts(log_probs, self.tree.num_parts).logsumexp(dim=2)
        return torch.cat((parts, log_probs[:, -1:]), dim=1).exp()

    # -- training --------------------------------------------------------------------------------------------------

    def loss(
        self, feats: Sequence[Tensor], batch_data_samples: OptSampleList, train_cfg: Mapping[str, Any] | None = None
    ) -> dict[str, Tensor]:
        """Masked softmax loss, and how many joints are found; nothing is read back from the device.

        Args:
            feats (Sequence[Tensor]): As of :meth:`forward`.
            batch_data_samples (list[PoseDataSample]): N samples with the targets of :class:`PartScoreMap`.
            train_cfg (dict, optional): ``compute_acc`` False leaves the accuracy out.

        Returns:
            dict[str, Tensor]: ``loss_parts``; ``acc_pose``, the share of joints on the map whose best cell is within
            0.05 of the map's size, mean over the joints.
        """
        logits = self.forward(feats)
        labels = [sample.gt_instance_labels for sample in batch_data_samples]
        fields = [sample.gt_fields for sample in batch_data_samples]
        cells, types, shares, numbers = (
            torch.cat([x[key] for x in labels]) for key in PartScoreMap.label_mapping_table
        )
        rates, weights = (torch.cat([getattr(x, key) for x in fields]) for key in PartScoreMap.field_mapping_table)
        # lengths, not values: nothing is read back from a GPU
        targets, own = (cells.shape[1], numbers.shape[1]), (self.tree.num_parts, self.num_types)
        if targets != own:
            raise ValueError(
                f'the targets have {targets[0]} parts of {targets[1]} types, PartScoreHead {own[0]} of {own[1]}: the '
                'codec of GenerateTarget and the decoder of the head must have the same tree and types (deformation)'
            )
        losses = dict(loss_parts=self.loss_module(logits, cells, types, shares, rates, weights))
        if (train_cfg or {}).get('compute_acc', True):
            maps = self.joint_maps(logits.detach().log_softmax(dim=1))
            cells, shares = (x.index_select(1, self.joint_parts) for x in (cells, shares))
            losses['acc_pose'] = joint_accuracy(maps, cells, shares > 0)
        return losses

    # -- prediction ------------------------------------------------------------------------------------------------

    def predict(
        self, feats: Sequence, batch_data_samples: OptSampleList, test_cfg: Mapping[str, Any] | None = None
    ) -> Predictions:
        """Joints of each image.

        Args:
            feats (Sequence): As of :meth:`forward`; with ``flip_test`` those of the images and those of the flipped
                images.
            batch_data_samples (list[PoseDataSample]): Not looked at.
            test_cfg (dict, optional): ``flip_test``: average the probabilities of both (types of a part are those of
                its mirror image). ``output_heatmaps``: give the maps too.

        Returns:
            Predictions: N InstanceData with ``keypoints`` (1, K, 2) in pixels of the input, ``keypoint_scores`` (1, K)
            and ``pose_scores`` (1,), see :class:`.part_decoding.Poses`. With ``output_heatmaps`` further N PixelData
            with ``heatmaps`` (K, h, w), the probability of each joint, and ``part_scores`` (V + 1, h, w), that of each
            part, virtual ones included, and of the background.
        """
        test_cfg = test_cfg or {}
        log_probs = self.flip_averaged(feats) if test_cfg.get('flip_test', False) else self.log_probabilities(feats)
        preds = self.decode(log_probs)
        if not test_cfg.get('output_heatmaps', False):
            return preds
        log_probs = log_probs.detach()
        pairs = zip(self.joint_maps(log_probs).exp(), self.part_scores(log_probs), strict=True)
        return preds, [PixelData(heatmaps=joints, part_scores=parts) for joints, parts in pairs]

    def flip_averaged(self, feats: Sequence[Sequence[Tensor]]) -> Tensor:
        """Log of the mean probabilities of images and flipped images.

        Args:
            feats (Sequence): Features of the images, and of the flipped images.

        Returns:
            Tensor: (N, V*T + 1, h, w).
        """
        if not isinstance(feats, (list, tuple)) or len(feats) != 2:
            raise ValueError('PartScoreHead with test_cfg.flip_test needs [features, features of the flipped images]')
        log_probs, flipped = (self.log_probabilities(x) for x in feats)
        return flip_average(log_probs, flipped, self._codec().flip_channels)

    def decode(self, batch_outputs: Tensor) -> list[InstanceData]:
        """Joints from log probabilities.

        Args:
            batch_outputs (Tensor): (N, V*T + 1, h, w) of :meth:`log_probabilities`.

        Returns:
            list[InstanceData]: As :meth:`predict` gives them.

        Raises:
            RuntimeError: The head was built without a decoder.
            ValueError: The log probabilities contain NaN.
        """
        arrays = self._codec().decode_poses(batch_outputs).numpy()
        return [
            InstanceData(keypoints=points[None], keypoint_scores=scores[None], pose_scores=pose_score[None])
            for points, scores, pose_score in zip(*arrays, strict=True)
        ]

    def _codec(self) -> PartScoreMap:
        if self.decoder is None:
            raise RuntimeError('PartScoreHead needs a decoder to predict: decoder=dict(type="PartScoreMap", ...)')
        return self.decoder


def _agree(decoder: Any, tree: Any, num_types: int | None) -> tuple[KinematicTree, int]:
    """Tree and number of types, the same in the head and its decoder."""
    if decoder is not None and not isinstance(decoder, PartScoreMap):
        raise TypeError(f'PartScoreHead.decoder must be a PartScoreMap, got {type(decoder).__name__}')
    if decoder is None and tree is None:
        raise ValueError('PartScoreHead needs a tree, or a decoder that has one')
    own = decoder.tree if tree is None else build_tree(tree)
    if decoder is not None and own != decoder.tree:
        raise ValueError(
            f'PartScoreHead.tree ({own.num_parts} parts, {own.num_joints} joints) is not that of PartScoreHead.decoder '
            f'({decoder.tree.num_parts} parts, {decoder.tree.num_joints} joints)'
        )
    default = 1 if decoder is None else decoder.num_types
    num_types = default if num_types is None else num_types
    if not isinstance(num_types, int) or num_types < 1 or (decoder is not None and num_types != default):
        of_decoder = '' if decoder is None else f': the deformation of PartScoreHead.decoder has {default}'
        raise ValueError(f'PartScoreHead.num_types={num_types!r}, allowed: a whole number from 1{of_decoder}')
    return own, num_types


def _part_channels(in_channels: int, tree: KinematicTree) -> int:
    if not isinstance(in_channels, int) or in_channels < 1 or in_channels % tree.num_parts:
        raise ValueError(
            f'PartScoreHead.in_channels={in_channels!r}, allowed: a multiple of the {tree.num_parts} parts of its '
            "tree; TreeMessagePassing gives parts x 2 x part_channels (of the head's tree, and with out_joints=False)"
        )
    return in_channels


def _width(key: str, value: Any, optional: bool = False) -> int | None:
    if optional and value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f'PartScoreHead.{key}={value!r}, allowed: a whole number from 1{" or None" * optional}')
    return value
