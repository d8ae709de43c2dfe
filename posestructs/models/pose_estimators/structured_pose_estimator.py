"""Top-down pose estimator with an image pyramid, for :class:`PartScoreHead`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData, PixelData
from mmpose.models.pose_estimators.topdown import TopdownPoseEstimator
from mmpose.registry import MODELS
from mmpose.utils.typing import SampleList
from torch import Tensor

from posestructs.codecs.part_score_map import check_not_nan
from posestructs.layers.pose_pyramid import best_of_pyramid
from posestructs.models.heads.part_score_head import PartScoreHead
from posestructs.models.pose_estimators.calibrated_pose_estimator import CalibrationMixin
from posestructs.utils.checks import check_number, check_sequence


@MODELS.register_module()
class StructuredPoseEstimator(CalibrationMixin, TopdownPoseEstimator):
    """``TopdownPoseEstimator`` for :class:`PartScoreHead`, with an optional image pyramid.

    ``test_cfg=dict(pyramid_scales=[2 ** (-i / 10) for i in range(6)])``, with the scale step of the paper, resizes the
    input by each factor and keeps, for each image, the pose with the highest score. Offsets between parts are the same
    number of cells on every level, so that the best level is the one on which the person has the size that the model
    was trained for. Each level costs a forward pass (two with ``flip_test``). Sides are rounded to whole cells. Of
    equal scores the first one is kept; NaN is never kept if there is another score.

    Without a pyramid it is a ``TopdownPoseEstimator`` that checks at build time whether neck, head and codec agree.

    Args:
        backbone: Config of the backbone.
        neck: Config of the neck, usually :class:`TreeMessagePassing`.
        head: Config of a :class:`PartScoreHead`.
        **kwargs: Other arguments of ``TopdownPoseEstimator``.

    Raises:
        TypeError: The head is not a PartScoreHead.
        ValueError: ``pyramid_scales`` is not allowed, or neck and head do not agree.
    """

    def __init__(
        self,
        backbone: Mapping[str, Any],
        neck: Mapping[str, Any] | None = None,
        head: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone, neck, head, **kwargs)
        if not self.with_head or not isinstance(self.head, PartScoreHead):
            raise TypeError(
                f'StructuredPoseEstimator.head={type(getattr(self, "head", None)).__name__}, allowed: a PartScoreHead'
            )
        if self.with_neck:
            _check_neck(self.neck, self.head)
        self.pyramid_scales = _scales(self.test_cfg.get('pyramid_scales'))
        if self.pyramid_scales and self.head.decoder is None:
            raise ValueError('head.decoder=None, allowed with test_cfg.pyramid_scales: a decoder')

    def predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        """Joints of each image; see ``TopdownPoseEstimator.predict``.

        Args:
            inputs: (N, 3, h, w) images.
            data_samples: N samples.

        Returns:
            list[PoseDataSample]: The samples, with ``pred_instances``.
        """
        if not self.pyramid_scales:
            return super().predict(inputs, data_samples)
        levels = [self._predict_level(self._resize(inputs, scale), data_samples) for scale in self.pyramid_scales]
        scores = [np.concatenate([pred.pose_scores for pred, _ in level]) for level in levels]
        winners, best = best_of_pyramid(list(map(torch.from_numpy, scores)))
        check_not_nan(best.numpy())
        instances, fields = zip(*(levels[level][n] for n, level in enumerate(winners.tolist())), strict=True)
        return self.add_pred_to_datasample(instances, None if fields[0] is None else fields, data_samples)

    def _resize(self, inputs: Tensor, scale: float) -> Tensor:
        """Resize (N, 3, h, w) images to a whole number of cells."""
        sides = zip(self.head.decoder.heatmap_size[::-1], self.head.decoder.cell_size[::-1], strict=True)
        size = tuple(round(max(1, round(cells * scale)) * pixels) for cells, pixels in sides)
        if size == tuple(inputs.shape[-2:]):
            return inputs
        return F.interpolate(inputs, size=size, mode='bilinear', align_corners=False, antialias=True)

    def _predict_level(self, inputs: Tensor, data_samples: SampleList) -> list[tuple[InstanceData, PixelData | None]]:
        """Pose and maps of each image on one level."""
        feats = self.extract_feat(inputs)
        if self.test_cfg.get('flip_test', False):
            feats = [feats, self.extract_feat(inputs.flip(-1))]
        preds = self.head.predict(feats, data_samples, test_cfg=self.test_cfg)
        preds, fields = preds if isinstance(preds, tuple) else (preds, [None] * len(preds))
        return list(zip(preds, fields, strict=True))


def _scales(value: Any) -> tuple[float, ...]:
    if value is None:
        return ()
    return check_sequence('test_cfg.pyramid_scales', value, partial(check_number, low=0.01, high=100))


def _check_neck(neck: Any, head: PartScoreHead) -> None:
    tree, channels = getattr(neck, 'tree', None), getattr(neck, 'out_channels', None)
    counts = (
        f'neck: {"?" if tree is None else tree.num_parts} parts, out_channels={channels}; head: '
        f'{head.tree.num_parts} parts, in_channels={head.in_channels}'
        + ('' if head.decoder is None else f'; its decoder: {head.decoder.tree.num_parts} parts')
    )
    if tree is not None and tree != head.tree:
        raise ValueError(f'neck and head have different trees. {counts}')
    if isinstance(channels, int) and channels != head.in_channels:
        raise ValueError(f'neck and head have different numbers of channels. {counts}')
    shared, given = head.shared_channels, getattr(neck, 'in_channels', None)
    if shared is None or tree is None:
        return
    if not getattr(neck, 'keep_input', True):
        raise ValueError(f'neck.keep_input=False, allowed with head.shared_channels={shared}: True')
    if isinstance(given, int) and given != shared:
        raise ValueError(
            f'head.shared_channels={shared}, allowed: neck.in_channels={given}, as the head reads the input of the neck'
        )
