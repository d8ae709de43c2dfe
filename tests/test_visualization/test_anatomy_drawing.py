"""Bars as wide as their shares, and images of the right persons."""

import cv2
import numpy as np
import pytest

from posestructs.evaluation.error_anatomy import KINDS
from posestructs.visualization.anatomy_drawing import draw_bars, draw_person, worst_persons


def test_bars_have_the_widths_of_the_shares():
    counts = {'all': np.array([5, 3, 1, 1, 0]), 'none': np.zeros(5), 'knee': np.array([0, 0, 4, 0, 0])}
    figure = draw_bars({'a': counts, 'b': {**counts, 'knee': np.array([1, 0, 0, 0, 3])}})
    first, second = figure.axes
    widths = [[bar.get_width() for bar in group] for group in first.containers]
    assert widths == [[50, 0], [30, 0], [10, 100], [10, 0], [0, 0]]
    assert second.containers[KINDS.index('miss')][1].get_x() == 25
    assert [label.get_text() for label in first.get_yticklabels()] == ['all', 'knee']


def test_worst_persons_have_most_joints_then_the_farthest():
    kind = np.array([[2, 0, 2], [2, 2, 0], [0, 0, 0], [2, 0, 0]])
    distance = np.array([[1, 9, 1], [1, 3, 0], [0, 0, 0], [np.inf, 0, 0]])
    assert worst_persons(kind, distance, 2, 5) == [1, 0, 3]
    assert worst_persons(kind, distance, 2, 1) == [1]
    assert worst_persons(kind, distance, 4, 5) == []


def test_person_is_cut_out_where_the_labels_are(tmp_path):
    """A green square around the person, the rest of the image red; one prediction far away is not followed."""
    image = np.zeros((200, 300, 3), np.uint8)
    image[..., 0] = 255
    image[80:181, 160:261] = (0, 255, 0)
    path = str(tmp_path / 'a.png')
    cv2.imwrite(path, image[..., ::-1])
    gt = np.array([[180, 100], [240, 100], [210, 160], [0, 0]], float)
    labelled = np.array([True, True, True, False])
    pred = np.array([[182, 100], [9000, 9000], [210, 160], [np.nan, np.nan]])
    drawing = draw_person(path, gt, labelled, pred, {}, marked=[0, 3])
    assert drawing.shape[0] == 160 + 4 and drawing.shape[1] == 2 * 160 + 6
    left = drawing[2:-2, 2:162]
    assert (left[5, 5] == (0, 255, 0)).all() and (left[80, 40] == (0, 255, 0)).all()
    assert (drawing[..., 0] > drawing[..., 1]).mean() < 0.1
    with pytest.raises(OSError, match='absent.png'):
        draw_person(str(tmp_path / 'absent.png'), gt, labelled, pred, {})
