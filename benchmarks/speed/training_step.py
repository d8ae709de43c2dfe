"""A config's training step and its data loader, by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmpose.registry import MODELS
from torch.utils.data import DataLoader


def make_loader(cfg: Config, workers: int) -> DataLoader:
    """Build the loader of a config's training data.

    Args:
        cfg: The config.
        workers: Processes that load.

    Returns:
        DataLoader: Shuffled with seed 0.
    """
    loader = dict(cfg.train_dataloader, num_workers=workers, persistent_workers=workers > 0)
    return Runner.build_dataloader(loader, seed=0)


def make_step(cfg: Config, device: str) -> Callable[[Any], None]:
    """Build a config's model and optimizers.

    Args:
        cfg: The config.
        device: 'cpu' or 'cuda'.

    Returns:
        Callable[[Any], None]: One step of training, optimizers included, given a batch of the loader.
    """
    MMLogger.get_current_instance().setLevel('WARNING')  # init_weights tells of each parameter
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.to(device).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    optim_wrapper.initialize_count_status(model, 0, 10**6)
    return lambda batch: model.train_step(batch, optim_wrapper)
