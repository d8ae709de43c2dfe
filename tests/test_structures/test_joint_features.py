"""Features of heatmaps, against values made by hand and a loop over single cells."""

import numpy as np
import pytest

from posestructs.structures.joint_features import NAMES, joint_features

MIRROR, LINKS = [1, 0, 2], [(0, 2), (1, 2)]


def column(found, name):
    return found[..., NAMES.index(name)]


def spots(**values):
    """One person of three joints on 8 x 8 cells: left at (1, 2), right at (5, 2), neck at (3, 6)."""
    maps = np.zeros((1, 3, 8, 8))
    maps[0, 0, 2, 1], maps[0, 1, 2, 5], maps[0, 2, 6, 3] = 0.9, 0.5, 0.7
    return maps


def test_values_by_hand():
    maps = spots()
    maps[0, 0, 2, 5] = 0.45  # the left joint's map has a second peak at the right joint
    maps[0, 0, 7, 7] = -3  # below 0 counts as 0
    found = joint_features(maps, MIRROR, LINKS, np.array([[0.1, 0.2, 0.3]]))
    assert column(found, 'peak')[0].tolist() == [0.9, 0.5, 0.7]
    # mass over peak: 1.35 / 0.9 = 1.5 for the left joint, 1 for the others
    np.testing.assert_allclose(column(found, 'extent')[0], np.log1p([1.5, 1, 1]))
    share = np.array([2 / 3, 1 / 3])
    np.testing.assert_allclose(column(found, 'entropy')[0], [-(share * np.log(share)).sum(), 0, 0], atol=1e-9)
    np.testing.assert_allclose(column(found, 'second_peak')[0], [0.5, 0, 0])
    np.testing.assert_allclose(column(found, 'mirror_map_here')[0], [0, 0.45, 0.7])
    np.testing.assert_allclose(column(found, 'own_map_at_mirror')[0], [0.45, 0, 0.7])
    # joints (1, 2), (5, 2), (3, 6), mean (3, 10/3): mean squared distance (4 + 16/9 + 4 + 16/9 + 64/9) / 3 = 56/9
    size = np.sqrt(56 / 9)
    np.testing.assert_allclose(column(found, 'mirror_distance')[0], [4 / size, 4 / size, 0])
    limb = np.hypot(2, 4) / size
    for name in ('shortest_limb', 'longest_limb'):
        np.testing.assert_allclose(column(found, name)[0], limb)
    np.testing.assert_allclose(column(found, 'nearest_joint')[0], [4 / size, 4 / size, limb])
    np.testing.assert_allclose(column(found, 'neighbours_mean_peak')[0], [0.7, 0.7, 0.7])
    np.testing.assert_allclose(column(found, 'neighbours_least_peak')[0], [0.7, 0.7, 0.5])
    np.testing.assert_allclose(column(found, 'pose_mean_peak')[0], 0.7)
    np.testing.assert_allclose(column(found, 'pose_least_peak')[0], 0.5)
    np.testing.assert_allclose(column(found, 'x')[0], [1 / 8 - 0.5, 5 / 8 - 0.5, 3 / 8 - 0.5])
    np.testing.assert_allclose(column(found, 'border')[0], [1 / 8, 2 / 8, 1 / 8])
    np.testing.assert_allclose(column(found, 'pose_size')[0], size / 8)
    np.testing.assert_allclose(column(found, 'up_x')[0], [-2 / size, 2 / size, 0], atol=1e-12)
    np.testing.assert_allclose(column(found, 'up_y')[0], np.array([2, 2, 6]) / size - 10 / 3 / size)
    assert column(found, 'occluded')[0].tolist() == [0.1, 0.2, 0.3]


def test_mirrored_persons_have_mirrored_features():
    rng = np.random.default_rng(0)
    maps = rng.random((4, 3, 8, 8))
    plain, turned = joint_features(maps, MIRROR, LINKS), joint_features(maps[:, MIRROR][..., ::-1], MIRROR, LINKS)
    for name in NAMES:
        if name not in ('x', 'up_x'):
            np.testing.assert_allclose(column(turned, name), column(plain, name)[:, MIRROR], atol=1e-12, err_msg=name)


def test_empty_maps_and_refusals():
    assert np.isfinite(joint_features(np.zeros((2, 3, 8, 8)), MIRROR, [])).all()
    maps = spots()
    maps[0, 0, 0, 0] = np.nan
    for bad, mirror, links in ((maps, MIRROR, LINKS), (spots(), [1, 0], LINKS), (spots(), MIRROR, [(0, 3)])):
        with pytest.raises(ValueError, match='maps'):
            joint_features(bad, mirror, links)
