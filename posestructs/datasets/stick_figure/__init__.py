"""People drawn procedurally, with the truth about every joint: the picture is a function of (seed, index)."""

from posestructs.datasets.stick_figure.scene import Scene, SceneOptions, draw_scene

__all__ = ['Scene', 'SceneOptions', 'draw_scene']
