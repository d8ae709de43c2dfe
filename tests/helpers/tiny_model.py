"""The smallest top-down model of mmpose and its crops, for real runs of a runner."""

from __future__ import annotations

from typing import Any

SIZE = (32, 32)
CODEC = dict(type='MSRAHeatmap', input_size=SIZE, heatmap_size=(8, 8), sigma=1)
CROP = [dict(type='GetBBoxCenterScale'), dict(type='TopdownAffine', input_size=SIZE)]
TARGETS = dict(type='GenerateTarget', encoder=CODEC)
PACK = dict(type='PackPoseInputs')


def tiny_model() -> dict[str, Any]:
    """Config of an untrained model of 14 joints for crops of ``SIZE``."""
    return dict(
        type='TopdownPoseEstimator',
        data_preprocessor=dict(type='PoseDataPreprocessor', mean=[0] * 3, std=[255] * 3),
        backbone=dict(type='ResNet', depth=18, base_channels=8),
        head=dict(
            type='HeatmapHead', in_channels=64, out_channels=14, decoder=CODEC, loss=dict(type='KeypointMSELoss')
        ),
    )
