"""The table of poses: it stays within the anatomy, and each pose is what its name says."""

from collections import Counter

import pytest

from posestructs.datasets.stick_figure.exact import RandomStream
from posestructs.datasets.stick_figure.poses import ACTIVITIES, REST, sample_pose
from posestructs.datasets.stick_figure.skeleton import LIMITS, SIDES, Proportions, pose_body

SIZE = Proportions()


@pytest.fixture(scope='module')
def persons():
    """2,500 persons by what they do: points in statures, y down."""
    rng = RandomStream(21, (0,))
    found = {}
    for _ in range(2500):
        pose = sample_pose(rng)
        found.setdefault(pose.activity, []).append((pose, pose_body(pose.angles, SIZE, pose.root()).points))
    return found


def test_every_range_lies_within_the_limits():
    assert set(REST) == set(LIMITS)
    for name, activity in ACTIVITIES.items():
        for key, (low, high) in activity.angles.items():
            dof = key.removeprefix('a_').removeprefix('b_')
            assert LIMITS[dof][0] <= low < high <= LIMITS[dof][1], (name, key)


def test_every_activity_occurs_as_often_as_its_weight_says(persons):
    total = sum(activity.weight for activity in ACTIVITIES.values())
    for name, activity in ACTIVITIES.items():
        expected = 2500 * activity.weight / total
        assert abs(len(persons[name]) - expected) < 5 * expected**0.5, name


def share(persons, names, condition):
    chosen = [points for name in names for _, points in persons[name]]
    return sum(condition(points) for points in chosen) / len(chosen)


def test_poses_are_what_they_are_called(persons):
    def wrists_above_head(p):
        return max(p['left_wrist'][1], p['right_wrist'][1]) < p['head_top'][1]

    def head_up(p):
        return p['head_top'][1] < p['thorax'][1] < p['pelvis'][1] < min(p['left_ankle'][1], p['right_ankle'][1])

    def head_down(p):
        return p['head_top'][1] > p['thorax'][1] > p['pelvis'][1] > min(p['left_ankle'][1], p['right_ankle'][1])

    def flat(p):
        return abs(p['thorax'][1] - p['pelvis'][1]) < 0.6 * SIZE.spine

    def thighs_forward(p):
        return all(p[f'{side}_knee'][1] - p[f'{side}_hip'][1] < 0.65 * SIZE.thigh for side in SIDES)

    upright = ('stand', 'walk', 'hands_on_hips', 'arms_crossed', 'wave', 'sit', 'raise_arms', 'phone')
    assert share(persons, upright, head_up) > 0.97
    assert share(persons, ('raise_arms',), wrists_above_head) > 0.7
    assert share(persons, ('stand', 'walk'), wrists_above_head) == 0
    assert share(persons, ('handstand',), head_down) > 0.95
    assert share(persons, ('lie', 'plank'), flat) > 0.95
    assert share(persons, ('sit',), thighs_forward) > 0.9
    assert share(persons, ('stand',), thighs_forward) == 0


def test_all_views_occur_and_no_side_is_preferred(persons):
    poses = [pose for rows in persons.values() for pose, _ in rows]
    quadrants = Counter(int((pose.yaw + 180) // 90) % 4 for pose in poses)
    assert min(quadrants.values()) > 0.2 * len(poses)
    higher_left = sum(p['left_wrist'][1] < p['right_wrist'][1] for rows in persons.values() for _, p in rows)
    assert 0.45 < higher_left / len(poses) < 0.55


def test_rotation_is_added_on_request():
    def turned_over(limit):
        rng = RandomStream(1, (1,))
        poses = [sample_pose(rng, limit) for _ in range(400)]
        return sum(abs(pose.roll) > 45 for pose in poses if pose.activity in ('stand', 'walk', 'sit'))

    assert turned_over(0) == 0 and turned_over(180) > 40


def test_activities_and_yaw_can_be_limited():
    poses = [sample_pose(RandomStream(1, (n,)), activities=('wave', 'plank'), max_yaw=30) for n in range(400)]
    counts = Counter(pose.activity for pose in poses)
    assert set(counts) == {'wave', 'plank'}
    # in proportion to their weights, 7 to 4
    assert 0.55 < counts['wave'] / 400 < 0.72
    assert max(abs(pose.yaw) for pose in poses) <= 30
    # a plank is seen from the side, 45 to 135 of 180 degrees
    assert min(abs(pose.yaw) for pose in poses if pose.activity == 'plank') >= 7.5
    assert {pose.yaw > 0 for pose in poses} == {True, False}
