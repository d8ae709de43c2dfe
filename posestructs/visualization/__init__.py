"""Drawing of poses with visible and occluded joints, of heatmaps and of messages."""

from posestructs.visualization.contact_sheet import contact_sheet, side_by_side, stack_rows
from posestructs.visualization.deformation_drawing import draw_deformation
from posestructs.visualization.occlusion_visualizer import OcclusionLocalVisualizer
from posestructs.visualization.pose_drawing import draw_legend, draw_pose
from posestructs.visualization.structure_visualization_hook import StructureVisualizationHook

__all__ = [
    'OcclusionLocalVisualizer',
    'StructureVisualizationHook',
    'contact_sheet',
    'draw_deformation',
    'draw_legend',
    'draw_pose',
    'side_by_side',
    'stack_rows',
]
