"""Visualizer of mmpose that marks occluded joints."""

from __future__ import annotations

from typing import Any

import mmcv
import numpy as np
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import VISUALIZERS
from mmpose.visualization import PoseLocalVisualizer

from posestructs.utils.arrays import to_array
from posestructs.utils.checks import check_number
from posestructs.visualization.heatmap_sheet import overlay
from posestructs.visualization.pose_drawing import check_length, draw_pose


@VISUALIZERS.register_module()
class OcclusionLocalVisualizer(PoseLocalVisualizer):
    """mmpose's ``PoseLocalVisualizer`` that draws occluded joints as rings and their limbs dashed.

    It uses ``keypoints_occluded`` of ground truth (1, 0, -1) and of predictions (a probability) if present; otherwise
    all joints are drawn as visible. The OpenPose style is left to mmpose. ``radius`` and ``line_width`` may
    be set later, as mmpose's inferencers do; None makes them automatic. Below heatmaps it draws occlusion maps
    (``occlusion`` or ``occlusion_heatmaps`` of ``pred_fields``), both on the scale of the heatmaps.

    Args:
        name: Name of the instance. Defaults to 'visualizer'.
        radius: Radius of a joint in pixels. By default it grows with the image and the person.
        line_width: Width of a limb in pixels. By default half the radius.
        **kwargs: As for ``PoseLocalVisualizer``.

    Raises:
        ValueError: ``radius``, ``line_width`` or ``alpha`` is not allowed.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        *args: Any,
        radius: float | None = None,
        line_width: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, *args, radius=radius, line_width=line_width, **kwargs)
        check_number('OcclusionLocalVisualizer.alpha', self.alpha, 0, 1)

    @property
    def radius(self) -> float:
        """Radius of a joint in pixels; if automatic, that of mmpose's OpenPose style."""
        return 3 if self._radius is None else self._radius

    @radius.setter
    def radius(self, radius: float | None) -> None:
        self._radius = check_length('OcclusionLocalVisualizer.radius', radius)

    @property
    def line_width(self) -> int:
        """Width of a limb in pixels; if automatic, that of mmpose's boxes."""
        return 1 if self._line_width is None else self._line_width

    @line_width.setter
    def line_width(self, line_width: int | None) -> None:
        self._line_width = check_length('OcclusionLocalVisualizer.line_width', line_width)

    def _draw_instances_kpts(
        self,
        image: np.ndarray,
        instances: InstanceData,
        kpt_thr: float = 0.3,
        show_kpt_idx: bool = False,
        skeleton_style: str = 'mmpose',
    ) -> np.ndarray:
        instances = without_absent(instances)
        if skeleton_style == 'openpose':
            return super()._draw_instances_kpts(image, instances, kpt_thr, show_kpt_idx, skeleton_style)
        self.set_image(image)
        if 'keypoints' in instances and len(instances):
            points = np.asarray(instances.get('transformed_keypoints', instances.keypoints))
            visible, occluded = (
                None if instances.get(key) is None else to_array(instances.get(key))
                for key in ('keypoints_visible', 'keypoints_occluded')
            )
            drawn = draw_pose(
                self._image,
                points,
                visible,
                occluded,
                self._style(points.shape[-2]),
                threshold=kpt_thr,
                radius=self._radius,
                line_width=self._line_width,
                opacity=self.alpha * np.clip(visible, 0, 1) if self._weighted(visible) else self.alpha,
                indices=show_kpt_idx,
            )
            self.set_image(drawn)
        return self.get_image()

    def _draw_instance_heatmap(self, fields: PixelData, overlaid_image: np.ndarray | None = None) -> np.ndarray | None:
        if 'heatmaps' not in fields:
            return None
        pose, occlusion = to_array(fields.heatmaps), fields.get('occlusion', fields.get('occlusion_heatmaps'))
        pose = pose.max(axis=0) if pose.ndim == 3 else pose
        if overlaid_image is None:
            overlaid_image = np.zeros((*pose.shape, 3), np.uint8)
        top = max(float(pose.max()), 1e-6)
        rows = [overlay(overlaid_image, pose, top)]
        if occlusion is not None:
            rows.append(overlay(overlaid_image, to_array(occlusion).max(axis=0), top))
        return np.concatenate(rows)

    def _weighted(self, visible: np.ndarray | None) -> bool:
        return self.show_keypoint_weight and visible is not None

    def _style(self, num_joints: int) -> dict:
        """Metainfo for :func:`draw_pose`, from mmpose's arguments, which may be names of colours."""
        links = [] if self.skeleton is None or self.link_color is None else self.skeleton
        return dict(
            keypoint_colors=_color_list(self.kpt_color, num_joints),
            skeleton_links=links,
            skeleton_link_colors=_color_list(self.link_color, len(links)),
        )


def without_absent(instances: InstanceData) -> InstanceData:
    """Leave out joints that are more probably outside the image than in it.

    Args:
        instances: Persons, perhaps with ``keypoints_present``, a probability or a label.

    Returns:
        InstanceData: The same, or a copy in which ``keypoints_visible`` of such joints is -1, below any threshold.
    """
    if 'keypoints_present' not in instances or 'keypoints' not in instances:
        return instances
    present = to_array(instances.keypoints_present)
    visible = to_array(instances.get('keypoints_visible', np.ones(present.shape)))
    visible = visible[..., 0] if visible.ndim == 3 else visible
    instances = instances.clone()
    instances.keypoints_visible = np.where(present < 0.5, -1, visible)
    return instances


def _color_list(colors: Any, count: int) -> list:
    """Colours of mmpose as RGB, one for each joint or limb."""
    if colors is None or isinstance(colors, str):
        colors = [colors] * count
    return [mmcv.color_val(c)[::-1] if isinstance(c, str) else c for c in colors]
