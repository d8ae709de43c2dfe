"""Size of a model, and behaviour of the discriminators in a training run."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch.utils.flop_counter import FlopCounterMode

from posestructs.utils.run_logs import find_logs, read_curves

NETWORKS = ('pose', 'confidence')
LOGGED = ('score_real', 'score_fake', 'acc_real', 'acc_fake', 'share_right')


def complexity(cfg: Config) -> dict[str, float]:
    """Measure the model of a config.

    Args:
        cfg: Config with ``model``, whose head has a decoder with ``input_size``.

    Returns:
        ``parameters`` in testing; ``train_parameters``, with the discriminators; ``gmacs``, multiply-adds in 10^9 of
        the convolutions and matrix products of a forward pass of one image, without flip test.
    """
    width, height = cfg.model.head.decoder.input_size
    # the meta device computes shapes only
    with torch.device('meta'), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model = MODELS.build(cfg.model).eval()
        model(torch.zeros(1, 3, height, width), None, mode='tensor')
    kept = sum(parameter.numel() for parameter in model.parameters())
    # adds the discriminators to the model
    networks = model.networks().values() if hasattr(model, 'networks') else [model]
    trained = sum(parameter.numel() for network in networks for parameter in network.parameters())
    return dict(parameters=kept, train_parameters=trained, gmacs=counter.get_total_flops() / 2e9)


def discriminator_scores(folder: Path, share: float = 0.2) -> dict[str, float]:
    """Means of logged values of the discriminators over the end of a training.

    Args:
        folder: Work directory of the run.
        share: Share of the logged rows, counted from the end.

    Returns:
        For each discriminator, with the prefix ``pose.`` or ``confidence.``: ``score_real`` and ``score_fake``, mean
        scores of the joints of target and predicted maps; ``acc_real`` and ``acc_fake``, shares of them classified
        correctly; ``share_right``, share of predicted joints with label 1; ``of_loss``, size of its term relative to
        the generator's loss. Empty without discriminators.
    """
    curves = read_curves(find_logs(folder))
    last = {
        key: float(curve.values[-max(1, round(share * len(curve.values))) :].mean()) for key, curve in curves.items()
    }
    found = {f'{name}.{key}': last[f'{name}.{key}'] for name in NETWORKS for key in LOGGED if f'{name}.{key}' in last}
    for name in NETWORKS:
        if f'loss_adv_{name}' in last:
            found[f'{name}.of_loss'] = abs(last[f'loss_adv_{name}']) / abs(last['loss'])
    return {key: round(value, 5) for key, value in found.items()}
