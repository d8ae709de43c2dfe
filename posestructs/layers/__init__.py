"""Tensor functions and small modules that the models are built from."""

from posestructs.layers.hourglass import EncoderDecoder, Residual
from posestructs.layers.max_sum import MaxSumResult, max_sum, placement_score
from posestructs.layers.message_kernels import MessageKernels
from posestructs.layers.message_passing import message_steps, pass_messages
from posestructs.layers.pose_pyramid import best_of_pyramid

__all__ = [
    'EncoderDecoder',
    'MaxSumResult',
    'MessageKernels',
    'Residual',
    'best_of_pyramid',
    'max_sum',
    'message_steps',
    'pass_messages',
    'placement_score',
]
