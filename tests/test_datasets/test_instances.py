import numpy as np
import pytest

from posestructs.datasets.errors import AnnotationError
from posestructs.datasets.instances import box_from_joints, box_problem, check_finite, make_instance, outside_joints

POINTS = np.array([[10.0, 20.0], [30.0, 60.0], [999.0, -5.0]])
TWO = np.array([True, True, False])


def test_box_is_tight_padded_about_its_centre_and_clipped():
    assert box_from_joints(POINTS, TWO).tolist() == [[10, 20, 30, 60]]
    assert box_from_joints(POINTS, TWO, 1.5).tolist() == [[5, 10, 35, 70]]
    assert box_from_joints(POINTS, TWO, 3.0).tolist() == [[0, 0, 50, 100]]
    assert box_from_joints(POINTS, TWO, 3.0, (40, 80)).tolist() == [[0, 0, 40, 80]]
    assert box_from_joints(POINTS, ~np.ones(3, dtype=bool)).tolist() == [[0, 0, 0, 0]]


def test_unlabelled_joints_become_zeros_whatever_the_file_holds():
    points = np.array([[10.0, 20.0], [np.nan, np.inf], [-7.0, 3.0]])
    item = make_instance(
        points,
        [1, 0, 0],
        np.array([1, 1, -1]),
        np.array([[0, 0, 10, 20]], np.float32),
        img_path='a',
        img_id=3,
        ann_id=4,
    )
    assert item['keypoints'].tolist() == [[[10, 20], [0, 0], [0, 0]]]
    assert item['keypoints_visible'].tolist() == [[1, 0, 0]]
    assert item['keypoints_occluded'].tolist() == [[1, 0, 0]]
    assert {item[k].dtype for k in ('keypoints', 'keypoints_visible', 'keypoints_occluded', 'bbox')} == {np.dtype('f4')}
    assert (item['img_id'], item['id'], item['num_keypoints'], float(item['area'])) == (3, 4, 1, pytest.approx(106))


def test_the_coco_form_has_cocos_flags():
    box = np.array([[5, 6, 15, 26]], np.float32)
    args = dict(img_path='a', img_id=3, ann_id=4)
    occluded = make_instance(POINTS, [1, 1, 0], np.array([1, 0, 0]), box, **args)['raw_ann_info']
    assert occluded['keypoints'] == [10, 20, 1, 30, 60, 2, 0, 0, 0]
    assert occluded['bbox'] == [5, 6, 10, 20] and occluded['image_id'] == 3 and occluded['id'] == 4
    unknown = make_instance(POINTS, [1, 1, 0], np.array([-1, -1, 0]), box, **args)['raw_ann_info']
    absent = make_instance(POINTS, [1, 1, 0], None, box, **args)
    assert unknown['keypoints'] == absent['raw_ann_info']['keypoints'] == [10, 20, 2, 30, 60, 2, 0, 0, 0]
    assert absent['keypoints_occluded'] is None


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_a_labelled_joint_needs_a_position(value):
    points = POINTS.copy()
    points[2, 1] = value
    check_finite(points, TWO, ['a', 'b', 'c'], 'f.mat', 7)
    with pytest.raises(AnnotationError, match=rf'f.mat: person 7: joint 2 \(c\) is at \[999.0, {value}\]'):
        check_finite(points, np.ones(3, dtype=bool), ['a', 'b', 'c'], 'f.mat', 7)


def test_outside_allows_half_a_pixel_beyond_either_convention():
    # an image of 100 x 50 pixels: centres from (0, 0) to (99, 49), or from (1, 1) to (100, 50)
    points = np.array([[-0.5, 0], [-0.6, 0], [100.5, 50.5], [100.6, 5], [5, 50.6], [5, -9], [5, -9]])
    labelled = np.array([1, 1, 1, 1, 1, 1, 0])
    assert outside_joints(points, labelled, (50, 100)).tolist() == [False, True, False, True, True, True, False]


@pytest.mark.parametrize(
    ('box', 'message'),
    [
        ([1, 1, 2, 2], '1 x 1 pixels'),
        ([1, 1, 1, 90], '0 x 89 pixels'),
        ([9, 1, 5, 90], '-4 x 89 pixels'),
        ([1, 1, np.nan, 90], 'not finite'),
    ],
)
def test_box_problems_are_named(box, message):
    assert message in box_problem(np.array([box], np.float32))
    assert box_problem(np.array([[1, 1, 3, 2]], np.float32)) is None
