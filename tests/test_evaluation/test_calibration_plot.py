"""The curves of the figure are the numbers that were given."""

import numpy as np

from posestructs.evaluation.calibration import Reliability
from posestructs.evaluation.calibration_plot import draw_calibration


def test_curves():
    diagram = Reliability(np.array([2, 0, 6]), np.array([0.1, np.nan, 0.9]), np.array([0.5, np.nan, 0.9]))
    figure = draw_calibration({'a': diagram}, {'a': np.array([0.9, 0.8])}, np.array([0.5, 1]))
    left, right = figure.axes
    ideal, drawn = left.lines
    np.testing.assert_array_equal(ideal.get_xydata(), [[0, 0], [1, 1]])
    np.testing.assert_array_equal(drawn.get_xydata(), [[0.1, 0.5], [0.9, 0.9]])
    assert drawn.get_label() == 'a (ECE 0.100)'
    np.testing.assert_allclose(right.lines[0].get_xydata(), [[50, 90], [100, 80]])
