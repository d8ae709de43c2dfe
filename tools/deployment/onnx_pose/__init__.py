"""Poses from ONNX files of ``export_onnx.py``, with NumPy and onnxruntime alone. Copy this folder where you need it.

::

    from onnx_pose import OnnxPose, read_image

    model = OnnxPose('model.onnx')
    image = read_image('people.jpg')  # (h, w, 3) red, green, blue
    persons = model(image, boxes)     # (N, 4) x1, y1, x2, y2; by default the whole image
    persons['keypoints']              # (N, K, 2) pixels of the image; model.joints has the names

Boxes of persons come from you, or from an ONNX file of YOLOX or RTMDet: ``OnnxDetector('yolox_s.onnx')(image)[:, :4]``.
Without boxes the whole image is one person, who is predicted a second time around the joints that were found
(:mod:`.second_pass`). Boxes are cropped (:mod:`.crop`), the network turns crops into maps, and maps become joints
(:mod:`.decoding`). All properties of a network (sizes, mean and deviation, codec, names of joints) are stored in its
file.

Nothing here may import mmpose, torch or the rest of this project. For that reason the decoding of the project's codecs
and of mmpose's is implemented here a second time; tests compare both.
"""

from .crop import Window, crop_boxes, to_image
from .decoding import decode, flip_average
from .detector import OnnxDetector, UnusableDetectorError
from .images import read_image
from .left_out import describe_left_out
from .max_sum import Placement, max_sum
from .model import OnnxPose, check_boxes
from .result_names import ResultNames, json_name

__all__ = [
    'OnnxDetector',
    'OnnxPose',
    'Placement',
    'ResultNames',
    'UnusableDetectorError',
    'Window',
    'check_boxes',
    'crop_boxes',
    'decode',
    'describe_left_out',
    'flip_average',
    'json_name',
    'max_sum',
    'read_image',
    'to_image',
]
