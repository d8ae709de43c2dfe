"""Heads of mmpose under discriminators: losses and maps of one forward pass."""

import pytest
import torch
from mmpose.registry import MODELS

from tests.helpers.msra_samples import HEATMAP, MSRA, sample_of

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
