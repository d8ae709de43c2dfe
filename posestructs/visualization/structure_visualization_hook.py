"""Draw predictions with their maps and the scores of the discriminators during validation and testing.

There are two images for a person: the input image with the skeleton, above its heatmaps and occlusion maps; and a sheet
with a tile per joint, of its map, its occlusion map, and a bar per discriminator, as long as its score. The sheet of a
:class:`~posestructs.models.heads.PartScoreHead` has a tile per part, virtual parts and background included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.fileio import exists, get
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmpose.engine.hooks import PoseVisualizationHook
from mmpose.models.heads import HeatmapHead
from mmpose.registry import HOOKS
from mmpose.structures import PoseDataSample

from posestructs.datasets.transforms import RandomOccluder
from posestructs.models.heads import PartScoreHead
from posestructs.utils.arrays import to_array
from posestructs.utils.checks import check_bool, check_integer, check_number
from posestructs.utils.discriminator_weights import discriminators_in
from posestructs.utils.images import decode_image, write_image
from posestructs.utils.media import output_suffix
from posestructs.utils.networks import unwrapped
from posestructs.visualization.browsing import to_rgb
from posestructs.visualization.heatmap_sheet import DiscriminatorScores, heatmap_sheet, short_name
from posestructs.visualization.image_maps import crop_matrix, maps_of_image
from posestructs.visualization.pose_drawing import enlarge

_TILE = 96  # least length of the shorter side in pixels


@HOOKS.register_module()
class StructureVisualizationHook(PoseVisualizationHook):
    """mmpose's ``PoseVisualizationHook`` with maps and scores of discriminators.

    In validation the first person of every ``interval``-th batch is drawn, in testing every ``interval``-th person.
    With ``out_dir``, testing writes ``NAME_0.SUFFIX`` and ``NAME_0_maps.png`` there (in the format of the image, or as
    JPEG where OpenCV does not write it); otherwise images go to the visualizer's backends (files, TensorBoard, WandB)
    as ``val_img`` and ``val_maps``, ``test_img`` and ``test_maps``. A relative ``out_dir`` lies below the run in the
    work directory. If a data set has no image files, the part of the image that the model sees is shown; if its
    pipeline pastes occluders, that part lies over the image of the file.

    Args:
        maps: Have the model output its maps, and draw them. Defaults to True.
        **kwargs: Arguments of mmpose's hook: ``enable``, ``interval``, ``kpt_thr``, ``show``, ``wait_time``,
            ``out_dir``, ``backend_args``.

    Raises:
        ValueError: An argument is not allowed.
    """

    def __init__(self, *args: Any, maps: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_integer('StructureVisualizationHook.interval', self.interval, 1)
        check_number('StructureVisualizationHook.kpt_thr', self.kpt_thr, 0, 1)
        check_number('StructureVisualizationHook.wait_time', self.wait_time, 0)
        self.maps = check_bool('StructureVisualizationHook.maps', maps)
        self._occludes = False
        self._discriminators: list[str] = []
        self._before: tuple[dict, Any] | None = None
        self._folder: Path | None = None

    # ------------------------------------------------------------------------------------------------ the run

    def after_load_checkpoint(self, runner: Runner, checkpoint: Mapping) -> None:
        """Attach the discriminators that the checkpoint holds; a model is tested without them otherwise."""
        model = unwrapped(runner.model)
        if not (self.enable and self.maps and hasattr(model, 'attach_discriminators')):
            return
        held = discriminators_in(checkpoint.get('state_dict', checkpoint))
        names = [name for name in model.networks() if name in held]
        if names:
            model.attach_discriminators()
            self._discriminators = names

    def before_val(self, runner: Runner) -> None:
        """Have the model output its maps."""
        self._request_maps(runner)
        self._occludes = changes_images(runner.val_loop.dataloader.dataset)

    def after_val(self, runner: Runner) -> None:
        """Restore the settings of the model."""
        self._restore()

    def before_test(self, runner: Runner) -> None:
        """Have the model output its maps, and create the folder of the images."""
        self._request_maps(runner)
        self._occludes = changes_images(runner.test_loop.dataloader.dataset)
        if self.enable and self.out_dir is not None:
            self._folder = Path(runner.work_dir, runner.timestamp, self.out_dir)
            self._folder.mkdir(parents=True, exist_ok=True)

    def after_test(self, runner: Runner) -> None:
        """Restore the settings of the model."""
        self._restore()

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[PoseDataSample]
    ) -> None:
        """Draw the first person of a batch."""
        step = runner.iter + batch_idx
        if self.enable and step % self.interval == 0:
            self._visualizer.set_dataset_meta(runner.val_evaluator.dataset_meta)
            self._draw(runner, data_batch, outputs, 0, 'val', step)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[PoseDataSample]
    ) -> None:
        """Draw the persons of a batch."""
        if not self.enable:
            return
        self._visualizer.set_dataset_meta(runner.test_evaluator.dataset_meta)
        for index in range(len(outputs)):
            if self._test_index % self.interval == 0:
                self._draw(runner, data_batch, outputs, index, 'test', self._test_index + 1)
            self._test_index += 1

    def _request_maps(self, runner: Runner) -> None:
        model = unwrapped(runner.model)
        if (
            not self.enable
            or not self.maps
            or not isinstance(getattr(model, 'head', None), HeatmapHead | PartScoreHead)
        ):
            return
        self._before = model.test_cfg, model.test_cfg.get('output_heatmaps')
        model.test_cfg['output_heatmaps'] = True

    def _restore(self) -> None:
        if self._before is not None:
            (test_cfg, value), self._before = self._before, None
            test_cfg['output_heatmaps'] = bool(value)

    # ------------------------------------------------------------------------------------------------ images--

    def _draw(
        self, runner: Runner, data_batch: Mapping, outputs: Sequence[PoseDataSample], index: int, phase: str, step: int
    ) -> None:
        if not is_main_process():
            return
        sample, crop = outputs[index].clone(), data_batch['inputs'][index]
        image = self._image(sample, crop)
        file = self._file(sample, step) if phase == 'test' and self._folder is not None else None
        sheet = self._sheet(runner, sample, crop)
        if 'pred_fields' in sample:
            centred = isinstance(unwrapped(runner.model).head, PartScoreHead)
            sample.pred_fields = PixelData(**maps_of_image([sample], centred))
        name = Path(sample.get('img_path') or str(step)).name
        drawing = dict(draw_gt=False, draw_bbox=True, draw_heatmap=True, kpt_thr=self.kpt_thr, step=step)
        showing = dict(show=self.show, wait_time=self.wait_time, out_file=None if file is None else str(file))
        self._visualizer.add_datasample(name if self.show else f'{phase}_img', image, sample, **drawing, **showing)
        if sheet is None:
            return
        if self.show:
            self._visualizer.show(sheet, win_name=f'{name}: maps', wait_time=self.wait_time)
        if file is not None:
            write_image(file.with_name(f'{file.stem}_maps.png'), sheet)
        else:
            self._visualizer.add_image(f'{phase}_maps', sheet, step)

    def _image(self, sample: PoseDataSample, crop: torch.Tensor) -> np.ndarray:
        """(H, W, 3) RGB image; the crop that the model sees lies over it where that shows occluders."""
        path, image = sample.get('img_path'), None
        if path and exists(path, backend_args=self.backend_args):
            image = np.ascontiguousarray(decode_image(get(path, backend_args=self.backend_args), path)[..., ::-1])
            if not self._occludes:
                return image
        rgb = to_rgb(crop.permute(1, 2, 0).numpy())
        size = sample.metainfo['ori_shape'][1::-1]
        matrix = crop_matrix(sample.metainfo, rgb.shape[1::-1])
        if image is None:
            return cv2.warpAffine(rgb, matrix, size, flags=cv2.INTER_LINEAR)
        # BORDER_TRANSPARENT: pixels beyond the crop stay those of the file
        return cv2.warpAffine(rgb, matrix, size, dst=image, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)

    def _file(self, sample: PoseDataSample, step: int) -> Path:
        """Name that is not taken, as one image may show several persons."""
        path, count = Path(sample.get('img_path') or f'{step:06d}.png'), 0
        suffix = output_suffix(path) if path.suffix else '.png'
        while (file := self._folder / f'{path.stem}_{count}{suffix}').exists():
            count += 1
        return file

    def _sheet(self, runner: Runner, sample: PoseDataSample, crop: torch.Tensor) -> np.ndarray | None:
        """Sheet with a tile per joint."""
        fields = sample.get('pred_fields')
        if fields is None or 'heatmaps' not in fields:
            return None
        rgb = to_rgb(crop.permute(1, 2, 0).numpy())
        tile = enlarge(rgb, max(1.0, _TILE / min(rgb.shape[:2])))
        if 'part_scores' in fields:
            parts = unwrapped(runner.model).head.tree.names
            return heatmap_sheet(tile, to_array(fields.part_scores), names=[*parts, 'background'])
        maps = [fields.get(key) for key in ('heatmaps', 'occlusion_heatmaps') if key in fields]
        pose, *occlusion = map(to_array, maps)
        names = list((self._visualizer.dataset_meta or {}).get('keypoint_id2name', {}).values())
        scores = self._scores(runner, sample, crop, maps)
        return heatmap_sheet(tile, pose, *occlusion or [None], scores, names if len(names) == len(pose) else None)

    @torch.no_grad()
    def _scores(
        self, runner: Runner, sample: PoseDataSample, crop: torch.Tensor, maps: Sequence[torch.Tensor]
    ) -> dict[str, DiscriminatorScores]:
        """Scores of the discriminators on the predicted maps, without targets."""
        model = unwrapped(runner.model)
        discriminators = getattr(model, 'discriminators', None)
        if discriminators is None:
            return {}
        data = model.data_preprocessor(dict(inputs=[crop], data_samples=[sample]), False)
        both = torch.cat(list(maps))[None].to(data['inputs'])
        names = self._discriminators if runner._train_loop is None else list(discriminators)
        result = {}
        for name in names:
            logits = model.discriminator_logits(name, both, data['inputs'])
            scores = logits.sigmoid()[0].float().cpu().numpy()
            result[short_name(name)] = DiscriminatorScores(scores, np.full(len(scores), np.nan))
        return result


def changes_images(dataset: Any) -> bool:
    """Check whether the pipeline of a data set pastes something into images, as ``RandomOccluder`` does.

    Args:
        dataset: A data set; of one that joins others, any of them counts.

    Returns:
        bool: True if it does.
    """
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    inner = [*(getattr(dataset, 'datasets', None) or ()), *filter(None, [getattr(dataset, 'dataset', None)])]
    changed = any(isinstance(step, RandomOccluder) or type(step).__name__ == 'Albumentation' for step in steps)
    return changed or any(map(changes_images, inner))
