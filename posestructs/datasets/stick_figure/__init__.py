"""Procedural rendering of synthetic figures with exact joint labels; an image is a function of (seed, index)."""

from posestructs.datasets.stick_figure.scene import Scene, SceneOptions, draw_scene

__all__ = ['Scene', 'SceneOptions', 'draw_scene']
