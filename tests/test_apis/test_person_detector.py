"""Detectors of ONNX files in an inferencer; those of mmdet are tested in test_pose_inferencer.py."""

import numpy as np
import onnx
import pytest

from posestructs.apis import PoseInferencer
from posestructs.apis.person_detector import DetectorError
from tests.helpers.onnx_detectors import SQUARES, red_squares, write_detector


@pytest.mark.parametrize('family', ['yolox', 'rtmdet'])
def test_persons_of_an_onnx_file(family, apn, tmp_path):
    detector = write_detector(
        tmp_path / f'{family}.onnx', 'with nms' if family == 'rtmdet' else 'raw', family == 'rtmdet'
    )
    inferencer = PoseInferencer(*apn, device='cpu', det_model=detector)
    image = red_squares()[..., ::-1]  # blue, green, red
    (result,) = inferencer(image, bbox_thr=0.5)
    persons = result['predictions'][0]
    np.testing.assert_allclose([[*p['bbox'][0], p['bbox_score']] for p in persons], SQUARES, atol=1e-4)
    (given,) = inferencer(image, bboxes=[box[:4] for box in SQUARES])
    for one, other in zip(persons, given['predictions'][0], strict=True):
        np.testing.assert_allclose(one['keypoints'], other['keypoints'], atol=0.01)
    (result,) = inferencer(np.zeros_like(image), bbox_thr=0.5)
    assert result['predictions'] == [[]]


def test_classes_of_an_onnx_file(apn, tmp_path):
    detector = write_detector(tmp_path / 'yolox.onnx', num_classes=3, person=2)
    for classes, count in ((0, 0), ((1, 2), 2)):
        inferencer = PoseInferencer(*apn, device='cpu', det_model=str(detector), det_cat_ids=classes)
        (result,) = inferencer(red_squares()[..., ::-1], bbox_thr=0.5)
        assert len(result['predictions'][0]) == count


def test_onnx_files_that_are_refused(apn, tmp_path):
    for name, match in (
        ('absent.onnx', 'det_model=.*absent.onnx: no such file'),
        ('model.onnx', 'is it YOLOX or RTMDet'),
    ):
        if name == 'model.onnx':
            write_detector(tmp_path / name)
        with pytest.raises(ValueError, match=match):
            PoseInferencer(*apn, device='cpu', det_model=str(tmp_path / name))
    with pytest.raises(ValueError, match='det_weights=w.pth, allowed with the ONNX file'):
        PoseInferencer(*apn, device='cpu', det_model='yolox.onnx', det_weights='w.pth')
    for model in (None, 'whole_image'):
        with pytest.raises(ValueError, match=f'det_weights=w.pth with det_model={model}, allowed: with a detector of'):
            PoseInferencer(*apn, device='cpu', det_model=model, det_weights='w.pth')


def test_a_file_with_other_outputs_ends_the_call_at_the_first_image(apn, images, tmp_path):
    path = write_detector(tmp_path / 'yolox.onnx', 'with nms')
    model = onnx.load(path)
    model.graph.output.pop(0)
    onnx.save(model, path)
    inferencer = PoseInferencer(*apn, device='cpu', det_model=path)
    with pytest.raises(DetectorError, match=r'^det_model=.*yolox.onnx: outputs of the shapes .* allowed'):
        next(inferencer(images))
