"""The part of a pose estimator that is shipped: normalised images in, the last maps out.

Backbone, neck and head, without data preprocessor, discriminators and decoding. What the maps are depends on the head:
pose maps, pose maps and occlusion maps (``AdversarialHead``), or log probabilities of parts, types and background
(``PartScoreHead``). :mod:`posestructs.deployment.metadata` says which, and how they are decoded.

Shapes: N images, C maps, H x W cells.
"""

from __future__ import annotations

import copy

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.apis.inference import dataset_meta_from_config
from mmpose.models import build_pose_estimator
from torch import Tensor, nn

from posestructs.apis.model_source import load_weights, read_checkpoint


class MapsNetwork(nn.Module):
    """Backbone, neck and head of a model, up to the maps that a codec decodes.

    Args:
        model: A top-down estimator of mmpose or of this project; its modules are shared, not copied.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = model.backbone, model.head
        self.neck = model.neck if model.with_neck else None

    def forward(self, images: Tensor) -> Tensor:
        """The maps of a batch.

        Args:
            images: (N, 3, h, w), normalised.

        Returns:
            Tensor: (N, C, H, W); of several stacks or stages the last one's.

        Raises:
            TypeError: The head gives no maps.
        """
        feats = self.backbone(images)
        if self.neck is not None:
            feats = self.neck(feats)
        if hasattr(self.head, 'log_probabilities'):
            return self.head.log_probabilities(feats)
        maps = self.head.forward(feats)
        last = maps[-1] if isinstance(maps, (list, tuple)) and len(maps) else maps
        if not isinstance(last, Tensor) or last.ndim != 4:
            raise TypeError(f'model.head={type(self.head).__name__} gives no maps (N, C, H, W), which a codec decodes')
        return last


def load_generator(cfg: Config, checkpoint: str | None = None) -> nn.Module:
    """Build a model without discriminators and fill all of it.

    Args:
        cfg: Of the model; not changed.
        checkpoint: A file, or ``None`` for random weights. Weights of discriminators are left out.

    Returns:
        nn.Module: In evaluation mode on the CPU, with ``cfg`` and ``dataset_meta``, that of the checkpoint where it
        has one.

    Raises:
        UsageError: torch would not load the file safely, it is no checkpoint, or its weights are not those of this
            config; names the first that differ.
    """
    model = build_generator(cfg)
    meta = {}
    if checkpoint is not None:
        content = read_checkpoint(str(checkpoint))
        meta = content.get('meta', {})
        load_weights(model, content, str(checkpoint), str(cfg.filename))
    model.cfg = cfg
    model.dataset_meta = meta.get('dataset_meta') or dataset_meta_from_config(cfg, 'train')
    return model


def build_generator(cfg: Config) -> nn.Module:
    """Build the model of a config without discriminators and without fetching pretrained weights.

    Args:
        cfg: The config; not changed.

    Returns:
        nn.Module: In evaluation mode.
    """
    model = copy.deepcopy(cfg.model)  # Config.copy leaves the parts shared
    model.backbone.init_cfg = None
    model.train_cfg = None
    if 'discriminators' in model:
        model.discriminators = None
    init_default_scope(cfg.get('default_scope') or 'mmpose')
    return build_pose_estimator(model).eval()
