"""Labels of one person are read or refused with the reason."""

import logging

import numpy as np
import pytest

from posestructs.codecs import person_labels
from posestructs.codecs.person_labels import read_person

POINTS = np.array([[[1.0, 2], [30, 4], [5, 60]]])


def test_joints_and_weights():
    points, weights = read_person('Codec', POINTS, None)
    assert points.tolist() == POINTS[0].tolist() and weights.tolist() == [1, 1, 1]
    # an unlabelled joint may hold anything; KeypointConverter leaves weights in the first of two columns
    points = POINTS.copy()
    points[0, 1] = np.nan
    visible = np.array([[[0.5, 1], [0, 1], [1, 0]]])
    assert read_person('Codec', points, visible)[1].tolist() == [0.5, 0, 1]


@pytest.mark.parametrize(
    ('keypoints', 'visible', 'match'),
    [
        (POINTS[0], None, r'keypoints has the shape \(3, 2\), allowed: one person, \(1, 3, 2\) for the joints a, b, c'),
        (POINTS[:, :2], None, r'\(1, 2, 2\), allowed: one person, \(1, 3, 2\) for the joints a, b, c'),
        (POINTS, np.ones((1, 2)), r'keypoints_visible has the shape \(1, 2\), allowed: \(1, 3\)'),
        (POINTS, np.array([[1, np.nan, 0]]), r'keypoints_visible=\[1.0, nan, 0.0\], allowed: finite'),
        (POINTS, np.array([[1, -1, 0]]), r'keypoints_visible=\[1.0, -1.0, 0.0\], allowed: finite'),
        (np.where(POINTS == 30, np.inf, POINTS), None, r"position that is not finite: \['b'\]"),
    ],
)
def test_refusals(keypoints, visible, match):
    with pytest.raises(ValueError, match=f'^Codec: .*{match}'):
        read_person('Codec', keypoints, visible, ('a', 'b', 'c'))


def test_fractions_of_the_image_size_are_reported_once(monkeypatch):
    reports = []
    monkeypatch.setattr(person_labels, '_REPORTED', set())
    monkeypatch.setattr(person_labels, 'print_log', lambda text, logger, level: reports.append((level, text)))
    fractions, two_labelled = POINTS / 100 + 40, np.array([[1, 1, 0]])
    read_person('Codec', POINTS, None)
    read_person('Codec', fractions, two_labelled)
    assert not reports
    for _ in range(2):
        read_person('Codec', fractions, None)
    ((level, text),) = reports
    assert level == logging.WARNING
    assert text.startswith('Codec: 3 labelled joints of a person lie within one pixel of the input, around (40.01, 40.')
