"""Pure tensor functions of the two methods and thin modules around them."""

from posestructs.layers.encoder_decoder import EncoderDecoder
from posestructs.layers.residual import Residual

__all__ = ['EncoderDecoder', 'Residual']
