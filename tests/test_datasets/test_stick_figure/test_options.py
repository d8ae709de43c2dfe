"""Options are refused at once, by name."""

import pytest

from posestructs.datasets.stick_figure.options import SceneOptions, check_real, check_size


@pytest.mark.parametrize('key', ['occluder_prob', 'lookalike_prob', 'crop_prob'])
@pytest.mark.parametrize('value', [-0.1, 1.5, float('nan'), float('inf')])
def test_probabilities(key, value):
    with pytest.raises(ValueError, match=rf'{key} must be from 0 to 1, got'):
        SceneOptions(**{key: value})


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        (dict(occluder_prob='0.5'), TypeError, "occluder_prob must be a number, got '0.5'"),
        (dict(crop_prob=True), TypeError, 'crop_prob must be a number, got True'),
        (dict(max_rotation=200), ValueError, 'max_rotation must be from 0 to 180, got 200'),
        (dict(scale=0.5), TypeError, r'scale must be a pair \(smallest, largest\), got 0.5'),
        (dict(scale=(0.9, 0.5)), ValueError, r'scale\[1\] must be from 0.9 to 1, got 0.5'),
        (dict(scale=(0.0, 0.5)), ValueError, r'scale\[0\] must be from 0.1 to 1, got 0.0'),
    ],
)
def test_other_options(options, error, message):
    with pytest.raises(error, match=message):
        SceneOptions(**options)


def test_sizes():
    assert check_size(64) == (64, 64) and check_size([64, 96]) == (64, 96)
    for bad in (31, (64, 31), 0, -5, 5000):
        with pytest.raises(ValueError, match='image_size must be from 32 to 4096'):
            check_size(bad, 'image_size')
    for bad in (64.0, '64', (64, 64, 3), None, True):
        with pytest.raises(TypeError, match='image_size must be an integer'):
            check_size(bad, 'image_size')


def test_limits_belong_to_the_range():
    assert SceneOptions(occluder_prob=0, lookalike_prob=1, max_rotation=180, scale=[1, 1]).scale == (1.0, 1.0)
    check_real('x', 3, 3, 3)
