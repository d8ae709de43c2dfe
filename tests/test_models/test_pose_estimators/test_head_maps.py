"""Maps of mmpose's heads, their targets, and discriminators around these heads."""

import logging

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.models.losses import KeypointMSELoss
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import MultilevelPixelData, PoseDataSample

from posestructs.models.pose_estimators import head_maps

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


def test_targets_of_a_codec_of_mmpose():
    samples = [sample_of(seed) for seed in range(3)]
    targets = head_maps.read_targets([sample for sample, _ in samples], torch.zeros(3, 5, 6, 8))
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
    assert head_maps.read_targets([samples[0][0]], torch.zeros(1, 5, 6, 8)).sizes.tolist() == [8.0]


def test_targets_of_our_codec(toy):
    data = toy.batch()
    targets = head_maps.read_targets(data['data_samples'], torch.zeros(6, 8, 8, 8, dtype=torch.float64))
    assert targets.maps.dtype == targets.sizes.dtype == torch.float64
    for n, sample in enumerate(data['data_samples']):
        labels = sample.gt_instance_labels
        assert targets.cells[n].tolist() == labels.keypoint_cells[0].tolist()
        assert targets.sizes[n].item() == labels.normaliser.item()
        assert targets.known[n, :, 0, 0].tolist() == [*labels.keypoint_weights[0], *labels.occlusion_weights[0]]
    single = head_maps.read_targets(data['data_samples'], torch.zeros(6, 4, 8, 8))
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
    targets = head_maps.read_targets(samples, torch.zeros(2, 5, 6, 8))
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
        head_maps.read_targets([sample_of(0)[0]], torch.zeros(shape))


def test_three_maps_per_joint():
    codec = dict(type='UDPHeatmap', heatmap_type='combined', input_size=(32, 24), heatmap_size=(8, 6))
    with pytest.raises(ValueError, match='15 maps for 5 joints; discriminators need one map per joint, or two'):
        head_maps.read_targets([sample_of(0, codec)[0]], torch.zeros(1, 15, 6, 8))


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
STAGES = dict(
    backbone=dict(type='StackedPoseGenerator', num_stacks=2, channels=8, depth=1, num_branches=1),
    head=dict(
        type='CPMHead',
        in_channels=8,
        out_channels=5,
        num_stages=2,
        deconv_out_channels=None,
        final_layer=dict(kernel_size=1),
        loss=dict(type='KeypointMSELoss', use_target_weight=True, loss_weight=60.0),
        decoder=MSRA,
    ),
)


@pytest.mark.parametrize('parts', [HEATMAP, STAGES], ids=['HeatmapHead', 'CPMHead'])
def test_heads_of_mmpose(parts, toy):
    torch.manual_seed(0)
    small = dict(channels=8, depth=1, norm_cfg=toy.GROUPS)
    config = dict(type='AdversarialPoseEstimator', data_preprocessor=dict(type='BaseDataPreprocessor'), **parts)
    model = MODELS.build(config | dict(discriminators=dict(pose=small, confidence=small)))
    model.init_weights()
    data = dict(inputs=torch.rand(4, 3, 24, 32), data_samples=[sample_of(seed)[0] for seed in range(4)])
    calls, forward = [], type(model.head).forward
    own = type(
        'Counted', (type(model.head),), dict(forward=lambda self, feats: calls.append(1) or forward(self, feats))
    )
    model.head.__class__ = own
    optim = toy.optimizers(model)
    before = toy.weights(model)
    log = model.train_step(data, optim)
    assert calls == [1] and 'forward' not in vars(model.head)
    assert model.discriminators['pose'].map_channels == 5
    assert log['loss_adv_pose'].item() != 0 and log['loss_kpt'].item() > 0
    # gradients of the discriminators reach the backbone
    alone = MODELS.build(config | dict(discriminators=None))
    alone.load_state_dict(before, strict=True)
    alone.train_step(data, toy.optimizers(alone))
    last = [n for n, _ in alone.backbone.named_parameters()][0]
    both = model.backbone.state_dict()[last], alone.backbone.state_dict()[last], before[f'backbone.{last}']
    assert not torch.equal(both[0], both[1]) and not torch.equal(both[1], both[2])


def test_head_without_maps(toy):
    head = dict(
        type='RegressionHead', in_channels=64, num_joints=5, decoder=dict(type='RegressionLabel', input_size=(32, 24))
    )
    model = MODELS.build(
        dict(
            type='AdversarialPoseEstimator',
            data_preprocessor=dict(type='BaseDataPreprocessor'),
            backbone=HEATMAP['backbone'],
            neck=dict(type='GlobalAveragePooling'),
            head=head,
            discriminators=dict(pose=dict(num_joints=5, channels=8, depth=1, norm_cfg=toy.GROUPS)),
        )
    )
    sample = sample_of(0)[0]
    sample.gt_instance_labels.keypoint_labels = torch.zeros(1, 5, 2)
    with pytest.raises(TypeError, match=r'\(N, C, H, W\), and RegressionHead returns a tensor \(1, 5, 2\)'):
        model.train_step(dict(inputs=torch.rand(1, 3, 24, 32), data_samples=[sample]), toy.optimizers(model))


@pytest.mark.parametrize('weight, factor', [(1.0, '120'), (2.0, '60'), (1e4, '0.012')])
def test_warning_of_the_scale_of_a_mean_loss(weight, factor, toy, caplog, monkeypatch):
    logged = []
    monkeypatch.setattr(head_maps, 'print_log', lambda text, logger, level: logged.append((text, level)))
    head = HEATMAP['head'] | dict(loss=dict(type='KeypointMSELoss', loss_weight=weight))
    head_maps.warn_of_loss_scale(MODELS.build(head))
    ((text, level),) = logged
    assert level == logging.WARNING
    assert 'loss_weight=120 here' in text and f'weigh {factor} times as much' in text


def test_scale_is_that_of_eq_1(toy, monkeypatch):
    """The weight that the warning names converts the mean to the sum of squares over 2 N, for one stage."""
    logged = []
    monkeypatch.setattr(head_maps, 'print_log', lambda *args, **kwargs: logged.append(args))
    maps, targets = torch.rand(3, 5, 6, 8).double(), torch.rand(3, 5, 6, 8).double()
    by_mmpose = KeypointMSELoss(loss_weight=120.0)(maps, targets)
    assert by_mmpose.item() == pytest.approx((maps - targets).square().sum().item() / 6)
    for head in (MODELS.build(HEATMAP['head']), toy.build(discriminators=None).head):
        head_maps.warn_of_loss_scale(head)
    assert not logged
