"""Colours and clothes."""

import numpy as np
import pytest

from posestructs.datasets.stick_figure.appearance import HAIR_STYLES, jitter, sample_appearance, shade
from posestructs.datasets.stick_figure.exact import RandomStream


@pytest.mark.parametrize(
    ('factor', 'expected'),
    [(1.0, (10, 100, 250)), (0.5, (5, 50, 125)), (0.0, (0, 0, 0)), (2.0, (255, 255, 255)), (1.5, (133, 178, 253))],
)
def test_shades(factor, expected):
    assert shade((10, 100, 250), factor) == expected


def test_jitter_stays_near_and_in_range():
    rng = RandomStream(0, (0,))
    colours = np.array([jitter(rng, (3, 128, 252), 10) for _ in range(500)])
    assert colours.min() >= 0 and colours.max() <= 255
    assert (np.abs(colours - [3, 128, 252]) <= 10).all()
    assert colours[:, 1].std() > 4


def test_persons_are_dressed_in_many_ways():
    rng = RandomStream(0, (1,))
    looks = [sample_appearance(rng) for _ in range(600)]
    assert {look.hair_style for look in looks} == set(HAIR_STYLES)
    for kind in (
        [look.sleeve == 0 for look in looks],
        [0 < look.sleeve < 1 for look in looks],
        [look.sleeve == 2 for look in looks],
        [0 < look.trouser < 1 for look in looks],
        [look.trouser == 2 for look in looks],
        [look.skirt > 0 for look in looks],
        [look.backpack is not None for look in looks],
        [look.shirt != look.shirt_pattern for look in looks],
    ):
        assert 0.05 < np.mean(kind) < 0.6
    assert all(look.trouser == 0 for look in looks if look.skirt)
    brightness = np.array([sum(look.skin) for look in looks])
    assert np.quantile(brightness, 0.9) > 2.5 * np.quantile(brightness, 0.1)
