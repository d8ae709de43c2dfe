"""Training step and data loader of a config."""

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
    """Build the training data loader of a config, shuffled with seed 0."""
    loader = dict(cfg.train_dataloader, num_workers=workers, persistent_workers=workers > 0)
    return Runner.build_dataloader(loader, seed=0)


def make_step(cfg: Config, device: str) -> Callable[[Any], None]:
    """Build the model and the optimizers of a config; returns a function that runs a training step on a batch."""
    MMLogger.get_current_instance().setLevel('WARNING')  # init_weights logs each parameter
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.to(device).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    optim_wrapper.initialize_count_status(model, 0, 10**6)
    return lambda batch: model.train_step(batch, optim_wrapper)
