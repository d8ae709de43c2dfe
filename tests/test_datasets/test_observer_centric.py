import numpy as np
import pytest
from scipy.io import loadmat

from posestructs.datasets.observer_centric import to_observer_centric
from tests.helpers import data_root, needs_data


@needs_data
def test_all_2000_persons_of_the_published_file_are_reproduced():
    content = loadmat(data_root() / 'lsp-annotations' / 'joints_pc_oc.mat')
    person, observer = (content[key].transpose(2, 1, 0) for key in ('joints', 'oc_joints'))
    found, undecided = to_observer_centric(person)
    np.testing.assert_array_equal(found, observer)  # positions and flags
    assert len(found) == 2000 and not undecided.any()
    assert 500 < (person != observer).any(axis=(1, 2)).sum() < 2000  # the conversion has work to do


def slow_reference(pose):
    """The rule word by word: turn the pose by a rotation matrix, then look which hip and shoulder is further right."""
    shoulders, hips = (pose[8] + pose[9]) / 2, (pose[2] + pose[3]) / 2
    angle = np.pi / 2 - np.arctan2(*(hips - shoulders)[::-1])  # y points down: straight down is +90 degrees
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = np.array([turn @ point for point in pose])
    result = pose.copy()
    if turned[2, 0] > turned[3, 0]:
        result[[0, 1, 2, 3, 4, 5]] = pose[[5, 4, 3, 2, 1, 0]]
    if turned[8, 0] > turned[9, 0]:
        result[[6, 7, 8, 9, 10, 11]] = pose[[11, 10, 9, 8, 7, 6]]
    return result


def test_random_poses_against_a_rotation_matrix():
    poses = np.random.default_rng(0).normal(size=(300, 14, 2)) * 50
    found, undecided = to_observer_centric(poses)
    np.testing.assert_array_equal(found, [slow_reference(pose) for pose in poses])
    assert not undecided.any()
    np.testing.assert_array_equal(to_observer_centric(found)[0], found)  # observer-centric labels stay as they are


@pytest.fixture
def front():
    """An upright person who faces the camera: the right side is on the image's left."""
    pose = np.zeros((1, 14, 3))
    pose[0, :, 0] = [-1, -1, -1, 1, 1, 1, -3, -2, -2, 2, 2, 3, 0, 0]
    pose[0, :, 1] = [9, 7, 5, 5, 7, 9, 4, 3, 1, 1, 3, 4, 0, -2]
    pose[0, :, 2] = np.arange(14)
    return pose


def test_front_stays_back_swaps_whatever_way_up(front):
    np.testing.assert_array_equal(to_observer_centric(front)[0], front)
    back = front * [-1, 1, 1]
    swapped = back[:, [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13]]
    np.testing.assert_array_equal(to_observer_centric(back)[0], swapped)
    upside_down = back * [-1, -1, 1]
    np.testing.assert_array_equal(
        to_observer_centric(upside_down)[0], upside_down[:, [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13]]
    )


def test_what_is_not_labelled_is_not_compared(front):
    back = np.repeat(front * [-1, 1, 1], 4, axis=0)
    labelled = np.ones((4, 14), dtype=bool)
    labelled[1, 2] = False  # one hip: legs cannot be compared, the trunk's direction is still known
    labelled[2, [2, 3]] = False  # both hips: no direction at all
    labelled[3, 0] = False  # an ankle does not matter
    back[~labelled] = np.nan
    found, undecided = to_observer_centric(back, labelled)
    arms, legs = [11, 10, 9, 8, 7, 6], [5, 4, 3, 2, 1, 0]
    assert undecided.tolist() == [False, True, True, False]
    np.testing.assert_array_equal(found[1, 6:12], back[1, arms])
    np.testing.assert_array_equal(found[1, :6], back[1, :6])
    np.testing.assert_array_equal(found[2], back[2])
    np.testing.assert_array_equal(found[3, :6], back[3, legs])


def test_a_person_without_a_trunk_is_undecided():
    found, undecided = to_observer_centric(np.zeros((1, 14, 2)))
    assert undecided.tolist() == [True] and not found.any()
