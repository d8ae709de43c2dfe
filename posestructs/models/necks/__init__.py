"""Necks."""

from posestructs.models.necks.tree_message_passing import TreeMessagePassing

__all__ = ['TreeMessagePassing']
