"""Necks that compute features of parts from feature maps."""

from posestructs.models.necks.neck_sequence import NeckSequence
from posestructs.models.necks.residual_message_passing import ResidualMessagePassing
from posestructs.models.necks.tree_message_passing import TreeMessagePassing

__all__ = ['NeckSequence', 'ResidualMessagePassing', 'TreeMessagePassing']
