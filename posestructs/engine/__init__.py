"""Hooks and training machinery beside mmengine's."""

from posestructs.engine import hooks

__all__ = ['hooks']
