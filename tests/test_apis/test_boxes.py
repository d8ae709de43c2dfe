"""Boxes in each form that a user may give them."""

import numpy as np
import pytest

from posestructs.apis.boxes import GivenBoxes, check_boxes, check_inside

BOX = [1, 2, 11, 22]


def test_one_form_of_boxes():
    np.testing.assert_array_equal(check_boxes([BOX]), [[1, 2, 11, 22, 1]])
    np.testing.assert_array_equal(check_boxes(np.array([[*BOX, 0.5]])), np.float32([[1, 2, 11, 22, 0.5]]))
    for empty in ([], np.zeros((0, 4)), np.zeros((0, 5))):
        assert check_boxes(empty).shape == (0, 5)


@pytest.mark.parametrize(
    'boxes, message',
    [
        ([[5, 2, 5, 22]], r'bboxes\[0\]=\(5, 2, 5, 22\) has no size'),
        ([BOX, [1, 22, 11, 2]], r'bboxes\[1\]=\(1, 22, 11, 2\) has no size'),
        ([[1, 2, np.inf, 3]], 'is not finite'),
        ([1, 2, 3, 4], r'shape \(4,\), allowed: \(N, 4\)'),
        ([[1, 2, 3]], r'shape \(1, 3\)'),
        ('a box', "'a box', allowed"),
        ([[1, 2], [1, 2, 3]], 'allowed'),
    ],
)
def test_what_is_no_box(boxes, message):
    with pytest.raises(ValueError, match=message):
        check_boxes(boxes)


def test_outside_of_the_image():
    check_inside(check_boxes([[-5, -5, 1, 1], [99, 49, 200, 200]]), (100, 50))
    for box in ([100, 0, 110, 9], [0, 50, 9, 60], [-9, 0, 0, 9], [0, -9, 9, 0]):
        with pytest.raises(ValueError, match='outside the image, which is 100 wide and 50 high'):
            check_inside(check_boxes([box]), (100, 50))


def test_which_boxes_are_of_an_image():
    assert GivenBoxes(None).of(3, 'a.png') is None
    for everywhere in ([BOX], np.array([BOX])):
        given = GivenBoxes(everywhere, 7)
        assert [given.of(i, '').tolist() for i in (0, 6)] == [[[1, 2, 11, 22, 1]]] * 2
    given = GivenBoxes([[BOX], None, []], 3)
    assert len(given.of(0, '')) == 1 and given.of(1, '') is None and len(given.of(2, '')) == 0
    stacked = GivenBoxes(np.array([[BOX], [BOX]]), 2)  # (images, N, 4)
    assert len(stacked.of(1, '')) == 1
    named = GivenBoxes({'a.png': [BOX], 'b/c.png': []}, 9)
    assert len(named.of(0, 'x/a.png')) == 1 and len(named.of(0, 'b/c.png')) == 0 and named.of(0, 'd.png') is None


def test_numbers_that_differ():
    with pytest.raises(ValueError, match='bboxes are of 1 images, the inputs are 2'):
        GivenBoxes([[BOX]], 2)
    endless = GivenBoxes([[BOX]], None)
    with pytest.raises(ValueError, match='bboxes are of 1 images, there are more'):
        endless.of(1, '')
    with pytest.raises(ValueError, match=r"bboxes\['a.png'\]\[0\]=\(3, 3, 3, 9\)"):
        GivenBoxes({'a.png': [[3, 3, 3, 9]]})
