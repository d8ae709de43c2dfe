"""Images are where the layout says, unchanged."""

import numpy as np
import pytest

from posestructs.visualization.contact_sheet import contact_sheet, side_by_side, stack_rows


def image(value, height=10, width=14):
    return np.full((height, width, 3), value, np.uint8)


def test_layout_of_cells():
    images = [image(v) for v in (10, 20, 30, 40, 50)]
    sheet = contact_sheet(images, columns=3, gap=2, background=(1, 2, 3))
    assert sheet.shape == (2 + 2 * 12, 2 + 3 * 16, 3)
    for i in range(6):
        row, column = divmod(i, 3)
        cell = sheet[2 + 12 * row : 12 + 12 * row, 2 + 16 * column : 16 + 16 * column]
        expected = images[i] if i < 5 else np.broadcast_to(np.array([1, 2, 3]), cell.shape)
        np.testing.assert_array_equal(cell, expected)
        cell[:] = (1, 2, 3)
    assert (sheet == [1, 2, 3]).all(), 'nothing else is drawn'


def test_pictures_of_different_sizes_keep_theirs():
    images = [image(10, 5, 30), image(20, 20, 6)]
    sheet = contact_sheet(images, columns=2, gap=0, background=(0, 0, 0))
    assert sheet.shape == (20, 60, 3)
    assert (sheet == 10).all(axis=-1).sum() == 150 and (sheet == 20).all(axis=-1).sum() == 120
    assert (sheet[:5, :30] == 10).all() and (sheet[:20, 30:36] == 20).all()


def test_fewer_pictures_than_columns():
    assert contact_sheet([image(1)] * 2, columns=8, gap=0).shape == (10, 28, 3)


def test_titles_stand_above_and_are_cut_to_the_cell():
    images = [image(0, 30, 60)] * 2
    plain = contact_sheet(images, 2, gap=0, background=(0, 0, 0))
    titled = contact_sheet(images, 2, ['left', 'a title that is much too long'], gap=0, background=(0, 0, 0))
    head = titled.shape[0] - plain.shape[0]
    assert head > 10 and titled.shape[1] == plain.shape[1]
    assert (titled[head:] == plain).all()
    assert titled[:head, :60].any() and titled[:head, 60:].any()
    left_alone = contact_sheet(images[:1], 1, ['left'], gap=0, background=(0, 0, 0))
    np.testing.assert_array_equal(titled[:, :60], left_alone, 'a long title does not reach into its neighbour')


def test_side_by_side_and_rows():
    images = [image(1), image(2), image(3)]
    np.testing.assert_array_equal(side_by_side(images, gap=3), contact_sheet(images, 3, gap=3))
    stacked = stack_rows([image(1, 4, 6), image(2, 3, 9)], background=(7, 7, 7))
    assert stacked.shape == (7, 9, 3)
    assert (stacked[:4, :6] == 1).all() and (stacked[:4, 6:] == 7).all() and (stacked[4:] == 2).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match='at least one image'):
        contact_sheet([])
    with pytest.raises(ValueError, match='1 titles for 2 images'):
        contact_sheet([image(1)] * 2, titles=['a'])
    with pytest.raises(ValueError, match=r'images\[1\]=\(3, 3\) float64, allowed: \(h, w, 3\) uint8'):
        contact_sheet([image(1), np.zeros((3, 3))])
    with pytest.raises(ValueError, match='columns=0'):
        contact_sheet([image(1)], 0)
