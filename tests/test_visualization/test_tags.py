"""Texts are legible on white, grey and black, and stay inside of the image."""

import numpy as np
import pytest

from posestructs.visualization.pose_drawing import draw_pose
from posestructs.visualization.tags import draw_tag


def dark_and_light(image, background):
    """Boxes x1, y1, x2, y2 of what was drawn, and the shares of dark and of light pixels in it."""
    rows, columns = np.nonzero((image != background).any(-1))
    box = columns.min(), rows.min(), columns.max(), rows.max()
    inner = image[box[1] : box[3] + 1, box[0] : box[2] + 1]
    return box, (inner.max(-1) < 60).mean(), (inner.min(-1) > 180).mean()


@pytest.mark.parametrize('background', [255, 200])
def test_a_text_stands_on_a_dark_rectangle(background):
    image = np.full((80, 120, 3), background, np.uint8)
    draw_tag(image, '12', (30, 20), 0.6)
    (left, top, right, bottom), dark, light = dark_and_light(image, background)
    assert (left, top) == (30, 20) and 15 < right - left < 40 and 10 < bottom - top < 30
    assert dark > 0.4 and light > 0.02


def test_a_dark_text_stands_on_a_light_rectangle():
    image = np.zeros((80, 120, 3), np.uint8)
    draw_tag(image, '7', (30, 20), 0.6, color=(240, 228, 66))
    assert tuple(image[21, 31]) == (240, 228, 66) and (image[21:35, 31:40].max(-1) < 60).any()


def test_above_a_point_but_inside_the_image():
    for y, expected in ((50, 50), (-9, None)):
        image = np.full((80, 120, 3), 255, np.uint8)
        draw_tag(image, '7', (30, y), 0.6, above=True)
        (_, top, _, bottom), *_ = dark_and_light(image, 255)
        assert bottom == expected if expected else top == 0
    image = np.full((80, 120, 3), 255, np.uint8)
    draw_tag(image, '7', (1e30, 5), 0.6)
    assert (image == 255).all()


def test_indices_of_joints_are_legible_on_white():
    drawn = draw_pose(np.full((80, 80, 3), 255, np.uint8), np.array([[40.0, 40]]), radius=5, indices=True)
    tag = drawn[20:34, 46:52]
    assert (tag.max(-1) < 60).mean() > 0.3 and (tag.min(-1) > 180).any()
