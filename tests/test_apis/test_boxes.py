"""Boxes in each form that a user may give them."""

import numpy as np
import pytest
from mmengine.logging import MMLogger

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
        ([[0, 0, 1e30, 9]], r'bboxes\[0\]=\(0, 0, 1e\+30, 9\), allowed: coordinates from -1000000 to 1000000'),
        ([[-2e6, 0, 9, 9]], 'allowed: coordinates from -1000000'),
        ([[1, 1, 1 + 1e-9, 9]], 'has no size'),
        (
            [[0.1, 0.2, 0.8, 0.9]],
            r'bboxes\[0\]=\(0.1, 0.2, 0.8, 0.9\) is smaller than a pixel, allowed: pixels, not shares',
        ),
        ([[False, False, True, 9]], r'bboxes=\[\[False, False, True, 9\]\], allowed: \(N, 4\)'),
        (np.ones((1, 4), bool), 'allowed: .N, 4. of x1'),
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
    with pytest.raises(ValueError, match='bboxes are given for 1 image, but there are 2'):
        GivenBoxes([[BOX]], 2)
    endless = GivenBoxes([[BOX]], None)
    with pytest.raises(ValueError, match='bboxes are given for 1 image, but there are more'):
        endless.of(1, '')
    with pytest.raises(ValueError, match=r"bboxes\['a.png'\]\[0\]=\(3, 3, 3, 9\)"):
        GivenBoxes({'a.png': [[3, 3, 3, 9]]})


def test_nobody_in_one_image():
    for nobody in ([], (), np.array([]), np.zeros((0, 4))):
        assert GivenBoxes(nobody, 1).of(0, 'a.png').shape == (0, 5)
    with pytest.raises(ValueError, match='bboxes are given for 0 images, but there are 2'):
        GivenBoxes([], 2)


@pytest.fixture
def logged(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield lambda: [record.getMessage() for record in caplog.records]
    logger.removeHandler(caplog.handler)


def test_names_that_no_image_has(logged):
    given = GivenBoxes({'a.png': [BOX], 'x/b.png': None, **{f'{i}.png': [] for i in range(6)}})
    for path in ('x/a.png', '0.png'):
        given.of(0, path)
    given.report()
    assert logged() == ['bboxes are given for 6 names that no image has: x/b.png, 1.png, 2.png, 3.png, 4.png, ...']
    GivenBoxes({'a.png': [BOX]}).report()
    assert logged()[1:] == ['bboxes are given for 1 name that no image has: a.png']
    for all_used in (None, [[BOX]], {}):
        GivenBoxes(all_used, 1).report()
    assert len(logged()) == 2


def test_images_without_boxes_are_named_once(logged):
    given = GivenBoxes({'a.png': [BOX], 'b.png': None, 'c.png': []})
    for path in ('a.png', 'b.png', 'c.png'):
        given.of(0, path)
    given.report()
    assert logged() == ['bboxes has none for 1 image, taken as one person each: b.png']
    for i in range(9):
        given.of(0, f'{i}.png')
    given.report(has_detector=True)
    assert logged()[1:] == [
        'bboxes has none for 10 images, whose persons the detector finds: b.png, 0.png, 1.png, 2.png, 3.png, ...'
    ]
    for boxes in (None, [BOX]):  # None for all images is logged elsewhere
        GivenBoxes(boxes, 3).of(0, 'a.png')
        GivenBoxes(boxes, 3).report()
    assert len(logged()) == 2


def test_the_name_of_a_video_is_for_all_of_its_frames():
    video = 'film.mp4', 'videos/film.mp4'
    for name in video:
        given = GivenBoxes({name: [BOX], '00000002.jpg': []}, None, video=video)
        assert [len(given.of(i, f'{i:08d}.jpg')) for i in range(4)] == [1, 1, 0, 1]
    single = GivenBoxes({'00000001.jpg': [BOX]}, None, video=video)
    assert single.of(0, '00000000.jpg') is None and len(single.of(1, '00000001.jpg')) == 1
    for other in ('walk.mp4', '0001.jpg', 'a.jpg'):
        with pytest.raises(
            ValueError, match=f'given for {other}, allowed for a video: its name, film.mp4, for all frames, or 00000000'
        ):
            GivenBoxes({other: [BOX]}, None, video=video)
    assert GivenBoxes({}, None, video=video).of(0, '00000000.jpg') is None


def test_names_of_other_images_are_refused_beforehand():
    names = [f'x/{i}.png' for i in range(9)]
    with pytest.raises(
        ValueError, match=r'given for a\.jpg, and no image has such a name; allowed: .*, 0\.png, 1\.png'
    ):
        GivenBoxes({'a.jpg': [BOX]}, 9, names)
    for known in ('3.png', 'x/3.png'):
        assert len(GivenBoxes({'a.jpg': [BOX], known: [BOX]}, 9, names).of(3, 'x/3.png')) == 1
