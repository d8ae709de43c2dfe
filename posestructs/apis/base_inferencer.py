"""Build and run the parts of an inferencer: detector, pipeline and model."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from torch import nn

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from mmpose.apis.inferencers import Pose2DInferencer
from mmpose.structures import PoseDataSample

from posestructs.apis.devices import check_device
from posestructs.apis.inference_call import temporary_items
from posestructs.apis.model_source import (
    inference_pipeline,
    load_weights,
    model_metainfo,
    not_a_model,
    read_checkpoint,
    resolve_model,
)
from posestructs.apis.person_detector import (
    detect_persons,
    is_onnx,
    open_onnx_detector,
    resolve_detector,
    whole_image,
)
from posestructs.utils.usage import UsageError


class BaseInferencer(Pose2DInferencer):
    """mmpose's inferencer with a model that is verified; see :class:`~posestructs.apis.PoseInferencer`.

    In the place of mmengine's loader, which only warns of weights that do not fit, checkpoints are read safely and must
    match their config and the joints of the data.
    """

    def __init__(
        self,
        config: str | Path | Config | Mapping | None = None,
        checkpoint: str | Path | None = None,
        device: str | None = None,
        det_model: str | None = None,
        det_weights: str | None = None,
        det_cat_ids: int | Sequence[int] = 0,
        show_progress: bool = False,
    ) -> None:
        device = check_device(device)
        model, weights = resolve_model(config, checkpoint)
        self._names = getattr(model, 'filename', None) or 'that was given', str(weights)
        # the web page calls from several threads, and settings of the model change with the call
        self._lock = threading.RLock()
        try:
            super().__init__(model, weights, device, 'mmpose', det_model, det_weights, det_cat_ids, show_progress)
        except ValueError as error:
            if str(error).startswith('Cannot find model'):
                raise UsageError(not_a_model(str(config))) from error
            raise

    def _init_model(self, cfg: Config, weights: str | None, device: str = 'cpu') -> nn.Module:
        self._checkpoint = None if weights is None else read_checkpoint(weights)
        try:
            return super()._init_model(cfg, None, device)
        finally:
            del self._checkpoint

    def _load_weights_to_model(self, model: nn.Module, checkpoint: Mapping | None, cfg: Config) -> None:
        checkpoint = self._checkpoint  # mmengine has read none
        if checkpoint is None:
            text = 'no checkpoint is given: the weights are random, and so are the predictions'
            print_log(text, logger='current', level=logging.WARNING)
        else:
            config, weights = self._names
            load_weights(model, checkpoint, weights, config)
        model.dataset_meta = model_metainfo(cfg, model, checkpoint)

    def _init_pipeline(self, cfg: Config) -> Callable:
        cfg.test_dataloader.dataset.pipeline = inference_pipeline(cfg)
        return super()._init_pipeline(cfg)

    def _init_collate(self, cfg: Config) -> Callable:
        if 'collate_fn' in cfg.test_dataloader:
            return super()._init_collate(cfg)
        return pseudo_collate  # the default of the base class, without its warning

    def _init_visualizer(self, cfg: Config) -> Any:
        """Replace mmpose's visualizer, which cannot draw occlusion, and write no files of a training run."""
        visualizer = dict(cfg.get('visualizer') or {})
        if visualizer.get('type', 'PoseLocalVisualizer') == 'PoseLocalVisualizer':
            visualizer['type'] = 'OcclusionLocalVisualizer'
        visualizer.pop('vis_backends', None)
        cfg.visualizer = visualizer
        return super()._init_visualizer(cfg)

    def _init_detector(
        self, det_model: Any = None, det_weights: str | None = None, det_cat_ids: Any = None, device: str | None = None
    ) -> None:
        """Choose the detector; one of mmdet is built when an image comes without boxes."""
        self.detector, self._build_detector = None, None
        chosen = resolve_detector(det_model, det_weights, det_cat_ids, self.cfg)
        if is_onnx(det_model):
            self.detector, self.det_cat_ids = open_onnx_detector(det_model, device), det_cat_ids
        elif chosen is not None:
            build = super()._init_detector
            self._build_detector = lambda: build(*chosen, device)

    def crop(self, image: np.ndarray, boxes: np.ndarray, path: str = '') -> list[dict]:
        """Crop persons as inputs of the model.

        Args:
            image: (H, W, 3) uint8 BGR.
            boxes: (N, 5) x1, y1, x2, y2 in pixels and a score.
            path: Path of the image, for the results.

        Returns:
            N packed persons, for :meth:`forward`.
        """
        info = dict(img=image, img_path=path, **self.model.dataset_meta)
        return [self.pipeline(dict(info, bbox=box[None, :4], bbox_score=box[4:])) for box in boxes]

    def _detect(self, image: np.ndarray, bbox_thr: float, nms_thr: float) -> np.ndarray:
        """(N, 5) boxes of persons; that of the whole image without a detector."""
        if self.detector is None and self._build_detector is not None:
            self._build_detector()
        if self.detector is None:
            return whole_image(image)
        return detect_persons(self.detector, image, self.det_cat_ids, bbox_thr, nms_thr)

    @torch.no_grad()
    def forward(
        self, inputs: Sequence[dict], batch_size: int = 8, with_maps: bool = False, flip_test: bool | None = None
    ) -> list[PoseDataSample]:
        """Run the model.

        Args:
            inputs: Packed persons.
            batch_size: Number of persons at a time.
            with_maps: Whether the model outputs its maps too.
            flip_test: Whether to average with the mirrored image; by default as in the config.

        Returns:
            One sample for each person.
        """
        samples: list[PoseDataSample] = []
        changes = dict(output_heatmaps=with_maps) | ({} if flip_test is None else dict(flip_test=flip_test))
        with self._lock, temporary_items(self.model.test_cfg, **changes):
            for first in range(0, len(inputs), batch_size):
                samples += self.model.test_step(self.collate_fn(list(inputs[first : first + batch_size])))
        return samples
