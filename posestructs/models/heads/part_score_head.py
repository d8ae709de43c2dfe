"""Head of Structured Feature Learning: scores of parts and their types, and of the background, at every cell.

Chu et al., CVPR 2016: z_k = [A'_k, B'_k] * w_pred^k, a 1x1 convolution of the features of part k, and a softmax over
all parts, their mixture types and the background. The flow: features (N, V*C', h, w) -> logits (N, V*T + 1, h, w) ->
masked softmax loss, or log softmax -> codec -> K joints.

Shapes: N batch, K joints, V parts, T types, C' channels of a part, h x w cells. Channels are part-major, type inner,
background last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.models.heads.base_head import BaseHead
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.utils.typing import OptSampleList, Predictions
from torch import Tensor, nn

from posestructs.codecs.part_score_map import PartScoreMap, check_not_nan
from posestructs.layers.heatmaps import unravel
from posestructs.layers.part_maps import flip_average, split_parts
from posestructs.models.heads.joint_accuracy import joint_accuracy
from posestructs.structures import KinematicTree, build_tree
from posestructs.utils.checks import check_choice, check_integer

BACKGROUND = ('branch', 'plain')


@MODELS.register_module()
class PartScoreHead(BaseHead):
    """Scores of the parts and of the background.

    Args:
        in_channels: Channels of the part features, V*C': ``out_channels`` of :class:`TreeMessagePassing`.
        tree: A tree or its config, see :func:`posestructs.structures.build_tree`; by default that of the decoder.
        num_types: T; by default that of the decoder, or 1.
        background: 'branch', as in the release: a separate 1x1 convolution, ReLU and channel dropout before the
            background's 1x1 convolution; 'plain': the latter only.
        shared_channels: Channels of the feature map that all parts share (the release's fc6), from which the background
            is then computed; the neck has to return it (``keep_input=True``). By default the background is computed
            from the features of all parts.
        background_channels: Width of the branch.
        dropout: Probability that the branch drops a channel.
        loss: Config of the loss; by default ``dict(type='MaskedSoftmaxLoss')``.
        decoder: Config of a :class:`PartScoreMap`; required for prediction.
        init_cfg: mmengine's ``init_cfg``; by default Gaussian 0.1, and 0.01 for the first layer of the branch, as in
            the release.

    Raises:
        TypeError: ``decoder`` is not a PartScoreMap.
        ValueError: A value is not allowed, or numbers of parts, types and channels disagree.
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
        self.shared_channels = check_integer('PartScoreHead.shared_channels', shared_channels, 1, optional=True)
        self.loss_module = MODELS.build(dict(type='MaskedSoftmaxLoss') if loss is None else loss)
        self.register_buffer('joint_parts', torch.tensor(self.tree.joint_parts), persistent=False)
        num_parts = self.tree.num_parts
        # z_k = [A'_k, B'_k] * w_pred^k
        self.prediction = nn.Conv2d(in_channels, num_parts * self.num_types, 1, groups=num_parts)
        self.background = background
        check_integer('PartScoreHead.background_channels', background_channels, 1)
        self._build_background(shared_channels or in_channels, background_channels, dropout)
        if init_cfg is None:
            self.init_cfg = self.default_init_cfg

    def _build_background(self, in_channels: int, channels: int, dropout: float) -> None:
        check_choice('PartScoreHead.background', self.background, BACKGROUND)
        if self.background == 'branch':
            self.background_features = nn.Conv2d(in_channels, channels, 1)
            self.background_dropout = nn.Dropout2d(dropout)
            in_channels = channels
        self.background_logit = nn.Conv2d(in_channels, 1, 1)

    @property
    def default_init_cfg(self) -> dict:
        """Initialisation of the release."""
        cfg = dict(type='Normal', layer='Conv2d', std=0.1, bias=0)
        if self.background == 'branch':
            cfg['override'] = dict(type='Normal', name='background_features', std=0.01)
        return cfg

    @property
    def test_cfg(self) -> dict:
        """Test options; the pose estimator sets them to its own."""
        return self._test_cfg

    @test_cfg.setter
    def test_cfg(self, value: Mapping[str, Any]) -> None:
        if value.get('flip_test') and value.get('shift_heatmap'):
            raise ValueError(
                'test_cfg.shift_heatmap=True, allowed with PartScoreHead: False. Its cells cover whole pixels, so that '
                'maps of a flipped image need no shift'
            )
        self._test_cfg = value

    # -- scores ----------------------------------------------------------------------------------------------------

    def forward(self, feats: Tensor | Sequence[Tensor]) -> Tensor:
        """Logits of parts x types and of the background.

        Args:
            feats: (N, V*C', h, w) features of the parts and, with ``shared_channels``, (N, shared_channels, h, w)
                shared features; or only the former.

        Returns:
            Tensor: (N, V*T + 1, h, w).

        Raises:
            ValueError: The features have another number of channels.
        """
        feats = (feats,) if isinstance(feats, Tensor) else feats
        parts, shared = self._inputs(feats)
        if self.background == 'branch':
            shared = self.background_dropout(self.background_features(shared).relu())
        return torch.cat((self.prediction(parts), self.background_logit(shared)), dim=1)

    def _inputs(self, feats: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        parts = feats[0]
        if parts.shape[1] != self.in_channels:
            raise ValueError(self._mismatch(f'the neck returns {parts.shape[1]} channels of parts'))
        if self.shared_channels is None:
            return parts, parts
        if len(feats) < 2:
            raise ValueError(
                f'PartScoreHead.shared_channels={self.shared_channels} needs a second feature map from the neck '
                '(TreeMessagePassing.keep_input=True), which returns one'
            )
        if feats[1].shape[1] != self.shared_channels:
            raise ValueError(self._mismatch(f'the neck returns a shared feature map of {feats[1].shape[1]} channels'))
        return parts, feats[1]

    def _mismatch(self, found: str) -> str:
        num_parts = self.tree.num_parts
        return (
            f'{found}; PartScoreHead has in_channels={self.in_channels} ({num_parts} parts of its tree x '
            f'{self.in_channels // num_parts}), shared_channels={self.shared_channels}'
            + ('' if self.decoder is None else f', and its decoder {self.decoder.tree.num_parts} parts')
        )

    def log_probabilities(self, feats: Sequence[Tensor]) -> Tensor:
        """Log softmax over channels, at least in float32.

        Args:
            feats: Features, as for :meth:`forward`.

        Returns:
            Tensor: (N, V*T + 1, h, w).
        """
        logits = self.forward(feats)
        return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(dim=1)

    def joint_maps(self, log_probs: Tensor) -> Tensor:
        """Maps of the joints only, in the order of the data set.

        Args:
            log_probs: (N, V*T + 1, h, w).

        Returns:
            Tensor: (N, K, h, w) log probability of each joint, summed over types.
        """
        # index_select with a buffer, as a list of indices would be copied to the device in each call
        return split_parts(log_probs, self.tree.num_parts).index_select(1, self.joint_parts).logsumexp(dim=2)

    def part_scores(self, log_probs: Tensor) -> Tensor:
        """Probabilities of all parts, virtual ones included, and of the background.

        Args:
            log_probs: (N, V*T + 1, h, w).

        Returns:
            Tensor: (N, V + 1, h, w), with a sum of 1 in each cell.
        """
        parts = split_parts(log_probs, self.tree.num_parts).logsumexp(dim=2)
        return torch.cat((parts, log_probs[:, -1:]), dim=1).exp()

    # -- training --------------------------------------------------------------------------------------------------

    def loss(
        self, feats: Sequence[Tensor], batch_data_samples: OptSampleList, train_cfg: Mapping[str, Any] | None = None
    ) -> dict[str, Tensor]:
        """Masked softmax loss and accuracy; nothing is copied to the host.

        Args:
            feats: Features, as for :meth:`forward`.
            batch_data_samples: N samples with the targets of :class:`PartScoreMap`.
            train_cfg: Options; ``compute_acc=False`` leaves out the accuracy.

        Returns:
            dict[str, Tensor]: ``loss_parts``, and ``acc_pose``, the
            :func:`~posestructs.models.heads.joint_accuracy.joint_accuracy` of joints on the map.

        Raises:
            ValueError: Targets and head differ in parts or types.
        """
        logits = self.forward(feats)
        labels = [sample.gt_instance_labels for sample in batch_data_samples]
        fields = [sample.gt_fields for sample in batch_data_samples]
        cells, types, shares, numbers = (
            torch.cat([x[key] for x in labels]) for key in PartScoreMap.label_mapping_table
        )
        rates, weights = (torch.cat([getattr(x, key) for x in fields]) for key in PartScoreMap.field_mapping_table)
        # lengths, not values, so that nothing is copied from a GPU
        found, expected = (cells.shape[1], numbers.shape[1]), (self.tree.num_parts, self.num_types)
        if found != expected:
            raise ValueError(
                f'the targets have {found[0]} parts of {found[1]} types, PartScoreHead {expected[0]} of {expected[1]}: '
                'the codec of GenerateTarget and the decoder of the head need the same tree and types (deformation)'
            )
        losses = dict(loss_parts=self.loss_module(logits, cells, types, shares, rates, weights))
        if (train_cfg or {}).get('compute_acc', True):
            maps = self.joint_maps(logits.detach().log_softmax(dim=1))
            cells, shares = (x.index_select(1, self.joint_parts) for x in (cells, shares))
            losses['acc_pose'] = joint_accuracy(maps, unravel(cells, maps.shape[-1]), shares > 0)
        return losses

    # -- prediction ------------------------------------------------------------------------------------------------

    def predict(
        self, feats: Sequence, batch_data_samples: OptSampleList, test_cfg: Mapping[str, Any] | None = None
    ) -> Predictions:
        """Joints of each image.

        Args:
            feats: Features, as for :meth:`forward`; with ``flip_test`` a list of two, those of the images and of the
                flipped images.
            batch_data_samples: Not used.
            test_cfg: Options. ``flip_test``: average the probabilities of both (types of a part are those of its mirror
                part). ``output_heatmaps``: return the maps too.

        Returns:
            Predictions: N InstanceData with ``keypoints`` (1, K, 2) in input pixels, ``keypoint_scores`` (1, K) and
            ``pose_scores`` (1,), see :class:`.part_decoding.Poses`. With ``output_heatmaps`` also N PixelData with
            ``heatmaps`` (K, h, w), the probabilities of the joints, and ``part_scores`` (V + 1, h, w), those of all
            parts, virtual ones included, and of the background.

        Raises:
            ValueError: The maps contain NaN. On a level of a pyramid they may.
        """
        test_cfg = test_cfg or {}
        log_probs = self.flip_averaged(feats) if test_cfg.get('flip_test', False) else self.log_probabilities(feats)
        preds = self.decode(log_probs)
        if not test_cfg.get('pyramid_scales'):  # a level of a pyramid may hold NaN, which loses against the others
            check_not_nan(np.concatenate([pred.keypoint_scores for pred in preds]))
        if not test_cfg.get('output_heatmaps', False):
            return preds
        log_probs = log_probs.detach()
        pairs = zip(self.joint_maps(log_probs).exp(), self.part_scores(log_probs), strict=True)
        return preds, [PixelData(heatmaps=joints, part_scores=parts) for joints, parts in pairs]

    def flip_averaged(self, feats: Sequence[Sequence[Tensor]]) -> Tensor:
        """Log of the mean probabilities of images and flipped images.

        Args:
            feats: Features of the images, and of the flipped images.

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
            batch_outputs: (N, V*T + 1, h, w), from :meth:`log_probabilities`.

        Returns:
            list[InstanceData]: Joints, as from :meth:`predict`.

        Raises:
            RuntimeError: The head was built without a decoder.
        """
        poses = self._codec().decode_poses(batch_outputs)
        arrays = (x.detach().cpu().numpy() for x in (poses.keypoints, poses.keypoint_scores, poses.scores))
        return [
            InstanceData(keypoints=points[None], keypoint_scores=scores[None], pose_scores=pose_score[None])
            for points, scores, pose_score in zip(*arrays, strict=True)
        ]

    def _codec(self) -> PartScoreMap:
        if self.decoder is None:
            raise RuntimeError('PartScoreHead needs a decoder to predict: decoder=dict(type="PartScoreMap", ...)')
        return self.decoder


def _agree(decoder: Any, tree: Any, num_types: int | None) -> tuple[KinematicTree, int]:
    """Tree and number of types, which head and decoder must agree on."""
    if decoder is not None and not isinstance(decoder, PartScoreMap):
        raise TypeError(f'PartScoreHead.decoder={type(decoder).__name__}, allowed: a PartScoreMap')
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
        raise ValueError(f'PartScoreHead.num_types={num_types!r}, allowed: an integer of at least 1{of_decoder}')
    return own, num_types


def _part_channels(in_channels: int, tree: KinematicTree) -> int:
    if not isinstance(in_channels, int) or in_channels < 1 or in_channels % tree.num_parts:
        raise ValueError(
            f'PartScoreHead.in_channels={in_channels!r}, allowed: a multiple of the {tree.num_parts} parts of its '
            "tree; TreeMessagePassing returns parts x 2 x part_channels (of the head's tree, and with out_joints=False)"
        )
    return in_channels
