"""Detectors of ONNX files in each form in which YOLOX and RTMDet are exported, on boxes worked out by hand."""

import cv2
import numpy as np
import onnx
import pytest

from posestructs.deployment.onnx_pose import OnnxDetector, UnusableDetectorError
from posestructs.deployment.onnx_pose.detections import decode_grid, read_outputs, suppress
from posestructs.deployment.onnx_pose.letterbox import letterbox, resize
from tests.helpers.onnx_detectors import FORMS, SQUARES, red_squares, write_detector


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('family', ['yolox', 'rtmdet'])
def test_boxes_of_each_form(family, form, tmp_path):
    detector = OnnxDetector(write_detector(tmp_path / f'{family}_s.onnx', form, family == 'rtmdet'))
    # of three grids: one cell of 16 pixels has a quarter of the red
    np.testing.assert_allclose(detector(red_squares(), 0.5), SQUARES, atol=1e-4)
    np.testing.assert_allclose(detector(red_squares(), 0.9), SQUARES[:1], atol=1e-4)
    assert detector(np.zeros((40, 40, 3), np.uint8), 0.5).shape == (0, 5)


def test_the_other_family_has_other_inputs(tmp_path):
    """RTMDet's network on the pixels of YOLOX: its scores are far beyond 1."""
    detector = OnnxDetector(write_detector(tmp_path / 'yolox.onnx', normalized=True))
    assert detector(red_squares(), 0.5)[0, 4] > 50


def test_classes_that_are_persons(tmp_path):
    path = write_detector(tmp_path / 'yolox.onnx', num_classes=3, person=2)
    detector = OnnxDetector(path)
    assert len(detector(red_squares(), 0.5)) == 0
    assert len(detector(red_squares(), 0.5, classes=2)) == len(detector(red_squares(), 0.5, classes=(0, 2))) == 2
    path = write_detector(tmp_path / 'rtmdet.onnx', 'with nms', True, num_classes=8, person=7)
    assert [len(OnnxDetector(path)(red_squares(), 0.5, classes=one)) for one in (0, 7)] == [0, 2]


def test_a_file_that_leaves_its_size_open_gets_640(tmp_path):
    detector = OnnxDetector(write_detector(tmp_path / 'yolox.onnx', size='side'))
    assert detector.size == (640, 640)


def test_the_grid_by_hand():
    """An input 64 wide and 32 high: 8 x 4, 4 x 2 and 2 x 1 cells, row by row."""
    values = np.zeros((32 + 8 + 2, 4))
    values[8 * 2 + 3] = 0.25, -0.5, np.log(3), 0
    values[32 + 4 + 1] = 0.5, 0.5, 0, np.log(0.5)
    centres, sizes = decode_grid(values, (64, 32))
    np.testing.assert_allclose(centres[19], [(3 + 0.25) * 8, (2 - 0.5) * 8])
    np.testing.assert_allclose(sizes[19], [24, 8])
    np.testing.assert_allclose(centres[37], [24, 24])
    np.testing.assert_allclose(sizes[37], [16, 8])
    np.testing.assert_allclose([centres[41], sizes[41]], [[32, 0], [32, 32]])
    with pytest.raises(ValueError, match='43 boxes, allowed: 42, one for each cell of an input 64x32'):
        decode_grid(np.zeros((43, 4)), (64, 32))


@pytest.mark.parametrize('shape', [(48, 100), (7, 3), (90, 31), (64, 64)])
def test_images_are_resized_as_opencv_does(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for size in ((64, 30), (20, 97), (1, 1)):
        expected = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        # OpenCV's weights have 11 bits
        np.testing.assert_allclose(resize(image, size).astype(int), expected, atol=1)


def test_images_are_padded_at_the_right_and_below():
    padded, ratio = letterbox(np.full((30, 60, 3), 200, np.uint8), (32, 24))
    assert ratio == 32 / 60 and padded.shape == (24, 32, 3)
    assert (padded[:16] == 200).all() and (padded[16:] == 114).all()
    padded, ratio = letterbox(np.full((3000, 1, 3), 200, np.uint8), (32, 24))
    assert ratio == 24 / 3000 and (padded[:, 0] == 200).all() and (padded[:, 1:] == 114).all()


def test_of_overlapping_boxes_the_best_is_kept():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [20, 0, 30, 10], [1, 0, 11, 10]], float)
    scores = np.array([0.7, 0.8, 0.6, 0.9])
    # intersections over union with the last: 90 / 110, 45 / 105, 0
    assert suppress(boxes, scores, 0.4).tolist() == [3, 2]
    assert suppress(boxes, scores, 0.43).tolist() == [3, 1, 2]
    assert suppress(boxes, scores, 0.82).tolist() == [3, 1, 0, 2]
    assert suppress(boxes[:0], scores[:0], 0.5).tolist() == []


def test_files_that_are_no_such_detector(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such file'):
        OnnxDetector(tmp_path / 'yolox.onnx')
    (tmp_path / 'yolox.onnx').write_bytes(b'not a network')
    with pytest.raises(ValueError, match='onnxruntime cannot load it'):
        OnnxDetector(tmp_path / 'yolox.onnx')
    (tmp_path / 'files').mkdir()
    path = write_detector(tmp_path / 'files' / 'end2end.onnx')
    with pytest.raises(ValueError, match='is it YOLOX or RTMDet.*yolox, rtmdet'):
        OnnxDetector(path)
    (tmp_path / 'RTMDet_nano').mkdir()
    assert OnnxDetector(path.rename(tmp_path / 'RTMDet_nano' / 'end2end.onnx')).family == 'rtmdet'
    model = onnx.load(tmp_path / 'RTMDet_nano' / 'end2end.onnx')
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    onnx.save(model, tmp_path / 'yolox.onnx')
    with pytest.raises(ValueError, match=r'has the inputs image tensor\(float\) \[1, 4, 64, 64\], allowed'):
        OnnxDetector(tmp_path / 'yolox.onnx')


@pytest.mark.parametrize(
    'shapes', [[(1, 84, 3)], [(1, 84, 4)], [(1, 5, 5), (1, 4)], [(2, 84, 7)], [(84, 7)], [(1, 84, 7)] * 2]
)
def test_outputs_of_other_networks(shapes):
    with pytest.raises(ValueError, match='outputs of the shapes .* allowed'):
        read_outputs([np.zeros(shape, np.float32) for shape in shapes], (64, 64))


def test_a_file_that_never_worked_is_told_from_an_image(tmp_path):
    """One with the wrong outputs, and one that takes the roots of corners, which at the edges are negative."""
    path = write_detector(tmp_path / 'yolox.onnx', 'with nms')
    model = onnx.load(path)
    wrong = onnx.load(path)
    wrong.graph.output.pop(0)
    onnx.save(wrong, tmp_path / 'yolox_wrong.onnx')
    with pytest.raises(UnusableDetectorError, match=r'yolox_wrong.onnx: outputs of the shapes \[\(1, 10\)\], allowed'):
        OnnxDetector(tmp_path / 'yolox_wrong.onnx')(red_squares())
    name = model.graph.output[0].name
    model.graph.output[0].name = 'roots'
    model.graph.node.append(onnx.helper.make_node('Sqrt', [name], ['roots']))
    onnx.save(model, path)
    everywhere, within = np.full((64, 64, 3), 255, np.uint8), np.zeros((64, 64, 3), np.uint8)
    within[16:, 16:] = 255
    with pytest.raises(UnusableDetectorError, match='not finite'):
        OnnxDetector(path)(everywhere)
    detector = OnnxDetector(path)
    detector(within)
    with pytest.raises(ValueError, match='not finite') as caught:
        detector(everywhere)
    assert caught.type is ValueError


def test_outputs_that_are_not_finite():
    with pytest.raises(ValueError, match='not finite'):
        read_outputs([np.full((1, 3, 5), np.nan, np.float32)], (64, 64))
