"""Pure tensor functions of the two methods and thin modules around them."""

from posestructs.layers.encoder_decoder import EncoderDecoder
from posestructs.layers.max_sum import MaxSumResult, max_sum, placement_score
from posestructs.layers.message_kernels import MessageKernels
from posestructs.layers.message_passing import message_steps, pass_messages
from posestructs.layers.placement_refinement import refine_placement
from posestructs.layers.pose_pyramid import best_of_pyramid, pyramid_scales
from posestructs.layers.residual import Residual

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
    'pyramid_scales',
    'refine_placement',
]
