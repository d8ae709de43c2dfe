"""C reads maps only."""

import torch
from mmpose.registry import MODELS

SMALL = dict(num_joints=2, channels=8, depth=1, norm_cfg=dict(type='GN', num_groups=2))


def test_ignores_the_image():
    net = MODELS.build(dict(type='ConfidenceDiscriminator', **SMALL))
    assert net.stem[0].in_channels == 4
    maps = torch.rand(2, 4, 4, 4)
    assert torch.equal(net(maps), net(maps, torch.rand(2, 3, 8, 8)))
    assert (net(maps) - net(maps.flip(1))).abs().min() > 0
