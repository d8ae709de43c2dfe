"""Panels, lines and units of the plot of a run's balance."""

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
        'accuracy (%)': {'pose.acc_real': [50, 75], 'pose.acc_fake': [25, 100]},
        'mean score (%)': {'confidence.score_fake': [10, 20]},
        'loss of the generator': {'loss_kpt': [3, 2]},
        'weight': {'alpha': [0, 0.5], 'beta': [0, 0.7]},
    }
    # the same discriminator in the same colour; alpha is the weight of C
    colors = {line.get_label(): to_rgba(line.get_color()) for axes in figure.axes for line in axes.lines}
    assert colors['pose.acc_real'] == colors['pose.acc_fake'] == colors['beta']
    assert colors['confidence.score_fake'] == colors['alpha'] != colors['beta']
    assert figure.axes[-1].get_xlabel() == 'iteration'
    image = io.BytesIO()
    figure.savefig(image, format='png')
    assert image.tell() > 5000


def test_no_curve_is_clipped():
    """Constant weights lie below the upper limit, whichever is the greatest."""
    for weights in (dict(alpha=1 / 220, beta=1 / 180), dict(alpha=0.0, beta=0.0), dict(alpha=0.3, beta=np.nan)):
        curves = {'pose.acc_real': curve(0.5, 0.75), **{key: curve(*[value] * 2) for key, value in weights.items()}}
        (axes,) = (axes for axes in draw_balance(curves).axes if axes.get_ylabel() == 'weight')
        low, high = axes.get_ylim()
        greatest = np.nanmax(list(weights.values()))
        assert low == 0 and high >= 1.04 * greatest and high > 0


def test_discriminators_of_any_name():
    curves = {
        'pose.acc_real': curve(0.5, 0.75),
        'limbs.acc_real': curve(0.25, 0.5),
        'limbs.weight': curve(0, 0.5),
        'loss_adv_limbs': curve(1, 2),
    }
    figure = draw_balance(curves)
    assert [axes.get_ylabel() for axes in figure.axes] == ['accuracy (%)', 'its adversarial terms', 'weight']
    colors = {line.get_label(): to_rgba(line.get_color()) for axes in figure.axes for line in axes.lines}
    assert colors.keys() == curves.keys()
    assert colors['limbs.acc_real'] == colors['limbs.weight'] == colors['loss_adv_limbs'] != colors['pose.acc_real']


def test_a_run_without_discriminators_is_refused():
    with pytest.raises(ValueError, match='the log has no values of a discriminator'):
        draw_balance({'loss_kpt': curve(1, 2)})
