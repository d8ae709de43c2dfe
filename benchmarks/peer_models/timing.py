"""Time of networks on one core, in torch and in onnxruntime, taking turns in one run."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from posestructs.deployment import MapsNetwork
from posestructs.deployment.onnx_export import INPUT, export_network, open_session

WARM_UP = 3


class Timed(NamedTuple):
    """A network to be timed.

    Attributes:
        network: Takes (N, 3, height, width).
        size: (width, height) of its input in pixels.
    """

    network: nn.Module
    size: tuple[int, int]


def network_of_config(cfg: Config) -> Timed:
    """Network of a config with random weights, without flip test and decoding, its batch norms folded."""
    model = copy.deepcopy(cfg.model)
    model.backbone.init_cfg = None
    network = MapsNetwork(fold_norms(MODELS.build(model).eval())).eval()
    return Timed(network, tuple(cfg.codec.input_size))


def fold_norms(network: nn.Module) -> nn.Module:
    """Fold each batch norm that follows a convolution in an ``nn.Sequential`` into that convolution, in place.

    onnxruntime does so by itself, and MoveNet's published weights have it done.
    """
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for i in range(len(module) - 1):
                if isinstance(module[i], nn.Conv2d) and isinstance(module[i + 1], nn.BatchNorm2d):
                    module[i], module[i + 1] = fuse_conv_bn_eval(module[i], module[i + 1]), nn.Identity()
    return network


@torch.no_grad()
def time_networks(networks: Mapping[str, Timed], rounds: int = 60) -> dict[str, dict[str, dict[str, float]]]:
    """CPU time of single images on one thread.

    All networks and both backends take turns, so that other load on the machine affects all of them.

    Args:
        networks: Networks by name.
        rounds: Number of timed calls of each.

    Returns:
        By name and backend ('torch', 'onnxruntime'): ``median`` and ``least`` milliseconds of an image.
    """
    calls: dict[tuple[str, str], Callable[[], Any]] = {}
    for name, (network, (width, height)) in networks.items():
        images = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
        session = open_session(export_network(network, (width, height), {}), 1)
        calls[name, 'torch'] = partial(network, images)
        calls[name, 'onnxruntime'] = partial(session.run, None, {INPUT: images.numpy()})
    times: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for number in range(WARM_UP + rounds):
            for key, call in calls.items():
                start = time.process_time()
                call()
                if number >= WARM_UP:
                    times[key].append(1e3 * (time.process_time() - start))
    finally:
        torch.set_num_threads(threads)
    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in networks}
    for (name, backend), taken in times.items():
        found[name][backend] = dict(median=float(np.median(taken)), least=min(taken))
    return found
