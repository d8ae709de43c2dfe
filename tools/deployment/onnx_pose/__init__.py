"""Poses from ONNX files of ``export_onnx.py``, with NumPy and onnxruntime alone. Copy this folder where you need it.

::

    from onnx_pose import OnnxPose

    model = OnnxPose('model.onnx')
    people = model(image, boxes)    # (h, w, 3) red, green, blue; (N, 4) x1, y1, x2, y2, or none: the whole image
    people['keypoints']             # (N, K, 2) pixels of the image; model.joints has the names

An image becomes a crop (:mod:`.crop`), the network turns crops into maps, and maps become joints (:mod:`.decoding`).
What there is to know of a network (sizes, mean and deviation, codec, names of joints) stands in its file.

Nothing here may import mmpose, torch or the rest of this project.
"""

from .crop import Window, crop_boxes, to_image
from .decoding import decode, flip_average
from .max_sum import Placement, max_sum
from .model import OnnxPose

__all__ = ['OnnxPose', 'Placement', 'Window', 'crop_boxes', 'decode', 'flip_average', 'max_sum', 'to_image']
