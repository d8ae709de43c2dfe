"""P: maps and the image."""

import pytest
import torch
from mmpose.registry import MODELS

from posestructs.models.discriminators.pose_discriminator import PoseDiscriminator, resize_by_area

SMALL = dict(num_joints=2, channels=8, depth=1, norm_cfg=dict(type='GN', num_groups=2))


def test_image_is_resized_by_area():
    images = torch.arange(2 * 3 * 4 * 6, dtype=torch.float64).reshape(2, 3, 4, 6)
    small = resize_by_area(images, (2, 2))
    for n in range(2):
        for c in range(3):
            for y in range(2):
                for x in range(2):
                    block = images[n, c, 2 * y : 2 * y + 2, 3 * x : 3 * x + 3]
                    assert small[n, c, y, x].item() == pytest.approx(sum(block.flatten().tolist()) / 6)
    assert resize_by_area(images, (4, 6)) is images


def test_reads_image_then_maps():
    torch.manual_seed(0)
    net = MODELS.build(dict(type='PoseDiscriminator', **SMALL)).double()
    maps, images = torch.rand(1, 4, 4, 6).double(), torch.rand(1, 3, 16, 24).double()
    seen = []
    net.stem.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    net(maps, images)
    torch.testing.assert_close(seen[0], torch.cat([resize_by_area(images, (4, 6)), maps], 1))


def test_scales_of_image_and_maps():
    torch.manual_seed(0)
    net = PoseDiscriminator(**SMALL, image_scale=0.5, map_scale=3)
    maps, images, inputs = torch.rand(2, 4, 4, 6), torch.rand(2, 3, 16, 24), []
    net.stem.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))
    net(maps, images)
    torch.testing.assert_close(inputs[0], torch.cat([0.5 * resize_by_area(images, (4, 6)), 3 * maps], 1))
    with pytest.raises(ValueError, match='PoseDiscriminator.image_scale=-1, allowed: a finite number of at least 0'):
        PoseDiscriminator(**SMALL, image_scale=-1)


def test_real_and_predicted_maps_of_the_same_images():
    torch.manual_seed(0)
    net = PoseDiscriminator(**SMALL).double()
    real, predicted, images = (torch.rand(2, c, s, s).double() for c, s in ((4, 4), (4, 4), (3, 8)))
    together = net(torch.cat([real, predicted]), images)
    torch.testing.assert_close(together, torch.cat([net(real, images), net(predicted, images)]), rtol=1e-12, atol=1e-12)
    # the image has an effect
    assert (net(real, images.flip(0)) - net(real, images)).abs().min() > 1e-9


def test_maps_without_their_images():
    with pytest.raises(ValueError, match='3 sets of maps are not a multiple of 2 images'):
        PoseDiscriminator(**SMALL)(torch.rand(3, 4, 4, 4), torch.rand(2, 3, 8, 8))
    with pytest.raises(ValueError, match='3 maps, allowed with num_joints=2 and with_occlusion=True: 4'):
        PoseDiscriminator(**SMALL)(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 8, 8))


def test_the_image_has_layers_of_its_own():
    torch.manual_seed(0)
    net = PoseDiscriminator(**SMALL, image_stem=6, image_factor=4).double()
    maps, images, inputs = torch.rand(2, 4, 4, 6).double(), torch.rand(2, 3, 32, 48).double(), []
    net.stem.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))
    net(maps, images)
    x = resize_by_area(images, (16, 24))
    weights = [layer for layer in net.image_layers if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in weights] == [3, 6]
    for layer in weights:
        x = torch.nn.functional.conv2d(x, layer.weight, layer.bias, stride=2, padding=1).clamp(min=0)
    torch.testing.assert_close(inputs[0], torch.cat([x, maps], 1))
    with pytest.raises(ValueError, match='PoseDiscriminator.image_factor=3, allowed'):
        PoseDiscriminator(**SMALL, image_stem=6, image_factor=3)


def test_features_of_all_sizes():
    net = PoseDiscriminator(**SMALL)
    maps, images = torch.rand(2, 4, 4, 6), torch.rand(2, 3, 8, 12)
    logits, features = net.logits_and_features(maps, images)
    torch.testing.assert_close(logits, net(maps, images))
    assert [tuple(each.shape) for each in features] == [(2, 8, 4, 6), (2, 8, 2, 3), (2, 8, 4, 6)]
    # no hooks are left
    assert not any(module._forward_hooks for module in net.modules())
