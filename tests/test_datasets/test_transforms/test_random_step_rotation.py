"""Angles of RandomStepRotation, and what the crop makes of them."""

import numpy as np
import pytest
from mmpose.registry import TRANSFORMS


def rotated(transform, count=1):
    results = dict(bbox_center=np.full((count, 2), 50.0), bbox_scale=np.full((count, 2), 80.0))
    return transform(results)


def test_all_multiples_of_the_step_are_equally_likely():
    transform = TRANSFORMS.build(dict(type='RandomStepRotation', step=9))
    results = rotated(transform, 20_000)
    angles, counts = np.unique(results['bbox_rotation'], return_counts=True)
    np.testing.assert_array_equal(angles, np.arange(0, 360, 9))
    # 500 each, standard deviation 22
    assert counts.min() > 400 and counts.max() < 600
    np.testing.assert_array_equal(results['bbox_center'], 50.0)
    np.testing.assert_array_equal(results['bbox_scale'], 80.0)


def test_joints_turn_with_the_crop():
    """By 90 degrees a point right of the centre lands above or below it, at the same distance."""
    steps = [
        TRANSFORMS.build(dict(type='RandomStepRotation', step=90)),
        TRANSFORMS.build(dict(type='TopdownAffine', input_size=(80, 80))),
    ]
    found = set()
    for _ in range(20):
        results = dict(
            img=np.zeros((100, 100, 3), np.uint8),
            bbox_center=np.float32([[50, 50]]),
            bbox_scale=np.float32([[80, 80]]),
            keypoints=np.float32([[[70, 50]]]),
            keypoints_visible=np.ones((1, 1), np.float32),
        )
        for step in steps:
            results = step(results)
        found.add(tuple(np.round(results['transformed_keypoints'][0, 0] - 40).astype(int)))
    assert found == {(20, 0), (0, 20), (-20, 0), (0, -20)}


@pytest.mark.parametrize('step', [0, -9, 7, 361, 9.0, True, None])
def test_a_step_that_does_not_divide_the_circle(step):
    with pytest.raises(ValueError, match='step='):
        TRANSFORMS.build(dict(type='RandomStepRotation', step=step))
