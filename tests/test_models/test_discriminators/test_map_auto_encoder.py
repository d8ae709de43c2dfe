"""Errors of reconstruction, joint by joint."""

import pytest
import torch

from posestructs.models.discriminators import MapAutoEncoder

SMALL = dict(num_joints=2, channels=8, depth=1, norm_cfg=dict(type='GN', num_groups=2))


def test_logits_are_negative_errors():
    torch.manual_seed(0)
    net = MapAutoEncoder(**SMALL).double()
    maps, images = torch.rand(4, 4, 4, 6).double(), torch.rand(2, 3, 8, 12).double()
    again, logits = net.reconstruct(maps, images), net(maps, images)
    assert again.shape == maps.shape and again.abs().max() > 0
    for n in range(4):
        for k in range(2):
            error = sum(
                (maps[n, c, y, x] - again[n, c, y, x]).item() ** 2
                for c in (k, 2 + k)
                for y in range(4)
                for x in range(6)
            )
            assert logits[n, k].item() == pytest.approx(-error)
    # it reads the image
    assert (net(maps, images.flip(0)) - logits).abs().min() > 1e-12


def test_nothing_is_pooled():
    with pytest.raises(ValueError, match="MapAutoEncoder.pooling='joint', allowed: 'global'"):
        MapAutoEncoder(**SMALL, pooling='joint')
