"""Tiny untrained models with weights that say something, as files: what an inferencer is given."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from posestructs.apis import PoseInferencer
from tests.helpers import repo_root

# joints of LSP, 64 x 64 input
SMALL_APN = """
_base_ = ['{root}/configs/adversarial_posenet/apn_2x56_stick-figure-64x64.py']
model = dict(
    backbone=dict(channels=8, depth=1, stem_channels=(4, 4, 8)),
    head=dict(in_channels=8),
    discriminators=dict(pose=dict(channels=16, depth=1), confidence=dict(channels=16, depth=1)),
)
"""
SMALL_SFL = """
_base_ = ['{root}/configs/structured_feature/sfl-separable_gen64_stick-figure-64x64.py']
model = dict(
    backbone=dict(channels=8, depth=1, stem_channels=(4, 4, 8)),
    neck=dict(in_channels=8, part_channels=2),
    head=dict(in_channels=26 * 2 * 2, shared_channels=8),
)
"""


class Files(NamedTuple):
    """A model as files."""

    config: Path
    checkpoint: Path


def make_files(folder: Path, name: str, text: str) -> Files:
    """Write a config and a checkpoint of random weights, discriminators included."""
    folder.mkdir(exist_ok=True)
    files = Files(folder / f'{name}.py', folder / f'{name}.pth')
    files.config.write_text(text.format(root=repo_root()))
    cfg = Config.fromfile(files.config)
    init_default_scope('mmpose')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for weight in model.parameters():
        if weight.ndim == 4:
            torch.nn.init.kaiming_normal_(weight)
    if hasattr(model, 'attach_discriminators'):
        model.attach_discriminators()
    torch.save(dict(state_dict=model.state_dict(), meta={}), files.checkpoint)
    return files


@pytest.fixture(scope='session')
def apn(tmp_path_factory) -> Files:
    return make_files(tmp_path_factory.mktemp('models'), 'apn', SMALL_APN)


@pytest.fixture(scope='session')
def sfl(tmp_path_factory) -> Files:
    return make_files(tmp_path_factory.mktemp('models'), 'sfl', SMALL_SFL)


@pytest.fixture(scope='session')
def inferencer(apn) -> PoseInferencer:
    return PoseInferencer(apn.config, apn.checkpoint, device='cpu')


@pytest.fixture(scope='session')
def images() -> list[np.ndarray]:
    """Smooth noise of three sizes, (H, W, 3) uint8 BGR."""
    import cv2

    rng = np.random.default_rng(0)
    small = [rng.integers(0, 256, (6, 5, 3), dtype=np.uint8) for _ in range(3)]
    sizes = (80, 96), (120, 60), (64, 64)
    return [cv2.resize(s, size, interpolation=cv2.INTER_CUBIC) for s, size in zip(small, sizes, strict=True)]
