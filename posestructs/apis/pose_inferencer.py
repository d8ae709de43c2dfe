"""Poses of people in images, folders, videos and camera pictures, called as mmpose's inferencers are.

What differs from ``MMPoseInferencer``: boxes may be given, people of several images share a forward pass, a checkpoint
must fit its config, occlusion is told and drawn, a bad image among several costs that image only, files are whole.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from mmengine.structures import PixelData
from torch import nn

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from mmpose.apis.inferencers import Pose2DInferencer
from mmpose.apis.inferencers import base_mmpose_inferencer as mmpose_base
from mmpose.evaluation.functional import nms
from mmpose.structures import PoseDataSample

from posestructs.apis.boxes import GivenBoxes, check_inside
from posestructs.apis.devices import check_device
from posestructs.apis.image_sources import Frame, open_source
from posestructs.apis.inference_call import Call, Item, batches, changed, progress_bar
from posestructs.apis.model_source import (
    joints_of,
    load_weights,
    not_a_model,
    objects_of,
    read_checkpoint,
    resolve_model,
)
from posestructs.apis.people import instance_dicts, keep_different, merge_people
from posestructs.apis.result_files import ResultFiles
from posestructs.apis.windows import check_window
from posestructs.models.heads import PartScoreHead
from posestructs.utils.usage import UsageError
from posestructs.visualization import OcclusionLocalVisualizer
from posestructs.visualization.image_maps import maps_of_image

WHOLE_IMAGE = ('whole_image', 'whole-image')
STYLES = ('mmpose', 'openpose')


class PoseInferencer(Pose2DInferencer):
    """Predict poses and, where the model can, occlusion.

    ::

        inferencer = PoseInferencer()  # the model that posestructs ships
        for result in inferencer('people.jpg', bboxes=[[10, 20, 110, 220]], out_dir='out'):
            people = result['predictions'][0]

    Args:
        config: A config file, ``mmpose::path`` of one that mmpose ships, a config, the name of a shipped model (see
            :func:`~posestructs.apis.shipped_models.shipped_models`) or of one of mmpose's model zoo. By default the
            first shipped model.
        checkpoint: A file or address. By default the one that belongs to a shipped model or one of mmpose's zoo;
            without any the weights are random, which is logged.
        device: 'cpu', 'cuda', 'cuda:1', ...; by default a GPU where there is one.
        det_model: Config or name of a detector of mmdet; 'whole_image' for none. By default, where mmdet is installed,
            mmpose's detector for what the config's data shows (people, hands, faces or animals), which is fetched
            when it is first needed; elsewhere none.
        det_weights: Of the detector.
        det_cat_ids: Classes of the detector ``det_model`` that are people. Defaults to 0.
        show_progress: Draw a progress bar.

    Raises:
        UsageError: Something of these cannot be: a file is absent or would not be loaded safely, the checkpoint is of
            another config (names the first weights that differ), there is no such device, or no mmdet for the detector.
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
        # a page may be asked by several people at once, and the model's settings change with the question
        self._lock = threading.RLock()
        self._map_kinds: tuple[str, ...] | None = None
        try:
            super().__init__(model, weights, device, 'mmpose', det_model, det_weights, det_cat_ids, show_progress)
        except ValueError as error:
            if str(error).startswith('Cannot find model'):
                raise UsageError(not_a_model(str(config))) from error
            raise

    # ------------------------------------------------------------------------------------------------ building

    def _init_model(self, cfg: Config, weights: str | None, device: str = 'cpu') -> nn.Module:
        self._checkpoint = None if weights is None else read_checkpoint(weights)
        try:
            return super()._init_model(cfg, None, device)
        finally:
            del self._checkpoint

    def _load_weights_to_model(self, model: nn.Module, checkpoint: Mapping | None, cfg: Config) -> None:
        checkpoint = self._checkpoint  # mmengine has read none
        if checkpoint is None:
            text = 'no checkpoint is given: the weights are random, and so is what they predict'
            print_log(text, logger='current', level=logging.WARNING)
        else:
            config, weights = self._names
            load_weights(model, checkpoint, weights, config)
        known = (checkpoint or {}).get('meta', {}).get('dataset_meta')
        model.dataset_meta = known or joints_of(cfg)

    def _init_collate(self, cfg: Config) -> Callable:
        if 'collate_fn' in cfg.test_dataloader:
            return super()._init_collate(cfg)
        return pseudo_collate  # the base class finds it after a warning

    def _init_visualizer(self, cfg: Config) -> Any:
        """Ours in the place of mmpose's, which knows no occlusion, and without files of a training run."""
        visualizer = dict(cfg.get('visualizer') or {})
        if visualizer.get('type', 'PoseLocalVisualizer') == 'PoseLocalVisualizer':
            visualizer['type'] = 'OcclusionLocalVisualizer'
        visualizer.pop('vis_backends', None)
        cfg.visualizer = visualizer
        return super()._init_visualizer(cfg)

    def _init_detector(
        self, det_model: Any = None, det_weights: str | None = None, det_cat_ids: Any = None, device: str | None = None
    ) -> None:
        """Remember the detector; it is built when an image comes without boxes."""
        self.detector, self._build_detector = None, None
        if det_model in WHOLE_IMAGE or (det_model is None and not mmpose_base.has_mmdet):
            return
        if not mmpose_base.has_mmdet:
            raise UsageError(
                f'det_model={det_model!r} needs mmdet, which cannot be imported here (python -m posestructs.compat '
                "says why); without it give boxes, or det_model='whole_image'"
            )
        if det_model is None:
            default = mmpose_base.default_det_models[objects_of(self.cfg)]
            det_model, det_weights, det_cat_ids = default['model'], default['weights'], default['cat_ids']
        build = super()._init_detector
        self._build_detector = lambda: build(det_model, det_weights, det_cat_ids, device)

    # ------------------------------------------------------------------------------------------------ calling

    def __call__(
        self,
        inputs: Any,
        bboxes: Any = None,
        batch_size: int = 8,
        out_dir: str | Path | None = None,
        show: bool = False,
        return_vis: bool = False,
        return_maps: bool = False,
        kpt_thr: float = 0.3,
        return_datasamples: bool = False,
        **kwargs: Any,
    ) -> Iterator[dict]:
        """Predict.

        Args:
            inputs: An image (path, address or (H, W, 3) uint8 BGR array), a folder of images, a video, 'webcam' or
                'webcam:1', or a list of images.
            bboxes: (N, 4) x1, y1, x2, y2 in pixels of the people in each image: a list of such arrays, a dict by file
                name (names that no image has are logged at the end), or one array for all images. An empty one:
                nobody is there. ``None`` (also for one image of several): the detector where there is one, else the
                whole image is one person.
            batch_size: People that share a forward pass.
            out_dir: Pictures go to its folder ``visualizations``, predictions as json to ``predictions``, called as
                the images; where that could be taken for another image's, with its suffix or a number.
            show: Open a window.
            return_vis: Give the pictures too.
            return_maps: Give the maps too.
            kpt_thr: Joints with a smaller score are not drawn.
            return_datasamples: Give mmpose's data samples in the place of dicts.
            **kwargs: Further ones of ``MMPoseInferencer``: ``bbox_thr``, ``nms_thr``, ``pose_based_nms``,
                ``vis_out_dir``, ``pred_out_dir``, ``draw_bbox``, ``draw_heatmap``, ``radius``, ``thickness``,
                ``skeleton_style``, ``black_background``, ``wait_time``.

        Returns:
            Iterator[dict]: For each image a dict of

            - ``predictions``: a list of one list, of a dict per person: ``keypoints``, ``keypoint_scores``,
              ``keypoints_occluded`` (probabilities, if the model tells), ``bbox`` (in a tuple, as in mmpose),
              ``bbox_score``;
            - ``visualization``: a list of one picture, (H, W, 3) uint8 RGB, or ``None``;
            - ``maps``, with ``return_maps``: see :func:`~posestructs.visualization.image_maps.maps_of_image`;
            - ``error``, of an image among several that cannot be used: why. Nobody is predicted there; a video keeps
              the frame.

        Raises:
            UsageError: The input or a box cannot be used, an argument is not allowed, a folder cannot be made, or a
                file of results would overwrite an input. What concerns one image only is raised when its turn comes,
                and only if it is the only one.
        """
        if batch_size < 1:
            raise UsageError(f'batch_size={batch_size}, allowed: at least 1')
        kwargs.update(show=show, return_vis=return_vis, kpt_thr=kpt_thr)
        for key, folder in (('vis_out_dir', 'visualizations'), ('pred_out_dir', 'predictions')):
            if out_dir is not None and not kwargs.get(key):
                kwargs[key] = str(Path(out_dir, folder))
        preprocess, forward, visualize, postprocess = self._dispatch_kwargs(**kwargs)
        if not forward.get('merge_results', True):
            raise UsageError('merge_results=False, allowed: True, as the people of an image are one list')
        vis_out_dir = visualize.pop('vis_out_dir', '')
        source = open_source(inputs)
        if source.is_camera:
            batch_size = 1
            visualize['show'] = show or not (vis_out_dir or postprocess.get('pred_out_dir'))
        if visualize['show']:
            check_window()
        self.update_model_visualizer_settings(**visualize)
        boxes = GivenBoxes(bboxes, None if source.is_video else source.total, source.names)
        call = Call(
            source,
            ResultFiles(source, vis_out_dir, postprocess.get('pred_out_dir', '')),
            batch_size,
            visualize,
            forward.get('pose_based_nms', False),
            bool(return_datasamples or postprocess.get('return_datasample')),
            return_maps,
        )
        return self._run(call, self.preprocess(source.frames, boxes, **preprocess))

    def update_model_visualizer_settings(self, skeleton_style: str = 'mmpose', **kwargs: Any) -> None:
        """Set the visualizer to a style, 'mmpose' or 'openpose'."""
        if skeleton_style not in STYLES:
            raise UsageError(f'skeleton_style={skeleton_style!r}, allowed: {", ".join(STYLES)}')
        try:
            self.visualizer.set_dataset_meta(self.model.dataset_meta, skeleton_style)
        except NotImplementedError as error:
            raise UsageError(f"skeleton_style='openpose' is for models of COCO's joints: {error}") from error

    def _run(self, call: Call, items: Iterable[Item]) -> Iterator[dict]:
        try:
            with progress_bar(call.source, self.show_progress) as advance:
                for batch in batches(items, call.batch_size):
                    people = [person for item in batch for person in item.people]
                    found = iter(self.forward(people, call.batch_size, call.wants_maps))
                    for item in batch:
                        if item.frame.error and call.source.single:
                            raise UsageError(item.frame.error)
                        yield self._result(call, item.frame, [next(found) for _ in item.people])
                        advance()
        finally:
            call.files.close()

    def preprocess(
        self, inputs: Iterable[Frame], bboxes: GivenBoxes, bbox_thr: float = 0.3, nms_thr: float = 0.3
    ) -> Iterator[Item]:
        """Cut people out of images.

        Args:
            inputs: Images.
            bboxes: Boxes of people, where they are given.
            bbox_thr: Least score of a detected person.
            nms_thr: Of two detected boxes that overlap more than this the better one stays.

        Yields:
            Item: An image and its people; one that cannot be used has none, and says why.
        """
        for index, frame in enumerate(inputs):
            people: list[dict] = []
            if not frame.error:
                try:
                    people = self._people(frame, bboxes.of(index, frame.path), bbox_thr, nms_thr)
                except UsageError as error:
                    frame = frame._replace(error=f'image {frame.path}: {error}')
            yield Item(frame, people)
        bboxes.warn_of_unused()

    def _people(self, frame: Frame, boxes: np.ndarray | None, bbox_thr: float, nms_thr: float) -> list[dict]:
        height, width = frame.image.shape[:2]
        boxes = self._detect(frame.image, bbox_thr, nms_thr) if boxes is None else boxes
        check_inside(boxes, (width, height))
        return self.crop(frame.image, boxes, frame.path)

    def crop(self, image: np.ndarray, boxes: np.ndarray, path: str = '') -> list[dict]:
        """Cut people out of an image, as the model wants them.

        Args:
            image: (H, W, 3) uint8 BGR.
            boxes: (N, 5): x1, y1, x2, y2 in pixels and a score.
            path: Of the image, for what is made of it.

        Returns:
            list[dict]: N packed people, for :meth:`forward`.
        """
        info = dict(img=image, img_path=path, **self.model.dataset_meta)
        return [self.pipeline(dict(info, bbox=box[None, :4], bbox_score=box[4:])) for box in boxes]

    def _detect(self, image: np.ndarray, bbox_thr: float, nms_thr: float) -> np.ndarray:
        """(N, 5) boxes of people, or that of the whole image where there is no detector."""
        if self.detector is None and self._build_detector is not None:
            self._build_detector()
        if self.detector is None:
            return _whole(image)
        found = self.detector(image, return_datasamples=True)['predictions'][0].pred_instances.cpu().numpy()
        keep = np.isin(found.labels, self.det_cat_ids) & (found.scores > bbox_thr)
        boxes = np.concatenate([found.bboxes, found.scores[:, None]], axis=1)[keep].astype(np.float32)
        return boxes[nms(boxes, nms_thr)]

    @torch.no_grad()
    def forward(self, inputs: Sequence[dict], batch_size: int = 8, with_maps: bool = False) -> list[PoseDataSample]:
        """Run the model.

        Args:
            inputs: Packed people.
            batch_size: How many at a time.
            with_maps: Whether it gives its maps too.

        Returns:
            list[PoseDataSample]: One for each person.
        """
        samples: list[PoseDataSample] = []
        with self._lock, changed(self.model.test_cfg, 'output_heatmaps', with_maps):
            for first in range(0, len(inputs), batch_size):
                samples += self.model.test_step(self.collate_fn(list(inputs[first : first + batch_size])))
        return samples

    # ------------------------------------------------------------------------------------------------ results

    def _result(self, call: Call, frame: Frame, people: list[PoseDataSample]) -> dict[str, Any]:
        if frame.error:
            print_log(f'left out: {frame.error}', logger='current', level=logging.WARNING)
        maps = maps_of_image(people, isinstance(self.model.head, PartScoreHead)) if call.wants_maps else {}
        merged = merge_people(people, frame.path, self.model.dataset_meta['num_keypoints'])
        if call.pose_based_nms:
            keep_different(merged)
        shown = not frame.error or call.source.is_video  # else the frames after it would move up
        picture = self._draw(call, frame, merged, maps) if call.wants_picture and shown else None
        instances = instance_dicts(merged)
        if shown:
            call.files.add(frame, instances, picture)
        result = dict(
            predictions=[merged if call.datasamples else instances],
            visualization=[picture if call.visualize['return_vis'] and not frame.error else None],
        )
        if call.maps:
            result['maps'] = maps
        return {**result, 'error': frame.error} if frame.error else result

    def _draw(self, call: Call, frame: Frame, merged: PoseDataSample, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """The picture, (H, W, 3) uint8 RGB."""
        settings = {**call.visualize, 'return_vis': True}
        if isinstance(self.visualizer, OcclusionLocalVisualizer):
            settings = dict(radius=None, thickness=None) | settings  # by the sizes of image and person
        if settings.get('draw_heatmap') and not maps and call.source.is_video:
            maps = self._empty_maps(frame.image)
        if settings.get('draw_heatmap') and maps:
            merged.pred_fields = PixelData(**maps)
        with self._lock:
            self._video_input = call.source.is_video
            window = call.source.name if call.source.is_video else ''
            return self.visualize([frame.image], [merged], window_name=window, **settings)[0]

    def _empty_maps(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Maps of a film's frame without people, so that its picture has the size of the others."""
        if self._map_kinds is None:
            samples = self.forward(self.crop(image, _whole(image)), with_maps=True)
            self._map_kinds = tuple(maps_of_image(samples))
        return {kind: np.zeros((1, *image.shape[:2]), np.float32) for kind in self._map_kinds}


def _whole(image: np.ndarray) -> np.ndarray:
    """(1, 5) box of the whole image."""
    return np.array([[0, 0, image.shape[1], image.shape[0], 1]], dtype=np.float32)
