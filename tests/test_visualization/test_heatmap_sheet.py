"""Colours of overlays and bars, pixel by pixel."""

import numpy as np
import pytest

from posestructs.visualization.heatmap_sheet import DiscriminatorScores, heatmap_sheet, overlay, score_bar

GREY = np.full((40, 56, 3), 100, np.uint8)


def test_overlay_lights_up_where_the_cell_lies():
    heatmap = np.zeros((10, 14))
    heatmap[3, 8] = 1
    image = overlay(GREY, heatmap)
    red = image[..., 0].astype(int) - image[..., 2]
    y, x = np.nonzero(red > 100)
    # four pixels a cell, and a cell's centre is a whole pixel
    assert (x.mean(), y.mean()) == (32, 12) and len(x) >= 5
    # darkened grey wherever the map is zero
    assert (image[:8] == 60).all() and (image[:, :28] == 60).all()
    assert (overlay(GREY, -heatmap) == 60).all()
    # halves are shown as wholes of half the top
    assert (overlay(GREY, heatmap / 2, top=0.5) == image).all()


@pytest.mark.parametrize(
    ('score', 'label', 'channel'),
    [(0.75, 1, 1), (0.25, 0, 1), (0.75, 0, 0), (0.25, 1, 0)],
    ids=['right', 'rightly false', 'wrong', 'wrongly false'],
)
def test_bars_are_green_where_right_and_red_where_wrong(score, label, channel):
    bar = score_bar(200, 'P', score, label)
    end = round(200 * score)
    assert bar.shape == (16, 200, 3)
    assert (bar[2, :end].argmax(axis=1) == channel).all() and (bar[2, end:] == 32).all()


def test_an_unknown_label_gives_a_grey_bar():
    bar = score_bar(200, 'P', 0.5, np.nan)
    assert (bar[2, :100] == 110).all() and (bar[2, 100:] == 32).all()


def test_a_tile_holds_maps_and_bars_in_order():
    rng = np.random.default_rng(0)
    pose, occlusion = rng.random((2, 5, 10, 14))
    scores = dict(P=DiscriminatorScores(rng.random(5), np.array([0, 1, 1, 0, np.nan])))
    sheet = heatmap_sheet(GREY, pose, occlusion, scores, list('abcde'), columns=3)
    # tiles of 2 x 40 + 16 rows under a title of 20, 4 pixels apart
    assert sheet.shape == (4 + 2 * (20 + 96 + 4), 4 + 3 * (56 + 4), 3)
    for k in range(5):
        top, left = 4 + 20 + k // 3 * 120, 4 + k % 3 * 60
        tile = sheet[top : top + 96, left : left + 56]
        assert (tile[:40] == overlay(GREY, pose[k])).all()
        assert (tile[40:80] == overlay(GREY, occlusion[k])).all()
        assert (tile[80:] == score_bar(56, 'P', scores['P'].scores[k], scores['P'].labels[k])).all()


def test_other_numbers_of_joints_are_named():
    maps = np.zeros((5, 4, 4))
    with pytest.raises(ValueError, match='occlusion has 4 joints, pose has 5'):
        heatmap_sheet(GREY, maps, maps[:4])
    with pytest.raises(ValueError, match=r"scores\['C'\].labels has 3 joints"):
        heatmap_sheet(GREY, maps, scores=dict(C=DiscriminatorScores(np.zeros(5), np.zeros(3))))
