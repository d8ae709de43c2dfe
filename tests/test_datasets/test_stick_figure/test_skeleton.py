"""The anatomy: kinematics against matrices, hand-made poses, mirror images, and the limits of each joint."""

import math

import numpy as np
import pytest

from posestructs.datasets.stick_figure.exact import RandomStream
from posestructs.datasets.stick_figure.poses import sample_pose
from posestructs.datasets.stick_figure.skeleton import (
    JOINTS,
    LIMB_DOFS,
    LIMITS,
    SIDES,
    TRUNK_DOFS,
    Proportions,
    View,
    clamp_pose,
    distance,
    fit_view,
    pose_body,
    sample_proportions,
    turned,
)

UPRIGHT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
SIZE = Proportions()


def pose_of(**angles):
    zero = dict.fromkeys(TRUNK_DOFS, 0.0) | {f'{side}_{dof}': 0.0 for side in SIDES for dof in LIMB_DOFS}
    assert set(angles) <= set(zero)
    return zero | angles


def body_of(**angles):
    points = pose_body(pose_of(**angles), SIZE, UPRIGHT).points
    return {name: np.array(point) for name, point in points.items()}


def rotation_matrix(axis, degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[[i, i, j, j], [i, j, i, j]] = c, -s, s, c
    return matrix


def test_turned_is_a_product_of_rotation_matrices():
    frame, matrix = UPRIGHT, np.eye(3)
    for axis, degrees in ((2, 33), (0, -120), (1, 71), (0, 5), (2, 200)):
        frame = turned(frame, axis, degrees)
        matrix = matrix @ rotation_matrix(axis, round(degrees * 4096 / 360) * 360 / 4096)
    np.testing.assert_allclose(np.array(frame).T, matrix, atol=1e-5)  # a frame holds the columns


def test_a_person_at_rest_faces_the_camera():
    body = body_of()
    assert body['left_shoulder'][0] > 0 > body['right_shoulder'][0]  # the person's left is on the image's right
    assert body['head_top'][1] < body['upper_neck'][1] < body['thorax'][1] < body['pelvis'][1] < body['left_ankle'][1]
    assert body['left_toe'][2] < body['left_ankle'][2]  # feet point to the camera, which is at negative z
    assert body['left_wrist'] == pytest.approx([SIZE.shoulder, -SIZE.spine + 0.02 + SIZE.upper_arm + SIZE.forearm, 0])
    assert body['right_ankle'] == pytest.approx([-SIZE.hip, SIZE.thigh + SIZE.shin, 0])
    assert body['head_top'] == pytest.approx([0, -SIZE.spine - SIZE.neck - SIZE.head, 0])


@pytest.mark.parametrize(
    ('angle', 'degrees', 'start', 'end', 'direction'),
    [
        ('left_elbow', 90, 'left_elbow', 'left_wrist', (0, 0, -1)),  # forward
        ('left_shoulder_flex', 90, 'left_shoulder', 'left_elbow', (0, 0, -1)),
        ('left_shoulder_flex', 180, 'left_shoulder', 'left_wrist', (0, -1, 0)),  # up
        ('left_shoulder_out', 90, 'left_shoulder', 'left_elbow', (1, 0, 0)),  # away from the trunk
        ('right_shoulder_out', 90, 'right_shoulder', 'right_elbow', (-1, 0, 0)),
        ('right_hip_flex', 90, 'right_hip', 'right_knee', (0, 0, -1)),
        ('right_hip_out', 90, 'right_hip', 'right_knee', (-1, 0, 0)),
        ('right_knee', 90, 'right_knee', 'right_ankle', (0, 0, 1)),  # backward
        ('spine_flex', 90, 'waist', 'thorax', (0, 0, -1)),
    ],
)
def test_each_joint_turns_the_right_way(angle, degrees, start, end, direction):
    body = body_of(**{angle: float(degrees)})
    way = body[end] - body[start]
    np.testing.assert_allclose(way / np.linalg.norm(way), direction, atol=2e-3)


def test_twists_turn_inwards():
    for side, inwards in (('left', -1), ('right', 1)):
        body = body_of(**{f'{side}_elbow': 90.0, f'{side}_shoulder_twist': 90.0})
        way = body[f'{side}_wrist'] - body[f'{side}_elbow']
        np.testing.assert_allclose(way / SIZE.forearm, (inwards, 0, 0), atol=2e-3)
        body = body_of(**{f'{side}_hip_twist': 40.0})
        assert (body[f'{side}_toe'] - body[f'{side}_ankle'])[0] * inwards > 0.05


def test_a_mirrored_pose_gives_the_mirrored_body():
    rng = RandomStream(4, (0,))
    other = dict(left='right', right='left')
    for _ in range(50):
        pose = sample_pose(rng)
        mirrored = {}
        for name, value in pose.angles.items():
            side, _, dof = name.partition('_')
            if side in other:
                mirrored[f'{other[side]}_{dof}'] = value
            else:
                mirrored[name] = -value if name.endswith(('side', 'twist')) else value
        body = pose_body(pose.angles, SIZE, pose.root()).points
        root = pose._replace(roll=-pose.roll, yaw=-pose.yaw).root()
        twin = pose_body(mirrored, SIZE, root).points
        for name, (x, y, z) in body.items():
            side, _, rest = name.partition('_')
            name = f'{other[side]}_{rest}' if side in other else name
            np.testing.assert_allclose(twin[name], (-x, y, z), atol=1e-4)


def test_segments_keep_their_lengths():
    rng = RandomStream(0, (1,))
    segments = [('shoulder', 'elbow', 'upper_arm'), ('elbow', 'wrist', 'forearm'), ('hip', 'knee', 'thigh')]
    segments += [('knee', 'ankle', 'shin')]
    for _ in range(30):
        pose, size = sample_pose(rng), sample_proportions(rng)
        points = pose_body(pose.angles, size, pose.root()).points
        assert distance(points['upper_neck'], points['head_top']) == pytest.approx(size.head, rel=1e-5)
        for side in SIDES:
            for start, end, name in segments:
                length = distance(points[f'{side}_{start}'], points[f'{side}_{end}'])
                assert length == pytest.approx(getattr(size, name), rel=1e-5)


def angles_of_leg(body, side):
    """Flexion, outward angle, twist of the hip and flexion of the knee, from the points alone."""
    sign = 1 if side == 'left' else -1
    pelvis = np.array(body.pelvis)  # rows: where x, y and z point
    points = {name: np.array(body.points[f'{side}_{name}']) for name in ('hip', 'knee', 'ankle')}
    x, y, z = pelvis @ (points['knee'] - points['hip'])
    length = np.linalg.norm((x, y, z))
    out, flex = math.asin(np.clip(sign * x / length, -1, 1)), math.atan2(-z, y)
    leg = rotation_matrix(0, -math.degrees(flex)) @ rotation_matrix(2, -sign * math.degrees(out))
    x, y, z = leg.T @ pelvis @ (points['ankle'] - points['knee'])
    knee, twist = math.atan2(math.hypot(x, z), y), sign * math.atan2(x, z)
    return tuple(map(math.degrees, (flex, out, twist, knee)))


def test_limits_hold_in_the_bodies_themselves():
    """Inverse kinematics of the points gives angles within the limits, and those that were asked for."""
    rng = RandomStream(2, (3,))
    bent = 0
    for _ in range(600):
        pose = sample_pose(rng, max_rotation=180)
        body = pose_body(pose.angles, sample_proportions(rng), pose.root())
        for side in SIDES:
            flex, out, twist, knee = angles_of_leg(body, side)
            found = dict(hip_flex=flex, hip_out=out, knee=knee)
            if knee > 15:  # the twist of a straight leg is undefined
                bent += 1
                found['hip_twist'] = twist  # within 45 degrees: the knee bends backwards
            for dof, value in found.items():
                low, high = LIMITS[dof]
                assert low - 0.3 <= value <= high + 0.3, (pose.activity, side, dof)
                assert value == pytest.approx(pose.angles[f'{side}_{dof}'], abs=0.3), (pose.activity, side, dof)
            points = {name: np.array(body.points[f'{side}_{name}']) for name in ('shoulder', 'elbow', 'wrist')}
            upper, lower = points['elbow'] - points['shoulder'], points['wrist'] - points['elbow']
            cos = upper @ lower / np.linalg.norm(upper) / np.linalg.norm(lower)
            assert math.degrees(math.acos(np.clip(cos, -1, 1))) <= LIMITS['elbow'][1] + 0.3
    assert bent > 400


def test_clamping_brings_wild_angles_within_the_limits():
    wild = {name: value for name in pose_of() for value in (400.0,)}
    for angles in (wild, {name: -400.0 for name in wild}):
        for name, value in clamp_pose(angles).items():
            low, high = LIMITS[name.removeprefix('left_').removeprefix('right_')]
            assert low <= value <= high
    across = pose_of(left_shoulder_out=-20.0, right_shoulder_out=-20.0, right_shoulder_flex=60.0)
    clamped = clamp_pose(across)
    assert clamped['left_shoulder_out'] > 0  # through the ribs
    assert clamped['right_shoulder_out'] == -20.0  # in front of the chest


def test_all_joints_have_a_point():
    assert len(JOINTS) == 16 and set(JOINTS) <= set(pose_body(pose_of(), SIZE, UPRIGHT).points)


POINTS = {'waist': (0.0, 0.0, 0.0), 'head': (0.1, -0.5, 0.2), 'foot': (-0.3, 0.5, -0.2)}


def test_near_things_are_larger():
    view = View(distance=4.0, pixels=100.0, offset=(50.0, 60.0))
    assert view.project((0.0, 0.0, 0.0)) == (50.0, 60.0, 100.0)
    assert view.project((1.0, -0.5, 0.0)) == (150.0, 10.0, 100.0)
    assert view.project((1.0, 0.0, 1.0)) == pytest.approx((50 + 80, 60, 80))  # 4 / (4 + 1)
    assert view.project((1.0, 0.0, -1.0)) == pytest.approx((50 + 400 / 3, 60, 400 / 3))


def test_persons_lie_within_the_canvas_and_span_what_is_asked_for():
    rng = RandomStream(0, (0,))
    for size in ((256, 256), (100, 300), (300, 100)):
        for _ in range(50):
            view = fit_view(rng, POINTS, size, (0.8, 0.8), crop_prob=0.0)
            xs, ys, scales = zip(*(view.project(point) for point in POINTS.values()), strict=True)
            margin = 0.05 * min(scales)
            for values, extent in ((xs, size[0]), (ys, size[1])):
                assert min(values) - margin > -0.5 and max(values) + margin < extent - 0.5
            spans = ((max(v) - min(v) + 0.11 * view.pixels) / extent for v, extent in ((xs, size[0]), (ys, size[1])))
            assert max(spans) == pytest.approx(0.8, abs=1e-6)


def test_a_close_view_keeps_the_waist():
    rng = RandomStream(0, (1,))
    outside = 0
    for _ in range(300):
        view = fit_view(rng, POINTS, (200, 200), (0.9, 1.0), crop_prob=1.0)
        x, y, _ = view.project(POINTS['waist'])
        assert 20 <= x <= 180 and 20 <= y <= 180
        outside += any(not 0 <= v < 200 for p in POINTS.values() for v in view.project(p)[:2])
    assert outside > 50


def test_the_place_is_drawn():
    rng = RandomStream(0, (2,))
    places = [fit_view(rng, POINTS, (200, 200), (0.5, 0.6), 0.0).offset[0] for _ in range(200)]
    assert max(places) - min(places) > 60
