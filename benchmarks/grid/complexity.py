"""Size of a model: weights, and multiply-adds of one forward pass."""

from __future__ import annotations

import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch.utils.flop_counter import FlopCounterMode


def complexity(cfg: Config) -> dict[str, float]:
    """Measure a config's model.

    Args:
        cfg: With ``model``, of whose head the decoder has ``input_size``.

    Returns:
        dict[str, float]: ``parameters`` of what is tested; ``train_parameters``, discriminators included; ``gmacs``,
        thousands of millions of multiply-adds of convolutions and matrix products for one image, without its flipped
        twin.
    """
    width, height = cfg.model.head.decoder.input_size
    # on the device that knows shapes and computes nothing
    with torch.device('meta'), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model = MODELS.build(cfg.model).eval()
        model(torch.zeros(1, 3, height, width), None, mode='tensor')
    kept = sum(parameter.numel() for parameter in model.parameters())
    # from this call on discriminators are part of the model
    networks = model.networks().values() if hasattr(model, 'networks') else [model]
    trained = sum(parameter.numel() for network in networks for parameter in network.parameters())
    return dict(parameters=kept, train_parameters=trained, gmacs=counter.get_total_flops() / 2e9)
