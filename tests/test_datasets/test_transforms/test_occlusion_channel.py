"""Occlusion labels in a channel of keypoints_visible: in, out, and merged."""

import numpy as np
import pytest

from posestructs.datasets.transforms import occlusion_channel as oc


def test_merge_sources_follows_the_table():
    expected = {
        (0, 0): 0, (0, 1): 1, (0, -1): -1,
        (1, 0): 1, (1, 1): 1, (1, -1): 1,
        (-1, 0): -1, (-1, 1): 1, (-1, -1): -1,
    }  # fmt: skip
    first, second = np.array(list(expected), dtype=np.float32).T
    merged = oc.merge_sources(first, second)
    assert merged.dtype == np.float32
    assert dict(zip(expected, merged.tolist(), strict=True)) == expected


@pytest.mark.parametrize('channels', [None, 2])
@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.int64])
def test_join_and_split_give_back_what_went_in(channels, dtype):
    rng = np.random.default_rng(0)
    shape = (3, 5) if channels is None else (3, 5, channels)
    visible = rng.integers(0, 2, shape).astype(dtype)
    occluded = rng.integers(-1, 2, (3, 5)).astype(np.float32)
    results = dict(keypoints_visible=visible.copy(), keypoints_occluded=occluded.copy())
    oc.join(results)
    assert results['keypoints_visible'].shape == (3, 5, (channels or 1) + 1)
    results['keypoints_occluded'] = None  # split must not need it
    oc.split(results, visible.ndim, visible.dtype)
    assert results['keypoints_visible'].dtype == dtype and results['keypoints_occluded'].dtype == np.float32
    np.testing.assert_array_equal(results['keypoints_visible'], visible)
    np.testing.assert_array_equal(results['keypoints_occluded'], occluded)


def test_unknown_occlusion_marks_labelled_joints_only():
    visible = np.array([[[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]]])
    np.testing.assert_array_equal(oc.unknown_occlusion(visible), [[-1, 0, -1]])
    np.testing.assert_array_equal(oc.unknown_occlusion(visible[..., 0]), [[-1, 0, -1]])


def test_labels_without_their_joints_are_refused():
    good = dict(keypoints=np.zeros((1, 4, 2)), keypoints_visible=np.ones((1, 4)), keypoints_occluded=np.zeros((1, 4)))
    assert oc.has_occlusion(good)
    assert not oc.has_occlusion(dict(good, keypoints_occluded=None))
    assert not oc.has_occlusion({k: v for k, v in good.items() if k != 'keypoints_occluded'})
    assert not oc.has_occlusion(dict(good, keypoints=None))
    with pytest.raises(ValueError, match=r'keypoints_occluded has the shape \(1, 3\), allowed: \(1, 4\)'):
        oc.has_occlusion(dict(good, keypoints_occluded=np.zeros((1, 3))))
    with pytest.raises(ValueError, match='required: keypoints_visible'):
        oc.has_occlusion(dict(good, keypoints_visible=None))
