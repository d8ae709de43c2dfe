"""The smallest adversarial model and batch, in float64, for tests that step it.

32 x 32 images, 8 x 8 maps, 4 joints, some of which have no label or no known occlusion.
"""

from __future__ import annotations

import copy
import logging

import numpy as np
import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from mmengine.optim import OptimWrapper
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from torch import nn

import posestructs  # noqa: F401
from posestructs.engine import NetworkOptimWrapperDict

JOINTS = 4
GROUPS = dict(type='GN', num_groups=2)
CODEC = dict(type='OcclusionHeatmap', input_size=(32, 32), heatmap_size=(8, 8), sigma=1, normalize='torso', pair=(0, 3))
MODEL = dict(
    type='AdversarialPoseEstimator',
    data_preprocessor=dict(type='BaseDataPreprocessor'),  # mmpose's casts images to float32
    backbone=dict(
        type='StackedPoseGenerator', num_stacks=2, channels=8, depth=1, norm_cfg=GROUPS, stem_channels=(4, 4, 4)
    ),
    head=dict(type='AdversarialHead', in_channels=8, out_channels=JOINTS, num_stacks=2, norm_cfg=GROUPS, decoder=CODEC),
    discriminators=dict(
        pose=dict(channels=8, depth=1, norm_cfg=GROUPS), confidence=dict(channels=8, depth=1, norm_cfg=GROUPS)
    ),
    # weights that are large compared with L_G, and thresholds that give labels of both kinds
    adversarial=dict(alpha=0.5, beta=0.7, delta=0.5, epsilon=4.0),
)


class CoordinateDiscriminator(BaseModule):
    """A third discriminator: scores joints by their coordinates, the expectation over each pose map."""

    label_rule = 'p_fake'
    input_maps = 'pose'

    def __init__(self, num_joints, init_cfg=None):
        super().__init__(init_cfg)
        self.layers = nn.Sequential(nn.Linear(2 * num_joints, 8), nn.Tanh(), nn.Linear(8, num_joints))

    def forward(self, maps, images):
        weights = (4 * maps).flatten(2).softmax(2).unflatten(2, maps.shape[2:])
        x, y = (weights * torch.arange(8)).sum((2, 3)), (weights * torch.arange(8)[:, None]).sum((2, 3))
        return self.layers(torch.cat([x, y], dim=1) / 8)


# P, C and a third discriminator
THREE = dict(
    discriminators=MODEL['discriminators'] | dict(limbs=dict(type=CoordinateDiscriminator, num_joints=JOINTS)),
    adversarial=dict(weights=dict(limbs=0.6)),
)
LABELLED = np.array([[1, 1, 0, 1], [1, 1, 1, 1], [1, 0, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]])


def config(**changes) -> dict:
    """The config of the model with some parts changed."""
    config = copy.deepcopy(MODEL)
    for key, value in changes.items():
        merged = key in ('backbone', 'head', 'adversarial')
        config[key] = {**config[key], **value} if merged else value
    return config


def build(seed: int = 0, train: bool = True, **changes):
    """A model in float64, with maps that are not all near 0."""
    MMLogger.get_current_instance().setLevel(logging.WARNING)  # init_weights logs each parameter
    torch.manual_seed(seed)
    model = MODELS.build(config(**changes)).double()
    model.init_weights()
    for name, parameter in model.head.named_parameters():
        if name.endswith('3.weight'):  # the last convolutions, which mmpose initialises near 0
            torch.nn.init.normal_(parameter, std=0.4)
    if hasattr(model, 'attach_discriminators'):
        model.attach_discriminators()
    return model.train(train)


def batch(first: int = 0, count: int = 6) -> dict:
    """Samples ``first`` to ``first + count`` of an infinite sequence; every sixth has no labels."""
    codec = KEYPOINT_CODECS.build(CODEC)
    inputs, samples = [], []
    for number in range(first, first + count):
        rng = np.random.default_rng(number)
        inputs.append(torch.from_numpy(rng.normal(size=(3, 32, 32))))
        labelled = LABELLED[None, number % 6]
        occluded = rng.choice([0, 1, -1], (1, JOINTS))
        positions = rng.uniform(4, 28, (1, JOINTS, 2))
        targets = codec.encode(positions, labelled, occluded)
        sample = PoseDataSample()
        sample.gt_fields = PixelData(heatmaps=torch.from_numpy(targets.pop('heatmaps')))
        sample.gt_instance_labels = InstanceData(**{k: torch.from_numpy(v) for k, v in targets.items()})
        samples.append(sample)
    return dict(inputs=torch.stack(inputs), data_samples=samples)


def optimizers(
    model, kind=torch.optim.SGD, counts: int = 1, iterations: int = 100, **options
) -> NetworkOptimWrapperDict:
    """One optimizer per network."""
    options = {'lr': 0.05, **options}
    members = {n: OptimWrapper(kind(m.parameters(), **options), counts) for n, m in model.networks().items()}
    wrappers = NetworkOptimWrapperDict(**members)
    wrappers.initialize_count_status(model, 0, iterations)
    return wrappers


def weights(model) -> dict[str, torch.Tensor]:
    """A copy of all weights and buffers."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def largest_difference(one: dict, other: dict) -> float:
    """Largest difference of two dicts of weights with equal names."""
    if one.keys() != other.keys():
        raise KeyError(sorted(one.keys() ^ other.keys()))
    return max((one[name].double() - other[name].double()).abs().max().item() for name in one)
