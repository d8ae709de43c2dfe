"""Ground truth for discriminators, from codecs of mmpose and of this project."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.structures import MultilevelPixelData

from posestructs.models.pose_estimators.discriminator_targets import read_targets
from tests.helpers.msra_samples import sample_of


def test_targets_of_a_codec_of_mmpose():
    samples = [sample_of(seed) for seed in range(3)]
    targets = read_targets([sample for sample, _ in samples], torch.zeros(3, 5, 6, 8))
    assert targets.labelled.tolist() == [[float(k != seed) for k in range(5)] for seed in range(3)]
    assert torch.equal(targets.known[:, :, 0, 0], targets.labelled)
    for n, (_, cells) in enumerate(samples):
        for k in range(5):
            if k != n:
                assert targets.cells[n, k].tolist() == cells[0, k].tolist()
    # a box of 40 pixels in a crop of 64 pixels that is 8 cells wide
    assert targets.sizes.tolist() == [5.0] * 3
    del samples[0][0].gt_instances
    samples[0][0].gt_instances = InstanceData(keypoints=np.zeros((1, 5, 2)))
    assert read_targets([samples[0][0]], torch.zeros(1, 5, 6, 8)).sizes.tolist() == [8.0]


def test_targets_of_our_codec(toy):
    data = toy.batch()
    targets = read_targets(data['data_samples'], torch.zeros(6, 8, 8, 8, dtype=torch.float64))
    assert targets.maps.dtype == targets.sizes.dtype == torch.float64
    for n, sample in enumerate(data['data_samples']):
        labels = sample.gt_instance_labels
        assert targets.cells[n].tolist() == labels.keypoint_cells[0].tolist()
        assert targets.sizes[n].item() == labels.normaliser.item()
        assert targets.known[n, :, 0, 0].tolist() == [*labels.keypoint_weights[0], *labels.occlusion_weights[0]]
    single = read_targets(data['data_samples'], torch.zeros(6, 4, 8, 8))
    assert torch.equal(single.maps, targets.maps[:, :4].float()) and torch.equal(
        single.known[:, :, 0, 0], single.labelled
    )


def test_targets_of_several_resolutions_are_the_last():
    samples = [sample_of(seed)[0] for seed in range(2)]
    last = [sample.gt_fields.heatmaps for sample in samples]
    for sample, maps in zip(samples, last, strict=True):
        weights = sample.gt_instance_labels.keypoint_weights
        del sample.gt_fields, sample.gt_instance_labels
        sample.gt_fields = MultilevelPixelData(heatmaps=[torch.rand(5, 3, 4), maps])
        # (levels, 1, K), as mmpose packs them
        sample.gt_instance_labels = InstanceData(keypoint_weights=torch.stack([1 - weights, weights]))
    targets = read_targets(samples, torch.zeros(2, 5, 6, 8))
    assert torch.equal(targets.maps, torch.stack(last))
    assert targets.labelled.tolist() == [[0, 1, 1, 1, 1], [1, 0, 1, 1, 1]]


@pytest.mark.parametrize(
    'shape, message',
    [
        ((1, 4, 6, 8), r'model.head predicts maps \(4, 6, 8\) .* codec of the training pipeline encodes \(5, 6, 8\)'),
        ((1, 5, 8, 6), r'model.head predicts maps \(5, 8, 6\)'),
    ],
)
def test_head_and_codec_differ(shape, message):
    with pytest.raises(ValueError, match=message):
        read_targets([sample_of(0)[0]], torch.zeros(shape))


def test_three_maps_per_joint():
    codec = dict(type='UDPHeatmap', heatmap_type='combined', input_size=(32, 24), heatmap_size=(8, 6))
    with pytest.raises(ValueError, match='15 maps for 5 joints; discriminators need one map per joint, or two'):
        read_targets([sample_of(0, codec)[0]], torch.zeros(1, 15, 6, 8))
