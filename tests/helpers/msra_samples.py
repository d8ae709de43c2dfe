"""Samples of mmpose's MSRA heatmaps, and configs of mmpose's heads that predict them."""

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import KEYPOINT_CODECS
from mmpose.structures import PoseDataSample

MSRA = dict(type='MSRAHeatmap', input_size=(32, 24), heatmap_size=(8, 6), sigma=1)


def sample_of(seed, codec=MSRA, joints=5):
    """A sample as from GenerateTarget and PackPoseInputs, for a box of 40 x 30 pixels in a crop of 64 x 48."""
    rng = np.random.default_rng(seed)
    positions = rng.integers(1, 5, (1, joints, 2)) * 4.0
    labelled = np.ones((1, joints))
    labelled[0, seed % joints] = 0
    targets = KEYPOINT_CODECS.build(codec).encode(positions, labelled)
    sample = PoseDataSample(metainfo=dict(input_scale=np.array([64.0, 48.0]), flip_indices=list(range(joints))))
    sample.gt_fields = PixelData(heatmaps=torch.from_numpy(targets['heatmaps']))
    sample.gt_instance_labels = InstanceData(keypoint_weights=torch.from_numpy(targets['keypoint_weights']))
    sample.gt_instances = InstanceData(bboxes=np.array([[10.0, 5.0, 50.0, 35.0]]))
    return sample, positions / 4


HEATMAP = dict(
    backbone=dict(type='ResNet', depth=18, stem_channels=8, base_channels=8, strides=(1, 1, 1, 1), norm_eval=True),
    head=dict(
        type='HeatmapHead',
        in_channels=64,
        out_channels=5,
        deconv_out_channels=None,
        loss=dict(type='KeypointMSELoss', use_target_weight=True, loss_weight=120.0),
        decoder=MSRA,
    ),
)
