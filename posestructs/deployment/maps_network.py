"""Export form of a pose estimator: normalised images in, the last maps out.

It consists of backbone, neck and head, without data preprocessor, discriminators and decoding. A discriminator that the
model keeps (``AdversarialPoseEstimator(keep=...)``) is part of it; its probabilities are a second output. The maps
depend on the head: pose maps, pose and occlusion maps (``AdversarialHead``), or log probabilities of parts, types and
background (``PartScoreHead``). :mod:`posestructs.deployment.metadata` describes which, and how they are decoded.

Shapes: N images, C maps, H x W cells.
"""

from __future__ import annotations

import copy

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.models import build_pose_estimator
from torch import Tensor, nn

from posestructs.apis.model_source import load_weights, model_metainfo, read_checkpoint


class MapsNetwork(nn.Module):
    """Backbone, neck and head of a model, up to the maps that a codec decodes.

    Args:
        model: Top-down estimator of mmpose or of this project. Its modules are shared, not copied.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = model.backbone, model.head
        self.neck = model.neck if model.with_neck else None
        keep = getattr(model, 'keep', None)
        self.kept = None if keep is None else model.discriminators[keep]
        self.kept_pose_only = keep is not None and model.reads_pose_maps_only(keep)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return ('maps',) if self.kept is None else ('maps', 'keypoints_correct')

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Compute the maps of a batch.

        Args:
            images: (N, 3, h, w), normalised.

        Returns:
            (N, C, H, W), those of the last stack or stage; with a kept discriminator a tuple with them and (N, K)
            probabilities.

        Raises:
            TypeError: The head outputs no maps.
        """
        feats = self.backbone(images)
        if self.neck is not None:
            feats = self.neck(feats)
        if hasattr(self.head, 'log_probabilities'):
            return self.head.log_probabilities(feats)
        maps = self.head.forward(feats)
        last = maps[-1] if isinstance(maps, (list, tuple)) and len(maps) else maps
        if not isinstance(last, Tensor) or last.ndim != 4:
            raise TypeError(f'model.head={type(self.head).__name__} gives no maps (N, C, H, W) for a codec to decode')
        if self.kept is None:
            return last
        read = last[:, : last.shape[1] // 2] if self.kept_pose_only else last
        return last, self.kept(read, images).sigmoid()


def load_generator(cfg: Config, checkpoint: str | None = None) -> nn.Module:
    """Build a model without discriminators, other than one that it keeps, and load its weights.

    Args:
        cfg: Config of the model; not changed.
        checkpoint: A file, or ``None`` for random weights. Weights of other discriminators are ignored.

    Returns:
        The model in evaluation mode on the CPU, with ``cfg`` and ``dataset_meta``.

    Raises:
        UsageError: torch would not load the file safely, it is not a checkpoint, its weights are not those of this
            config (the first that differ are named) or not finite, or head and data have different numbers of joints.
    """
    model = build_generator(cfg)
    content = None
    if checkpoint is not None:
        content = read_checkpoint(str(checkpoint))
        load_weights(model, content, str(checkpoint), str(cfg.filename))
    model.cfg = cfg
    model.dataset_meta = model_metainfo(cfg, model, content)
    return model


def build_generator(cfg: Config) -> nn.Module:
    """Build the model of a config without downloading pretrained weights.

    It has no discriminators, unless it keeps one.

    Args:
        cfg: The config; not changed.

    Returns:
        The model in evaluation mode.
    """
    model = copy.deepcopy(cfg.model)  # Config.copy would share the parts
    model.backbone.init_cfg = None
    model.train_cfg = None
    if 'discriminators' in model and model.get('keep') is None:
        model.discriminators = None
    init_default_scope(cfg.get('default_scope') or 'mmpose')
    return build_pose_estimator(model).eval()
