"""What the picture of a run's balance shows: which panels, which lines, in which units."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from posestructs.utils.run_logs import Curve
from posestructs.visualization.balance_plot import draw_balance


def curve(*values):
    return Curve(np.arange(1.0, len(values) + 1), np.array(values))


def test_lines_by_panel():
    curves = {
        'pose.acc_real': curve(0.5, 0.75),
        'pose.acc_fake': curve(0.25, 1),
        'confidence.score_fake': curve(0.1, 0.2),
        'loss_kpt': curve(3, 2),
        'alpha': curve(0, 0.5),
        'beta': curve(0, 0.7),
        'time': curve(1, 1),
    }
    figure = draw_balance(curves)
    found = {
        axes.get_ylabel(): {line.get_label(): line.get_ydata().tolist() for line in axes.lines} for axes in figure.axes
    }
    assert found == {
        'right verdicts (%)': {'pose.acc_real': [50, 75], 'pose.acc_fake': [25, 100]},
        'mean verdict (%)': {'confidence.score_fake': [10, 20]},
        'loss of the generator': {'loss_kpt': [3, 2]},
        'weight': {'alpha': [0, 0.5], 'beta': [0, 0.7]},
    }
    # the same discriminator in the same colour; alpha is the weight of C
    colors = {line.get_label(): to_rgba(line.get_color()) for axes in figure.axes for line in axes.lines}
    assert colors['pose.acc_real'] == colors['pose.acc_fake'] == colors['beta']
    assert colors['confidence.score_fake'] == colors['alpha'] != colors['beta']
    assert figure.axes[-1].get_xlabel() == 'iteration'
    picture = io.BytesIO()
    figure.savefig(picture, format='png')
    assert picture.tell() > 5000


def test_a_run_without_discriminators_is_refused():
    with pytest.raises(ValueError, match='nothing is logged of a discriminator'):
        draw_balance({'loss_kpt': curve(1, 2)})
