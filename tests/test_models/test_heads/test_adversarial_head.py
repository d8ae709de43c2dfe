"""The head: maps from any features, L_G against Eq. 1, masks, flip test, decoding, and errors."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.evaluation.functional import pose_pck_accuracy
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from torch.nn import functional as F

from posestructs.models.heads import AdversarialHead

K = 4
FLIP = [1, 0, 2, 3]
CODEC = dict(type='OcclusionHeatmap', input_size=(48, 32), heatmap_size=(12, 8), sigma=1)


def head(**kwargs):
    torch.manual_seed(0)
    cfg = dict(type='AdversarialHead', in_channels=6, out_channels=K, num_stacks=2, decoder=CODEC)
    cfg.update(kwargs)
    built = MODELS.build(cfg)
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return built.double().eval()


def single(**kwargs):
    return head(multi_task=False, decoder=dict(CODEC, with_occlusion=False), **kwargs)


def stacks(num=2, branches=2, images=3, channels=6, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def feature():
        return torch.randn(images, channels, 8, 12, generator=generator, dtype=torch.float64)

    return [tuple(feature() for _ in range(branches)) if branches > 1 else feature() for _ in range(num)]


def samples(occluded, visible=None, codec=CODEC, seed=0):
    """Data samples as a pipeline packs them, one per row of the labels."""
    rng = np.random.default_rng(seed)
    codec, out = KEYPOINT_CODECS.build(codec), []
    for number, row in enumerate(occluded):
        keypoints = rng.uniform((4, 4), (44, 28), (1, K, 2))
        seen = np.ones((1, K)) if visible is None else np.array([visible[number]])
        labels = None if row is None else np.array([row], float)
        encoded = codec.encode(keypoints, seen, labels)
        sample = PoseDataSample(metainfo=dict(flip_indices=FLIP))
        names = ('keypoint_weights', 'occlusion_weights')
        sample.gt_instance_labels = InstanceData(**{n: encoded[n] for n in names}).to_tensor()
        sample.gt_fields = PixelData(heatmaps=encoded['heatmaps']).to_tensor()
        out.append(sample)
    return out


MIXED = [[1, 0, -1, 1], None, [0, 0, 1, -1]]
SEEN = [[1, 1, 1, 0], [1, 0, 1, 1], [1, 1, 1, 1]]


def test_two_convolutions_per_task_and_stack():
    net, feats = head(), stacks()
    for layers, maps, (y, z) in zip(net.stacks, net(feats), feats, strict=True):
        for task, feature, part in (('pose', y, maps[:, :K]), ('occlusion', z, maps[:, K:])):
            first, norm, _, last = layers[task]
            assert first.kernel_size == last.kernel_size == (1, 1)
            hidden = torch.einsum('oc,nchw->nohw', first.weight[:, :, 0, 0], feature)
            hidden = (hidden / (1 + norm.eps) ** 0.5) * norm.weight[:, None, None] + norm.bias[:, None, None]
            expected = torch.einsum('oc,nchw->nohw', last.weight[:, :, 0, 0], hidden.clamp(min=0))
            torch.testing.assert_close(part, expected + last.bias[:, None, None])
    assert len({p.data_ptr() for p in net.stacks.parameters()}) == 2 * 2 * 5


def test_number_of_parameters_of_the_papers_size():
    with torch.device('meta'):
        net = MODELS.build(dict(type='AdversarialHead', in_channels=512, out_channels=16, num_stacks=4))
    # 1x1 without bias, norm, 1x1 with bias; twice per stack
    assert sum(p.numel() for p in net.parameters()) == 4 * 2 * (512 * 512 + 2 * 512 + 512 * 16 + 16)


def test_first_maps_are_near_zero():
    net = MODELS.build(dict(type='AdversarialHead', in_channels=6, out_channels=K, num_stacks=2))
    net.init_weights()
    assert all(maps.abs().max() < 0.05 for maps in net([tuple(f.float() for f in s) for s in stacks()]))


def test_pose_maps_come_first():
    maps = torch.rand(3, 2 * K, 8, 12)
    pose, occlusion = head().split(maps)
    assert torch.equal(pose, maps[:, :K]) and torch.equal(occlusion, maps[:, K:])
    pose, occlusion = single().split(maps[:, :K])
    assert torch.equal(pose, maps[:, :K]) and occlusion is None


BACKBONES = {
    'generator': (dict(type='StackedPoseGenerator', num_stacks=2, channels=16, depth=1), 16, 2),
    'one branch': (dict(type='StackedPoseGenerator', num_stacks=2, channels=16, depth=1, num_branches=1), 16, 2),
    'hourglass': (
        dict(
            type='HourglassNet',
            num_stacks=2,
            downsample_times=1,
            stage_channels=(256, 16),
            stage_blocks=(1, 1),
            feat_channel=8,
        ),
        8,
        2,
    ),
    'resnet': (dict(type='ResNet', depth=18), 512, 1),
    'resnet, several scales': (dict(type='ResNet', depth=18, out_indices=(1, 2)), 256, 1),
    'hrnet': (
        dict(
            type='HRNet',
            in_channels=3,
            extra={
                'stage1': dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(1,), num_channels=(8,)),
                **{
                    f'stage{n}': dict(
                        num_modules=1,
                        num_branches=n,
                        block='BASIC',
                        num_blocks=(1,) * n,
                        num_channels=tuple(8 * 2**i for i in range(n)),
                    )
                    for n in (2, 3, 4)
                },
            },
        ),
        8,
        1,
    ),
}


@pytest.mark.parametrize('name', list(BACKBONES))
@pytest.mark.parametrize('multi_task', [True, False])
def test_features_of_any_backbone(name, multi_task):
    """Each parameter of each stack has a gradient, so that no feature is ignored."""
    backbone, channels, num = BACKBONES[name]
    if name == 'generator' and not multi_task:
        return
    torch.manual_seed(0)
    net = MODELS.build(backbone)
    net.init_weights()
    deconv = dict(deconv_out_channels=(8,)) if name == 'resnet' else {}
    build = head if multi_task else single
    top = build(in_channels=channels, num_stacks=num, **deconv).float()
    feats = net(torch.randn(2, 3, 64, 32))
    maps = top(feats)
    last = feats[-1][0] if name == 'generator' else feats[-1]
    scale = 2 if deconv else 1
    assert len(maps) == num
    for each in maps:
        assert each.shape == (2, K * (1 + multi_task), last.shape[2] * scale, last.shape[3] * scale)
    sum(each.square().sum() for each in maps).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in top.parameters())


def test_loss_is_equation_1():
    """1/(2NS) times the sum of squared distances, in loops over stacks, images, joints and cells."""
    net, batch = head(), samples(MIXED, SEEN)
    maps = net(stacks())
    losses = net.loss_from_maps(maps, batch)
    expected = np.zeros(2)
    for stack in maps:
        for m, sample in enumerate(batch):
            targets = sample.gt_fields.heatmaps.double().numpy()
            for k in range(K):
                seen = SEEN[m][k]
                known = seen and MIXED[m] is not None and MIXED[m][k] != -1
                for task, weight in enumerate((seen, known)):
                    channel = k + K * task
                    gap = stack[m, channel].detach().numpy() - targets[channel]
                    expected[task] += weight * (gap**2).sum() / (2 * len(batch) * len(maps))
    found = [losses[key].item() for key in ('loss_kpt', 'loss_occlusion')]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    both = net.loss(stacks(), batch)
    assert all(torch.equal(both[key], losses[key]) for key in losses)


def test_gradients_of_the_loss():
    net, batch = head(), samples(MIXED, SEEN)
    maps = [m.detach().requires_grad_() for m in net(stacks())]
    cfg = dict(compute_acc=False)

    def total(*maps):
        return sum(net.loss_from_maps(maps, batch, cfg).values())

    torch.autograd.gradcheck(total, maps, fast_mode=True)
    grads = torch.autograd.grad(total(*maps), maps)
    for grad in grads:
        for m in range(3):
            for k in range(K):
                known = SEEN[m][k] and MIXED[m] is not None and MIXED[m][k] != -1
                assert bool(grad[m, k].any()) == bool(SEEN[m][k])
                assert bool(grad[m, K + k].any()) == bool(known)


def test_data_without_occlusion_labels_trains_pose_alone():
    net, batch = head(), samples([None, None, None])
    losses = net.loss(stacks(), batch)
    assert losses['loss_occlusion'] == 0 and losses['loss_kpt'] > 0
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    for layers in net.stacks:
        assert all(p.grad.abs().sum() > 0 for p in layers['pose'].parameters())
        # a gradient of zero, so that DistributedDataParallel finds no unused parameter
        assert all(p.grad is not None and not p.grad.any() for p in layers['occlusion'].parameters())


def test_mmposes_loss_and_dataset_weights():
    """Another loss with the same arguments; the weight of a joint applies to both of its maps."""
    batch = samples(MIXED)
    for sample in batch:
        sample.gt_instance_labels.keypoint_weights[:, 1] = 0.25
    net = head(loss=dict(type='KeypointMSELoss', use_target_weight=True))
    maps = net(stacks())
    losses = net.loss_from_maps(maps, batch)
    targets = torch.stack([s.gt_fields.heatmaps for s in batch])
    weights = torch.ones(3, K)
    weights[:, 1] = 0.25
    known = torch.tensor([[1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 0]]) * weights
    for name, part, weight in (('loss_kpt', slice(0, K), weights), ('loss_occlusion', slice(K, None), known)):
        parts = [F.mse_loss(m[:, part], targets[:, part].double(), reduction='none') for m in maps]
        expected = sum((p * weight[..., None, None]).mean() for p in parts) / 2
        assert losses[name].item() == pytest.approx(expected.item(), rel=1e-6)


def test_accuracy_is_mmposes():
    """On square maps; on others mmpose normalises x by the height."""
    square = dict(CODEC, input_size=(48, 48), heatmap_size=(12, 12))
    net, batch = head(), samples(MIXED, SEEN, codec=square)
    targets = torch.stack([s.gt_fields.heatmaps for s in batch])
    maps = (targets.roll(1, 3) * (torch.arange(2 * K) % 2)[:, None, None] + 0.9 * targets).double()
    maps = maps + 0.01 * torch.arange(12) / 12  # a joint without a label has no maximum above 0 there
    _, expected, _ = pose_pck_accuracy(maps[:, :K].numpy(), targets[:, :K].numpy(), np.array(SEEN, bool), thr=0.05)
    found = net.loss_from_maps([maps * 0, maps], batch)['acc_pose']
    assert float(found) == pytest.approx(expected)
    assert 0 < expected < 1
    assert 'acc_pose' not in net.loss_from_maps([maps, maps], batch, dict(compute_acc=False))


def test_prediction():
    """Target maps give the true joints, scores and occlusion."""
    net, batch = head(), samples([[1, 0, 1, 0]] * 3)
    targets = torch.stack([s.gt_fields.heatmaps for s in batch])
    net.forward = lambda feats: [targets * 0, targets * 0.8]
    predictions = net.predict(stacks(), batch, dict(output_heatmaps=False))
    codec = KEYPOINT_CODECS.build(CODEC)
    for prediction, sample in zip(predictions, batch, strict=True):
        joints, _ = codec.decode(sample.gt_fields.heatmaps.numpy())
        np.testing.assert_array_equal(prediction.keypoints, joints)
        np.testing.assert_allclose(prediction.keypoint_scores, 0.8, rtol=1e-6)
        np.testing.assert_allclose(prediction.keypoints_occluded, [[1, 0, 1, 0]], atol=1e-6)
    predictions, fields = net.predict(stacks(), batch, dict(output_heatmaps=True))
    assert len(predictions) == len(fields) == 3
    torch.testing.assert_close(fields[1].heatmaps, targets[1, :K] * 0.8)
    torch.testing.assert_close(fields[1].occlusion_heatmaps, targets[1, K:] * 0.8)


def test_prediction_of_one_task():
    """With any codec of mmpose, without occlusion in the result."""
    plain = dict(type='MSRAHeatmap', input_size=(48, 32), heatmap_size=(12, 8), sigma=1)
    for net in (single(), head(multi_task=False, decoder=plain)):
        feats = stacks(branches=1)
        predictions, fields = net.predict(feats, [PoseDataSample()] * 3, dict(output_heatmaps=True))
        expected = [KEYPOINT_CODECS.build(plain).decode(m.detach().numpy()) for m in net(feats)[-1]]
        for prediction, (joints, scores) in zip(predictions, expected, strict=True):
            np.testing.assert_array_equal(prediction.keypoints, joints)
            np.testing.assert_array_equal(prediction.keypoint_scores, scores)
            assert 'keypoints_occluded' not in prediction
        assert fields[0].keys() == ['heatmaps']


@pytest.mark.parametrize('shift', [False, True])
def test_flip_test(shift):
    """Mean of the maps and those of the flipped images, flipped back with left and right swapped for both tasks."""
    net = head()
    feats, mirrored = stacks(seed=1), stacks(seed=2)
    cfg = dict(flip_test=True, flip_mode='heatmap', shift_heatmap=shift, output_heatmaps=True)
    _, fields = net.predict([feats, mirrored], samples(MIXED), cfg)
    other = net(mirrored)[-1]
    halves = [
        flip_heatmaps(half.clone(), FLIP, shift_heatmap=shift) for half in (other[:, :K].clone(), other[:, K:].clone())
    ]
    expected = (net(feats)[-1] + torch.cat(halves, 1)) / 2
    for image, field in zip(expected, fields, strict=True):
        torch.testing.assert_close(field.heatmaps, image[:K].detach())
        torch.testing.assert_close(field.occlusion_heatmaps, image[K:].detach())


def test_flip_test_of_flipped_targets():
    """An equivariant model predicts the same joints and occlusion with and without a flip test."""
    net, batch = head(), samples([[1, 0, 1, 0]])
    targets = torch.stack([s.gt_fields.heatmaps for s in batch])
    swap = [*FLIP, *(K + i for i in FLIP)]
    answers = {'straight': targets, 'mirrored': targets.flip(-1)[:, swap]}
    net.forward = lambda feats: [answers[feats]]
    (plain,) = net.predict('straight', batch)
    (both,) = net.predict(['straight', 'mirrored'], batch, dict(flip_test=True))
    np.testing.assert_array_equal(plain.keypoints, both.keypoints)
    np.testing.assert_allclose(both.keypoints_occluded, [[1, 0, 1, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(num_stacks=0), 'num_stacks=0, allowed: an integer of at least 1'),
        (dict(out_channels='14'), "out_channels='14'"),
        (dict(deconv_out_channels=(8,)), 'num_stacks=2, allowed with deconv_out_channels: 1'),
        (
            dict(multi_task=False, decoder=dict(CODEC, with_occlusion=True)),
            r'multi_task=False, but the decoder OcclusionHeatmap reads occlusion maps',
        ),
        (dict(decoder=dict(CODEC, with_occlusion=False)), 'does not read occlusion maps; use .*with_occlusion=True'),
        (
            dict(decoder=dict(type='MSRAHeatmap', input_size=(48, 32), heatmap_size=(12, 8), sigma=1)),
            'the decoder MSRAHeatmap does not read occlusion maps',
        ),
        (dict(loss=dict(type='KeypointMSELoss')), 'use_target_weight=False would train joints of unknown'),
        (dict(norm_cfg=dict(type='GN', num_groups=4)), 'norm_cfg: num_groups=4 does not divide the 6 channels'),
    ],
)
def test_refusals_at_build_time(kwargs, match):
    with pytest.raises(ValueError, match=match):
        head(**kwargs)


@pytest.mark.parametrize(
    ('net', 'feats', 'match'),
    [
        (head, stacks(3), 'num_stacks=2, but the features have 3 stacks'),
        (lambda: head(num_stacks=1), stacks(2), 'num_stacks=1, but the features have 2 stacks'),
        (single, stacks(), 'multi_task=False, but a stack of the features has 2 branches'),
        (head, stacks(branches=3), 'a stack of the features has 3 branches'),
        (
            lambda: head(num_stacks=1, deconv_out_channels=(8,)),
            stacks(1),
            'has two branches, allowed with deconv_out_channels: one map',
        ),
        (head, stacks(channels=5), 'head.in_channels=6, but the features of the backbone, .* have 5 channels'),
        # a backbone of several scales, of which the last is used
        (
            lambda: head(num_stacks=1, deconv_out_channels=(8,)),
            (*stacks(1, branches=1), *stacks(1, branches=1, channels=512)),
            'head.in_channels=6, but the features .* have 512 channels',
        ),
    ],
)
def test_features_that_do_not_fit(net, feats, match):
    with pytest.raises(ValueError, match=match):
        net()(feats)


def test_targets_that_do_not_fit():
    net, maps = head(), head()(stacks())
    with pytest.raises(ValueError, match=r'out_channels=4, multi_task=True .*\(8, 8, 12\), the codec .*\(4, 8, 12\)'):
        net.loss_from_maps(maps, samples(MIXED, codec=dict(CODEC, with_occlusion=False)))
    wide = head(out_channels=5)
    with pytest.raises(ValueError, match=r'out_channels=5.*\(10, 8, 12\), the codec of the pipeline \(8, 8, 12\)'):
        wide.loss(stacks(), samples(MIXED))
    message = (
        r'maps have 12 x 8 cells .* codec .* heatmap_size=\(24, 16\): set heatmap_size to \(12, 8\), .*deconv_out_ch'
    )
    with pytest.raises(ValueError, match=message) as error:
        net.loss_from_maps(maps, samples(MIXED, codec=dict(CODEC, heatmap_size=(24, 16))))
    assert not any(key in str(error.value) for key in ('out_channels=', 'multi_task'))  # these are correct
    batch = samples(MIXED)
    for sample in batch:
        del sample.gt_instance_labels.occlusion_weights
    with pytest.raises(ValueError, match='needs gt_instance_labels.occlusion_weights, which OcclusionHeatmap'):
        net.loss_from_maps(maps, batch)


def test_one_task_takes_the_pose_maps_of_both():
    net = single()
    maps = net(stacks(branches=1))
    both = net.loss_from_maps(maps, samples(MIXED, SEEN))
    alone = net.loss_from_maps(maps, samples(MIXED, SEEN, codec=dict(CODEC, with_occlusion=False)))
    assert set(both) == set(alone) == {'loss_kpt', 'acc_pose'}
    assert torch.equal(both['loss_kpt'], alone['loss_kpt'])


def test_one_task_needs_to_be_said_once():
    net = head(multi_task=False)
    assert not net.decoder.with_occlusion and head().decoder.with_occlusion
    found, expected = (each.predict(stacks(branches=1), [PoseDataSample()] * 3) for each in (net, single()))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)
    assert 'keypoints_occluded' not in found[0]


def test_flip_test_that_cannot_be():
    net = head()
    with pytest.raises(ValueError, match='flip_test needs a list of two features'):
        net.predict(stacks(3), samples(MIXED), dict(flip_test=True))
    with pytest.raises(ValueError, match="flip_mode='offset', allowed: 'heatmap'"):
        net.predict([stacks(), stacks()], samples(MIXED), dict(flip_test=True, flip_mode='offset'))


def test_no_decoder():
    with pytest.raises(RuntimeError, match='The decoder has not been set in AdversarialHead'):
        head(decoder=None).predict(stacks(), samples(MIXED))


def test_a_config_is_not_changed():
    cfg = dict(in_channels=6, out_channels=K, decoder=dict(CODEC), loss=dict(type='HeatmapSumLoss', loss_weight=2.0))
    before = repr(cfg)
    AdversarialHead(**cfg)
    assert repr(cfg) == before
