"""The lazy list of persons."""

import pickle

import numpy as np
import pytest

from posestructs.datasets.stick_figure import SceneOptions, draw_scene
from posestructs.datasets.stick_figure.persons import Artist, LazyPersons, joint_numbers
from posestructs.datasets.stick_figure.skeleton import JOINTS

LSP = ['right_ankle', 'right_knee', 'right_hip', 'left_hip', 'left_knee', 'left_ankle', 'right_wrist', 'right_elbow',
       'right_shoulder', 'left_shoulder', 'left_elbow', 'left_wrist', 'neck', 'head_top']  # fmt: skip
OPTIONS = SceneOptions(crop_prob=1.0)


def make_persons(numbers=range(100, 150), cache=False, padding=1.0):
    return LazyPersons(Artist(3, (64, 48), OPTIONS, padding), numbers, cache)


def test_joints_are_found_by_name():
    assert [JOINTS[number] for number in joint_numbers(dict(enumerate(LSP)))] == [*LSP[:-2], 'upper_neck', 'head_top']
    assert joint_numbers({0: 'pelvis', 1: 'left_wrist'}) == [6, 15]
    with pytest.raises(ValueError, match="has no joint 'nose'"):
        joint_numbers({0: 'head_top', 1: 'nose'})


def test_a_person_is_described_as_the_scene_says():
    artist = Artist(3, (64, 48), OPTIONS, 1.0)
    artist.joints = joint_numbers(dict(enumerate(LSP)))
    cut = 0
    for index in range(20):
        info, scene = artist(index), draw_scene(3, index, (64, 48), OPTIONS)
        np.testing.assert_array_equal(info['img'], scene.image)
        for column, name in enumerate(LSP):
            joint = JOINTS.index('upper_neck' if name == 'neck' else name)
            shown = scene.labelled[joint]
            assert info['keypoints_visible'][0, column] == shown
            assert info['keypoints_occluded'][0, column] == (shown and scene.occluded[joint])
            expected = scene.keypoints[joint] if shown else (0, 0)
            assert info['keypoints'][0, column].tolist() == list(expected)
            cut += not shown
        np.testing.assert_allclose(info['bbox'][0], scene.bbox, atol=1e-4)
        assert info['head_size'] == pytest.approx(scene.head_size)
        assert info['img_path'] == f'stick_figure/seed3/{index:06d}' and info['id'] == info['img_id'] == index
        assert info['keypoints_occluded'].dtype == info['keypoints_visible'].dtype == np.float32
    assert cut > 0


def test_padding_widens_the_box_within_the_image():
    for tight, wide in zip(make_persons(), make_persons(padding=1.2), strict=True):
        (x1, y1, x2, y2), (a1, b1, a2, b2) = tight['bbox'][0], wide['bbox'][0]
        dx, dy = 0.1 * (x2 - x1), 0.1 * (y2 - y1)
        expected = [max(x1 - dx, 0), max(y1 - dy, 0), min(x2 + dx, 63), min(y2 + dy, 47)]
        assert [a1, b1, a2, b2] == pytest.approx(expected, abs=1e-4)


def test_selection_draws_nobody_and_keeps_the_order():
    persons = make_persons()
    persons._artist = None  # would fail if anybody was drawn
    assert list(persons.select(3)._numbers) == [100, 101, 102]
    assert list(persons.select(-2)._numbers) == [148, 149]
    assert persons.select([7, -1, 0])._numbers == [107, 149, 100]
    assert persons.select(np.array([1, 2]))._numbers == [101, 102]
    assert persons.select([7, 8, 9]).select([2])._numbers == [109]
    assert len(persons.select(1000)) == 50


@pytest.mark.parametrize(
    ('indices', 'error', 'message'),
    [
        (0, ValueError, 'leaves none of the 50 persons'),
        ([], ValueError, 'leaves none'),
        ([50], IndexError, 'indices has 50, there are 50 persons'),
        ([-51], IndexError, 'indices has -51'),
        ('abc', TypeError, 'indices=.*, allowed: an integer or a sequence of integers'),
        (1.5, TypeError, 'indices=.*, allowed: an integer'),
        ([1, 2.5], TypeError, 'indices=.*, allowed: an integer'),
        (True, TypeError, 'indices=.*, allowed: an integer'),
    ],
)
def test_wrong_selections(indices, error, message):
    with pytest.raises(error, match=message):
        make_persons().select(indices)


def test_a_cache_keeps_what_was_drawn_and_stays_at_home():
    persons = make_persons(cache=True)
    first = persons[4]
    assert persons[4] is first and make_persons()[4] is not make_persons()[4]
    parcel = pickle.dumps(persons)
    assert len(parcel) < 2000
    copy = pickle.loads(parcel)
    np.testing.assert_array_equal(copy[4]['img'], first['img'])
    assert copy[4] is copy[4]
