"""Occluded joints are hollow, visible ones filled, unlabelled ones absent."""

import numpy as np
import pytest

from posestructs.visualization.pose_drawing import draw_legend, draw_pose, enlarged_points

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
META = dict(
    keypoint_colors=np.array([RED, GREEN, BLUE]),
    skeleton_links=[(0, 1), (1, 2)],
    skeleton_link_colors=[RED, BLUE],
)
POINTS = np.array([[20.0, 20], [60, 20], [60, 60]])


def gray(size=(80, 80)):
    return np.full((*size, 3), 128, np.uint8)


def at(image, x, y):
    return tuple(int(v) for v in image[y, x])


def test_visible_is_filled_occluded_is_hollow_unknown_is_square():
    image = gray()
    drawn = draw_pose(
        image, POINTS, None, np.array([0, 1, -1]), dict(META, skeleton_links=[], skeleton_link_colors=[]), radius=8
    )
    assert (image == 128).all(), 'the given image stays as it is'
    assert at(drawn, 20, 20) == RED and at(drawn, 14, 20) == RED
    assert at(drawn, 20 + 7, 20 + 7) == (128, 128, 128), 'a disc has no corners'
    assert at(drawn, 60, 20) == (128, 128, 128), 'the picture is seen through a ring'
    assert at(drawn, 60 + 9, 20) == GREEN and at(drawn, 60, 20 - 9) == GREEN
    assert at(drawn, 60, 60) == BLUE and at(drawn, 60 + 6, 60 + 6) == BLUE, 'a square has corners'
    touched = (drawn != 128).any(axis=-1)
    for x, y in POINTS.astype(int):
        touched[y - 14 : y + 15, x - 14 : x + 15] = False
    assert not touched.any()


def test_a_probability_of_one_half_counts_as_occluded():
    drawn = draw_pose(
        gray(), POINTS, None, np.array([0.49, 0.5, 0.51]), dict(keypoint_colors=META['keypoint_colors']), radius=8
    )
    assert at(drawn, 20, 20) == RED and at(drawn, 60, 20) == at(drawn, 60, 60) == (128, 128, 128)


def test_limbs_to_occluded_joints_are_dashed():
    points = np.array([[10.0, 20], [190, 20], [10, 60]])
    meta = dict(META, skeleton_links=[(0, 1), (2, 1)])
    for occluded, dashed in (([0, 0, 0], False), ([0, 1, 0], True)):
        drawn = draw_pose(gray((80, 200)), points, None, np.array(occluded), meta, radius=3, line_width=2)
        line = (drawn[20, 25:170] == RED).all(axis=-1)
        gaps = np.count_nonzero(line[:-1] & ~line[1:])
        assert line.all() != dashed and (gaps > 5) == dashed


@pytest.mark.parametrize('missing', [0, 1, 2])
def test_joints_below_the_threshold_and_their_limbs_are_left_out(missing):
    visible = np.array([1.0, 1, 1])
    visible[missing] = 0.2
    drawn = draw_pose(gray(), POINTS, visible, None, META, radius=4)
    for k, (x, y) in enumerate(POINTS.astype(int)):
        assert (at(drawn, x, y) == (128, 128, 128)) == (k == missing)
    for (a, b), color in zip(META['skeleton_links'], META['skeleton_link_colors'], strict=True):
        x, y = POINTS[[a, b]].mean(axis=0).astype(int)
        assert at(drawn, x, y) == ((128, 128, 128) if missing in (a, b) else color)
    assert not np.array_equal(drawn, draw_pose(gray(), POINTS, visible, None, META, radius=4, threshold=0.1))


def test_several_persons_and_weights_in_a_second_channel():
    persons = np.stack([POINTS, POINTS + 15])
    visible = np.stack([np.ones((2, 3)), np.zeros((2, 3))], axis=-1)
    joints = dict(keypoint_colors=META['keypoint_colors'])
    drawn = draw_pose(gray(), persons, visible, np.array([[0, 0, 0], [1, 1, 1]]), joints, radius=6)
    assert at(drawn, 20, 20) == RED and at(drawn, 35, 35) == (128, 128, 128)
    assert at(drawn, 35 + 7, 35) == RED


def test_scale_enlarges_the_image_and_moves_the_joints_with_it():
    image = gray((20, 30))
    image[7, 11] = 255
    drawn = draw_pose(image, np.array([[[11.0, 7.0]]]), scale=4, radius=3)
    assert drawn.shape == (80, 120, 3)
    ys, xs = np.nonzero((np.abs(drawn.astype(int) - 128) > 60).any(axis=-1))
    # the pixel (11, 7) becomes the 4 x 4 pixels from 44, 28, whose middle is at 45.5, 29.5
    assert xs.mean() == pytest.approx(45.5, abs=0.6) and ys.mean() == pytest.approx(29.5, abs=0.6)
    np.testing.assert_array_equal(enlarged_points(np.array([11.0, 7.0]), 4), [45.5, 29.5])


def test_sizes_follow_image_and_person():
    def size(image, points):
        drawn = draw_pose(image, points)
        return (drawn != 128).any(axis=-1).sum() / len(points)

    spread = np.array([[100.0, 100], [900, 900]])
    small = size(gray((100, 100)), spread / 10)
    assert size(gray((1000, 1000)), spread) > 4 * small
    close = np.array([[100.0, 100], [140, 140]])
    assert size(gray((1000, 1000)), close) < 0.2 * size(gray((1000, 1000)), spread), 'a small person stays visible'


def test_opacity():
    joints = dict(keypoint_colors=META['keypoint_colors'])
    full = draw_pose(gray(), POINTS, metainfo=joints, radius=6)
    half = draw_pose(gray(), POINTS, metainfo=joints, radius=6, opacity=0.5)
    none = draw_pose(gray(), POINTS, metainfo=META, radius=6, opacity=0)
    assert at(full, 20, 20) == RED and np.abs(np.subtract(at(half, 20, 20), (192, 64, 64))).max() <= 1
    assert (none == 128).all()
    one = draw_pose(gray(), POINTS, metainfo=META, radius=6, opacity=np.array([1, 0, 1]))
    assert at(one, 20, 20) == RED and at(one, 60, 20) != GREEN


def test_joints_far_outside_and_not_finite_do_no_harm():
    points = np.array([[1e12, -1e12], [np.nan, 5], [-3.0, 40]])
    for occluded in (0, 1, -1):
        drawn = draw_pose(gray(), points, None, np.full(3, occluded), META, radius=6)
        assert (drawn[:, 12:] == 128).all()
        assert (drawn[30:50, :8] != 128).any(), 'what is half inside is drawn'


def test_no_persons_no_colours_no_links():
    assert (draw_pose(gray(), np.zeros((0, 3, 2)), metainfo=META) == 128).all()
    drawn = draw_pose(gray(), POINTS, radius=5)
    colors = {at(drawn, int(x), int(y)) for x, y in POINTS}
    assert len(colors) == 3, 'joints without colours get different ones'
    hidden = draw_pose(gray(), POINTS, metainfo=dict(META, keypoint_colors=[None, GREEN, None]), radius=5, line_width=1)
    assert at(hidden, 60, 20) == GREEN and at(hidden, 60, 60) != BLUE


def test_indices_are_written():
    plain, numbered = (draw_pose(gray(), POINTS, radius=4, indices=i) for i in (False, True))
    assert (plain != numbered).any()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r'image=\(80, 80, 3\) float64, allowed: \(H, W, 3\) uint8'):
        draw_pose(gray() * 1.0, POINTS)
    with pytest.raises(ValueError, match=r'visible has the shape \(2,\), allowed: \(1, 3\) or \(3,\)'):
        draw_pose(gray(), POINTS, np.ones(2))
    with pytest.raises(ValueError, match='keypoint_colors has 3 colours, allowed: 2'):
        draw_pose(gray(), POINTS[:2], metainfo=META)
    with pytest.raises(ValueError, match='scale=0, allowed: a finite number above 0'):
        draw_pose(gray(), POINTS, scale=0)


def test_legend_fits_its_width():
    wide, narrow = draw_legend(400), draw_legend(120)
    assert wide.shape[1] == 400 and narrow.shape[1] == 120 and narrow.shape[0] > wide.shape[0]
    assert not np.array_equal(draw_legend(400, ['visible']), wide)
