"""Predict poses in images, folders, videos and camera streams, with the interface of mmpose's inferencers.

Unlike ``MMPoseInferencer`` it takes boxes, batches persons of several images, requires that the checkpoint matches the
config, and reports and draws occlusion. Unreadable images are skipped and reported; files are written atomically.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.structures import PixelData

from posestructs.apis.base_inferencer import BaseInferencer

# isort: split
from mmpose.structures import PoseDataSample

from posestructs.apis.boxes import GivenBoxes, check_inside
from posestructs.apis.frames import Frame, Source
from posestructs.apis.image_sources import open_source
from posestructs.apis.inference_call import (
    Call,
    Item,
    batches,
    check_options,
    make_tracker,
    progress_bar,
    result_folders,
)
from posestructs.apis.person_detector import DetectorError, whole_image
from posestructs.apis.persons import instance_dicts, keep_distinct, merge_persons
from posestructs.apis.result_files import ResultFiles
from posestructs.apis.second_pass import tighter_boxes
from posestructs.apis.tracking import write_ids
from posestructs.apis.windows import check_window
from posestructs.models.heads import PartScoreHead
from posestructs.utils.usage import UsageError
from posestructs.visualization import OcclusionLocalVisualizer
from posestructs.visualization.image_maps import maps_of_image

_HINT = (
    'no boxes are given and there is no detector: each image is taken as one person. Give the boxes of '
    'persons (bboxes, --bbox) or an ONNX file of YOLOX or RTMDet (det_model, --det-model), or install mmdet'
)


class PoseInferencer(BaseInferencer):
    """Predict poses and, where the model can, occlusion.

    ::

        inferencer = PoseInferencer()  # the model that posestructs ships
        for result in inferencer('people.jpg', bboxes=[[10, 20, 110, 220]], out_dir='out'):
            persons = result['predictions'][0]

    Args:
        config: A config file, ``mmpose::path`` of one that mmpose ships, a config, the name of a shipped model (see
            :func:`~posestructs.apis.shipped_models.shipped_models`) or of one of mmpose's model zoo. By default the
            first shipped model.
        checkpoint: A file or address. By default the one that belongs to a shipped model or a model of mmpose's zoo;
            otherwise the weights are random, which is logged.
        device: 'cpu', 'cuda', 'cuda:1', ... By default a GPU where there is one.
        det_model: ONNX file of YOLOX or RTMDet, config or name of a detector of mmdet, or 'whole_image' for none. By
            default, if mmdet is installed, mmpose's detector for the objects of the config's data (persons, hands,
            faces or animals), which is downloaded when it is first needed; otherwise none.
        det_weights: Weights of a detector of mmdet.
        det_cat_ids: Classes of ``det_model`` that are persons. Defaults to 0.
        show_progress: Show a progress bar.

    Attributes:
        logs_errors: Whether each image that is left out is logged. Its result has the reason in any case.

    Raises:
        UsageError: A file is missing or would not be loaded safely, the checkpoint belongs to another config (the first
            weights that differ are named) or holds NaN, the head and the data have different numbers of joints, there
            is no such device, mmdet is missing for the detector, or an ONNX file is not a detector that can be used.
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
        super().__init__(config, checkpoint, device, det_model, det_weights, det_cat_ids, show_progress)
        self._map_kinds: tuple[str, ...] | None = None
        self._hint_pending = det_model is None
        self.logs_errors = True

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
        flip_test: bool | None = None,
        second_pass: bool | None = None,
        track: bool = False,
        smooth: bool = False,
        **kwargs: Any,
    ) -> Iterator[dict]:
        """Predict.

        Args:
            inputs: An image (path, address or (H, W, 3) uint8 BGR array), a folder of images, a video, 'webcam' or
                'webcam:1', or a list of images.
            bboxes: (N, 4) x1, y1, x2, y2 in pixels of the persons in each image: a list of such arrays, a dict by file
                name (names that no image has are logged at the end; that of a video is for all of its frames), or one
                array for all images. An empty array means that the image shows no person. ``None`` (also for one image
                of several): the detector if there is one, otherwise the whole image is one person.
            batch_size: Number of persons that share a forward pass.
            out_dir: Folder of the results: drawn images go to ``visualizations``, predictions as json to
                ``predictions``. Files have the names of the images, with suffix or number where these are ambiguous.
            show: Open a window.
            return_vis: Return the drawn images too.
            return_maps: Return the maps too.
            kpt_thr: Joints with a lower score are not drawn, 0 to 1.
            return_datasamples: Return mmpose's data samples instead of dicts.
            flip_test: Average with the mirrored image, which takes twice as long. By default as in the config.
            second_pass: Predict again in a crop around the joints that were found, where that is clearly smaller than
                the box; the box of the crop becomes that of the person. By default for whole images that are taken as
                one person; True for given and detected boxes too, such as loose ones; False for none.
            track: Give each person of a video a ``track_id``, which stays the same from frame to frame. Needs the
                extra ``track``.
            smooth: Smooth the joints of a video along the tracks. Implies ``track``.
            **kwargs: Other arguments of ``MMPoseInferencer``: ``bbox_thr``, ``nms_thr``, ``pose_based_nms``,
                ``vis_out_dir``, ``pred_out_dir``, ``draw_bbox``, ``draw_heatmap``, ``radius``, ``thickness``,
                ``skeleton_style``, ``black_background``, ``wait_time``.

        Returns:
            For each image a dict of

            - ``predictions``: a list of one list, of a dict per person: ``keypoints``, ``keypoint_scores``,
              ``keypoints_occluded``, ``keypoints_correct`` and ``keypoints_present`` (probabilities) and ``pose_score``
              where the model gives them, ``bbox`` (in a tuple, as in mmpose), ``bbox_score``, ``keypoint_names``, and
              ``track_id`` with ``track``;
            - ``visualization``: a list of one drawn image, (H, W, 3) uint8 RGB, or ``None``;
            - ``maps``, with ``return_maps``: see :func:`~posestructs.visualization.image_maps.maps_of_image`;
            - ``error``, of an image among several that cannot be used: the reason. It has no persons; a video keeps the
              frame.

        Raises:
            UsageError: The input or a box cannot be used, an argument is not allowed, a folder cannot be created, or a
                result would overwrite an input; while the results are taken: the detector cannot be used. An error
                that concerns one image is raised only if that is the only one, one of a box that is given for all
                frames of a video at the first.
        """
        flags = dict(show=show, return_vis=return_vis, return_maps=return_maps, return_datasamples=return_datasamples)
        flags |= dict(flip_test=flip_test, second_pass=second_pass, track=track, smooth=smooth)
        check_options(batch_size, kpt_thr=kpt_thr, **flags, **kwargs)
        kwargs.update(result_folders(out_dir, kwargs), show=show, return_vis=return_vis, kpt_thr=kpt_thr)
        preprocess, forward, visualize, postprocess = self._dispatch_kwargs(**kwargs)
        vis_out_dir, pred_out_dir = visualize.pop('vis_out_dir', ''), postprocess.get('pred_out_dir', '')
        source = open_source(inputs)
        self._prepare_drawing(source, visualize, writes=bool(vis_out_dir or pred_out_dir))
        boxes = self._given_boxes(bboxes, source)
        call = Call(
            source,
            ResultFiles(source, vis_out_dir, pred_out_dir),
            1 if source.is_camera else batch_size,
            visualize,
            forward.get('pose_based_nms', False),
            bool(return_datasamples or postprocess.get('return_datasample')),
            return_maps,
            self.model.test_cfg.get('flip_test', False) if flip_test is None else flip_test,
            make_tracker(source, track, smooth),
            second_pass,
        )
        return self._run(call, self.preprocess(source.frames, boxes, **preprocess))

    def _prepare_drawing(self, source: Source, visualize: dict[str, Any], writes: bool) -> None:
        """Set up window and visualizer; a camera is shown unless its results are written."""
        if source.is_camera:
            visualize['show'] = visualize['show'] or not writes
        if visualize['show']:
            check_window()
        self.update_model_visualizer_settings(**visualize)

    def update_model_visualizer_settings(self, skeleton_style: str = 'mmpose', **kwargs: Any) -> None:
        """Set the style of the visualizer, 'mmpose' or 'openpose'."""
        try:
            self.visualizer.set_dataset_meta(self.model.dataset_meta, skeleton_style)
        except NotImplementedError as error:
            raise UsageError(f"skeleton_style='openpose' is for models of COCO's joints: {error}") from error

    def _given_boxes(self, bboxes: Any, source: Source) -> GivenBoxes:
        if bboxes is None and self._build_detector is None and self.detector is None and self._hint_pending:
            print_log(_HINT, logger='current')
            self._hint_pending = False
        total = None if source.is_video else source.total
        return GivenBoxes(bboxes, total, source.names, source.video_names)

    def _run(self, call: Call, items: Iterable[Item]) -> Iterator[dict]:
        try:
            with progress_bar(call.source, self.show_progress) as advance:
                for batch in batches(items, call.batch_size):
                    persons = [person for item in batch for person in item.persons]
                    samples = self.forward(persons, call.batch_size, call.wants_maps, call.flip_test)
                    found = iter(self._predict_again(call, batch, samples))
                    for item in batch:
                        yield self._result(call, item.frame, [next(found) for _ in item.persons])
                        advance()
        finally:
            call.files.close()

    def _predict_again(self, call: Call, batch: list[Item], samples: list[PoseDataSample]) -> list[PoseDataSample]:
        """Replace predictions by those of a tighter crop, where the call asks for it and one is found."""
        again = {
            index: self.crop(frame.image, box[None], frame.path)[0]
            for index, frame, box in tighter_boxes(batch, samples, call.second_pass)
        }
        found = self.forward(list(again.values()), call.batch_size, call.wants_maps, call.flip_test)
        replaced = dict(zip(again, found, strict=True))
        return [replaced.get(i, sample) for i, sample in enumerate(samples)]

    def preprocess(
        self, inputs: Iterable[Frame], bboxes: GivenBoxes, bbox_thr: float = 0.3, nms_thr: float = 0.3
    ) -> Iterator[Item]:
        """Crop the persons of images.

        Args:
            inputs: Images.
            bboxes: Boxes of persons, where they are given.
            bbox_thr: Detected persons with a lower score are dropped.
            nms_thr: If two detected boxes overlap by more, only the one with the higher score is kept.

        Yields:
            An image and its persons; one that cannot be used has none, and an error.

        Raises:
            UsageError: The detector cannot be used, or a box that is given for all frames of a video is outside.
        """
        for index, frame in enumerate(inputs):
            persons: list[dict] = []
            boxes, is_whole = None, False
            if not frame.error:
                try:
                    boxes = bboxes.of(index, frame.path)
                    if boxes is None:
                        boxes = self._detect(frame.image, bbox_thr, nms_thr)
                        is_whole = self.detector is None
                    check_inside(boxes, frame.image.shape[1::-1])
                    persons = self.crop(frame.image, boxes, frame.path)
                except DetectorError:
                    raise
                except UsageError as error:
                    if frame.number is not None and bboxes.is_for_all(frame.path):  # so would each further frame
                        raise UsageError(f'{frame.title}: {error}') from error
                    frame = frame._replace(error=f'{frame.title}: {error}')
            yield Item(frame, persons, boxes if persons else None, is_whole)
        bboxes.report(self.detector is not None)

    def _result(self, call: Call, frame: Frame, persons: list[PoseDataSample]) -> dict[str, Any]:
        maps = maps_of_image(persons, isinstance(self.model.head, PartScoreHead)) if call.wants_maps else {}
        try:
            merged = merge_persons(persons, frame.path, self.model.dataset_meta['num_keypoints'])
        except UsageError as error:
            frame, maps = frame._replace(error=f'{frame.title}: {error}'), {}
            merged = merge_persons([], frame.path, self.model.dataset_meta['num_keypoints'])
        if frame.error:
            if call.source.single:
                raise UsageError(frame.error)
            if self.logs_errors:
                print_log(f'left out: {frame.error}', logger='current', level=logging.WARNING)
        if call.pose_based_nms:
            keep_distinct(merged)
        if call.tracker is not None:
            call.tracker.update(merged.pred_instances)
        shown = not frame.error or call.source.is_video  # else the frames after it would move up
        drawn = self._draw(call, frame, merged, maps) if call.wants_images and shown else None
        instances = instance_dicts(merged, self._joint_names())
        if shown:
            call.files.add(frame, instances, drawn)
        result = dict(
            predictions=[merged if call.datasamples else instances],
            visualization=[drawn if call.visualize['return_vis'] and not frame.error else None],
        )
        if call.maps:
            result['maps'] = maps
        return {**result, 'error': frame.error} if frame.error else result

    def _draw(self, call: Call, frame: Frame, merged: PoseDataSample, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """(H, W, 3) uint8 RGB image with the persons drawn."""
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
            image = frame.image if call.tracker is None else write_ids(frame.image, merged.pred_instances)
            return self.visualize([image], [merged], window_name=window, **settings)[0]

    def _joint_names(self) -> list[str]:
        names = self.model.dataset_meta.get('keypoint_id2name', {})
        return [names[k] for k in sorted(names)]

    def _empty_maps(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Maps for a frame without persons, so that its drawing has the size of the others."""
        if self._map_kinds is None:
            samples = self.forward(self.crop(image, whole_image(image)), with_maps=True)
            self._map_kinds = tuple(maps_of_image(samples))
        return {kind: np.zeros((1, *image.shape[:2]), np.float32) for kind in self._map_kinds}
