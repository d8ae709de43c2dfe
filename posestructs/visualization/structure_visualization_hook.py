"""Pictures of predictions with all that a model knows of them, while it is trained or tested.

For a person two pictures: one of the image, with the skeleton, below it heatmaps and occlusion maps; and one with a
tile per joint, of its map, its occlusion map, and a bar per discriminator, as long as its verdict on the joint; of
:class:`~posestructs.models.heads.PartScoreHead` a tile per part, virtual ones and background included, of its score.
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

from posestructs.engine.network_optim import unwrapped
from posestructs.models.heads import PartScoreHead
from posestructs.utils.images import decode_image, write_image
from posestructs.utils.media import output_suffix
from posestructs.utils.release import discriminators_in
from posestructs.visualization.browsing import as_picture
from posestructs.visualization.heatmap_sheet import LETTERS, Verdicts, heatmap_sheet
from posestructs.visualization.image_maps import crop_matrix, maps_of_image
from posestructs.visualization.pose_drawing import enlarge

_TILE = 96  # least shorter side in pixels


@HOOKS.register_module()
class StructureVisualizationHook(PoseVisualizationHook):
    """mmpose's ``PoseVisualizationHook`` with maps and verdicts.

    In validation the first person of every ``interval``-th batch is drawn, in testing every ``interval``-th person.
    With ``out_dir`` testing writes files ``NAME_0.SUFFIX`` and ``NAME_0_maps.png`` there; otherwise pictures go to the
    visualizer's backends (files, TensorBoard, WandB) as ``val_img`` and ``val_maps``, ``test_img`` and ``test_maps``.
    A relative ``out_dir`` lies below the run in the work directory. Images of data sets that have no files are shown as
    far as the model sees them.

    Args:
        maps: Have the model give its maps, and draw them. Defaults to True.
        **kwargs: mmpose's: ``enable``, ``interval``, ``kpt_thr``, ``show``, ``wait_time``, ``out_dir``,
            ``backend_args``.
    """

    def __init__(self, *args: Any, maps: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.maps = maps
        self._scored: list[str] = []
        self._before: tuple[dict, Any] | None = None
        self._folder: Path | None = None

    # ------------------------------------------------------------------------------------------------ the run

    def after_load_checkpoint(self, runner: Runner, checkpoint: Mapping) -> None:
        """Attach discriminators to a model that is tested, if the checkpoint has weights for them."""
        model = unwrapped(runner.model)
        if not (self.enable and self.maps and hasattr(model, 'attach_discriminators')):
            return
        weights = checkpoint.get('state_dict', checkpoint)
        held = discriminators_in(weights)
        names = [name for name in model.networks() if name in held]
        if names:
            model.attach_discriminators()
            self._scored = names

    def before_val(self, runner: Runner) -> None:
        """Have the model give its maps."""
        self._ask_for_maps(runner)

    def after_val(self, runner: Runner) -> None:
        """Leave the model as it was."""
        self._ask_no_more()

    def before_test(self, runner: Runner) -> None:
        """Have the model give its maps, and settle where pictures go."""
        self._ask_for_maps(runner)
        if self.enable and self.out_dir is not None:
            self._folder = Path(runner.work_dir, runner.timestamp, self.out_dir)
            self._folder.mkdir(parents=True, exist_ok=True)

    def after_test(self, runner: Runner) -> None:
        """Leave the model as it was."""
        self._ask_no_more()

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
        """Draw the people of a batch."""
        if not self.enable:
            return
        self._visualizer.set_dataset_meta(runner.test_evaluator.dataset_meta)
        for index in range(len(outputs)):
            if self._test_index % self.interval == 0:
                self._draw(runner, data_batch, outputs, index, 'test', self._test_index + 1)
            self._test_index += 1

    def _ask_for_maps(self, runner: Runner) -> None:
        model = unwrapped(runner.model)
        if (
            not self.enable
            or not self.maps
            or not isinstance(getattr(model, 'head', None), HeatmapHead | PartScoreHead)
        ):
            return
        self._before = model.test_cfg, model.test_cfg.get('output_heatmaps')
        model.test_cfg['output_heatmaps'] = True

    def _ask_no_more(self) -> None:
        if self._before is not None:
            (test_cfg, value), self._before = self._before, None
            test_cfg['output_heatmaps'] = bool(value)

    # ------------------------------------------------------------------------------------------------ pictures

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
        """The image, (H, W, 3) RGB; without a file what the model sees of it, where it was."""
        path = sample.get('img_path')
        if path and exists(path, backend_args=self.backend_args):
            return np.ascontiguousarray(decode_image(get(path, backend_args=self.backend_args), path)[..., ::-1])
        picture = as_picture(crop.permute(1, 2, 0).numpy())
        height, width = sample.metainfo['ori_shape'][:2]
        matrix = crop_matrix(sample.metainfo, picture.shape[1::-1])
        return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR)

    def _file(self, sample: PoseDataSample, step: int) -> Path:
        """A name that is not taken: one image may show several people."""
        path, count = Path(sample.get('img_path') or f'{step:06d}.png'), 0
        suffix = output_suffix(path)
        while (file := self._folder / f'{path.stem}_{count}{suffix}').exists():
            count += 1
        return file

    def _sheet(self, runner: Runner, sample: PoseDataSample, crop: torch.Tensor) -> np.ndarray | None:
        """The picture with a tile per joint."""
        fields = sample.get('pred_fields')
        if fields is None or 'heatmaps' not in fields:
            return None
        picture = as_picture(crop.permute(1, 2, 0).numpy())
        tile = enlarge(picture, max(1.0, _TILE / min(picture.shape[:2])))
        if 'part_scores' in fields:
            parts = unwrapped(runner.model).head.tree.names
            return heatmap_sheet(tile, _array(fields.part_scores), names=[*parts, 'background'])
        maps = [fields.get(key) for key in ('heatmaps', 'occlusion_heatmaps') if key in fields]
        pose, *occlusion = map(_array, maps)
        names = list((self._visualizer.dataset_meta or {}).get('keypoint_id2name', {}).values())
        verdicts = self._verdicts(runner, sample, crop, maps)
        return heatmap_sheet(tile, pose, *occlusion or [None], verdicts, names if len(names) == len(pose) else None)

    @torch.no_grad()
    def _verdicts(
        self, runner: Runner, sample: PoseDataSample, crop: torch.Tensor, maps: Sequence[torch.Tensor]
    ) -> dict[str, Verdicts]:
        """Scores of the discriminators on the predicted maps; their labels are not known."""
        model = unwrapped(runner.model)
        discriminators = getattr(model, 'discriminators', None)
        if discriminators is None:
            return {}
        data = model.data_preprocessor(dict(inputs=[crop], data_samples=[sample]), False)
        both = torch.cat(list(maps))[None].to(data['inputs'])
        names = self._scored if runner._train_loop is None else list(discriminators)
        verdicts = {}
        for name in names:
            scores = model.discriminator_logits(name, both, data['inputs']).sigmoid()[0].float().cpu().numpy()
            verdicts[LETTERS.get(name, name)] = Verdicts(scores, np.full(len(scores), np.nan))
        return verdicts


def _array(maps: torch.Tensor) -> np.ndarray:
    return maps.detach().float().cpu().numpy()
