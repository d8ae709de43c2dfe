"""Timing of networks, and what is done to them beforehand."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

import posestructs  # noqa: F401
from benchmarks.peer_models.timing import Timed, fold_norms, network_of_config, time_networks

ROOT = Path(__file__).resolve().parents[2]


def test_folded_norms_give_the_same_maps():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Sequential(nn.BatchNorm2d(4)))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean)
    images = torch.randn(2, 3, 5, 5)
    expected = network.eval()(images)
    # the last norm follows no convolution
    assert [isinstance(m, nn.BatchNorm2d) for m in fold_norms(network).modules()].count(True) == 1
    torch.testing.assert_close(network(images), expected)


def test_two_networks_take_turns_in_both_backends():
    pytest.importorskip('onnxruntime')
    small, large = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 15, padding=7)
    found = time_networks({'small': Timed(small, (8, 8)), 'large': Timed(large, (96, 64))}, rounds=2)
    assert set(found) == {'small', 'large'}
    for backend in ('torch', 'onnxruntime'):
        times = [found[name][backend] for name in ('small', 'large')]
        assert all(0 <= one['least'] <= one['median'] for one in times)


def test_the_network_of_a_config_is_timed_up_to_its_maps():
    cfg = Config.fromfile(ROOT / 'configs/hybrid/td-tree_movenet-lightning_lspet-mini-192x192.py')
    network, size = network_of_config(cfg)
    assert size == (192, 192) and network(torch.zeros(1, 3, 192, 192)).shape == (1, 28, 48, 48)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
