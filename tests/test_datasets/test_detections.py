"""Files of detected boxes: what is refused, left out and kept."""

import pytest

from posestructs.datasets.detections import check_detections, detection_instances
from posestructs.datasets.errors import AnnotationError

IMAGES = {1: dict(id=1, width=160, height=120, img_path='1.png')}
GOOD = dict(image_id=1, category_id=1, bbox=[10, 20, 50, 40], score=0.9)


def check(*detections, categories=({'id': 1},)):
    return check_detections(list(detections), 'det.json', IMAGES, categories, 'ann.json')


def test_boxes_that_are_kept(log_lines):
    empty, outside, car = dict(GOOD, bbox=[10, 10, 0, 5]), dict(GOOD, bbox=[160, 0, 9, 9]), dict(GOOD, category_id=3)
    assert check(empty, GOOD, outside, car) == [GOOD]
    assert 'det.json: 2 of 4 detections are left out; the first: detection 0 (image 1): bbox' in log_lines[-1]
    assert check(dict(GOOD, category_id=5), categories=[{'id': 5}])[0]['category_id'] == 5
    (sample,) = detection_instances([GOOD], IMAGES, 4)
    assert sample['bbox'].tolist() == [[10, 20, 60, 60]] and sample['img_path'] == '1.png'
    assert sample['keypoints_visible'].shape == (1, 4) and not sample['keypoints_visible'].any()


@pytest.mark.parametrize(
    ('detections', 'message'),
    [
        ([], 'has no usable detection: it is empty'),
        (
            [dict(GOOD, category_id=18)],
            r'has no usable detection: of categories \[18\], allowed: .* category 1 for ann.json',
        ),
        ([GOOD, dict(GOOD, image_id=99)], 'detection 1: image_id 99 is not among the images of ann.json'),
        ([{key: GOOD[key] for key in ('image_id', 'category_id', 'bbox')}], "detection 0 has no key 'score'"),
        ([7], "detection 0 has no key 'image_id'"),
        ([dict(GOOD, score=None)], 'detection 0: score is None'),
        ([dict(GOOD, category_id='1')], "detection 0: category_id is '1'"),
        ([dict(GOOD, bbox=[1, 2, 3])], r'detection 0: bbox is \[1, 2, 3\]'),
        ([dict(GOOD, bbox=[1, 2, 3, float('nan')])], 'detection 0: bbox is'),
    ],
)
def test_files_that_are_refused(detections, message):
    with pytest.raises(AnnotationError, match=f'^det.json: {message}'):
        check(*detections)


def test_a_file_that_is_no_list():
    with pytest.raises(AnnotationError, match='^det.json: holds a dict'):
        check_detections({}, 'det.json', IMAGES, [], 'ann.json')
