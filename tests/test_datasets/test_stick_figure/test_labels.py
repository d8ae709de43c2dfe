"""Labels against an independent account of what covers what, and against hand-made persons."""

import math

import numpy as np
import pytest

from posestructs.datasets.stick_figure import SceneOptions, draw_scene
from posestructs.datasets.stick_figure.appearance import sample_appearance
from posestructs.datasets.stick_figure.body import draw_person, person_layers
from posestructs.datasets.stick_figure.distractors import draw_occluders
from posestructs.datasets.stick_figure.exact import RandomStream, image_streams
from posestructs.datasets.stick_figure.labels import (
    behind_trunk,
    body_box,
    head_size,
    joints_hidden,
    joints_inside,
    locate_joints,
    to_image,
)
from posestructs.datasets.stick_figure.pen import Pen
from posestructs.datasets.stick_figure.scene import PURPOSES
from posestructs.datasets.stick_figure.skeleton import (
    JOINTS,
    LIMB_DOFS,
    SIDES,
    TRUNK_DOFS,
    Proportions,
    View,
    pose_body,
    turned,
)
from posestructs.datasets.stick_figure.sketch import OWNER, Sketch, own_parts

CANVAS = 256


def make_pen(yaw=0.0, pixels=200.0, **angles):
    """A person of mean build in a simple look, in the middle of the canvas."""
    pose = dict.fromkeys(TRUNK_DOFS, 0.0) | {f'{side}_{dof}': 0.0 for side in SIDES for dof in LIMB_DOFS}
    pose |= {f'{side}_shoulder_out': 10.0 for side in SIDES} | angles
    root = turned(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), 1, yaw)
    body = pose_body(pose, Proportions(), root)
    look = sample_appearance(RandomStream(0, (0,)))
    look = look._replace(hair_style='short', skirt=0.0, trouser=2.0, backpack=None)
    return Pen(Sketch(), body, View(100.0, pixels, (CANVAS / 2, CANVAS / 2)), look, 1.0, (0.6, -0.8))


def hidden_joints(pen):
    """Names of the hidden joints of a drawn person."""
    draw_person(pen)
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    pen.sketch.paint(canvas)
    joints = locate_joints(pen)
    inside = joints_inside(joints, (CANVAS // 2, CANVAS // 2))
    assert inside.all()
    flags = joints_hidden(pen, joints, inside, pen.sketch.owners(), canvas)
    return {name for name, flag in zip(JOINTS, flags, strict=True) if flag}


def test_nothing_is_hidden_of_a_person_who_faces_the_camera():
    assert hidden_joints(make_pen()) == set()


def test_from_behind_hair_hides_no_joint_and_nothing_else_does():
    assert hidden_joints(make_pen(yaw=180)) == set()


@pytest.mark.parametrize(('yaw', 'near', 'far'), [(90.0, 'left', 'right'), (-90.0, 'right', 'left')])
def test_from_the_side_the_near_half_hides_the_far_half(yaw, near, far):
    arms_forward = {f'{side}_shoulder_flex': 40.0 for side in SIDES}  # hanging, they would hide the near hip
    hidden = hidden_joints(make_pen(yaw=yaw, **arms_forward))
    assert {f'{far}_{name}' for name in ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')} <= hidden
    assert not {name for name in hidden if name.startswith(near)}


def test_an_arm_behind_the_back_is_hidden_and_one_before_the_belly_hides_only_what_it_covers():
    behind = dict(left_shoulder_flex=-40.0, left_elbow=70.0, left_shoulder_twist=80.0)
    assert hidden_joints(make_pen(**behind)) == {'left_wrist'}
    assert 'left_wrist' not in hidden_joints(make_pen(yaw=180, **behind))
    before = dict(left_shoulder_flex=25.0, left_shoulder_out=-5.0, left_elbow=85.0, left_shoulder_twist=80.0)
    front = hidden_joints(make_pen(**before))
    assert not {name for name in front if 'left' in name}
    assert {'left_wrist'} <= hidden_joints(make_pen(yaw=180, **before))


def test_a_raised_far_arm_leaves_its_shoulder_behind_the_trunk():
    """The trunk is a segment of the shoulder, but a thick one: seen from the side it hides the far shoulder."""
    up = {f'{side}_shoulder_flex': 170.0 for side in SIDES}
    pen = make_pen(yaw=90, **up)
    assert behind_trunk(pen, 'right_shoulder') and not behind_trunk(pen, 'left_shoulder')
    assert not behind_trunk(pen, 'right_elbow') and not behind_trunk(make_pen(yaw=30), 'right_shoulder')
    reach = (0.060 + 0.036) / 0.112  # depth of chest and shoulder over half the breadth of the shoulders
    limit = math.degrees(math.asin(reach))
    assert behind_trunk(make_pen(yaw=limit + 1), 'right_shoulder')
    assert not behind_trunk(make_pen(yaw=limit - 1), 'right_shoulder')


def test_own_parts():
    meeting = {joint: set(own_parts(joint)) for joint in JOINTS}
    for side in SIDES:
        limbs = dict(shoulder='torso upper_arm', elbow='upper_arm forearm', wrist='forearm hand')
        limbs |= dict(hip='torso thigh', knee='thigh shin', ankle='shin foot')
        for joint, parts in limbs.items():
            expected = {part if part == 'torso' else f'{side}_{part}' for part in parts.split()}
            assert meeting.pop(f'{side}_{joint}') == expected
    assert meeting == dict(
        head_top={'head'},
        upper_neck={'neck', 'head'},
        thorax={'torso', 'neck', 'left_upper_arm', 'right_upper_arm'},
        pelvis={'torso', 'left_thigh', 'right_thigh'},
    )
    assert len(set(OWNER.values())) == len(OWNER) == 15


def reference_flags(seed, index, size, options):
    """Occlusion from parts that are painted one by one, each alone, and compared by depth at each joint.

    It shares with the code the shapes of the parts, their depths and the occluders, but neither the index image, nor
    the order of painting, nor the look-up.
    """
    scene = draw_scene(seed, index, size, options)
    pen, height_width = scene.pen, scene.canvas.shape
    masks = []  # depth, owner, where it is
    for depth, paint in person_layers(pen):
        pen.sketch = Sketch()
        paint()
        canvas = np.zeros(height_width, np.uint8)
        pen.sketch.paint(canvas)
        (owner,) = {int(number) for number in np.unique(pen.sketch.owners()[canvas[canvas > 0]])} or {0}
        masks.append((depth, owner, canvas > 0))
    front = np.zeros(height_width, np.uint8)
    rng = image_streams(seed, index, len(PURPOSES))[PURPOSES.index('occluders')]
    if rng.chance(options.occluder_prob):
        sketch = Sketch()
        draw_occluders(rng, sketch, [pen.seen[name] for name in JOINTS], height_width[::-1])
        sketch.paint(front)
    numbers = {number: name for name, number in OWNER.items()}
    flags = []
    for joint in JOINTS:
        x, y, _ = pen.seen[joint]
        if not (0.5 <= x <= 2 * size[0] - 1.5 and 0.5 <= y <= 2 * size[1] - 1.5):
            flags.append(False)
            continue
        column, row = round(x), round(y)
        covering = [(depth, numbers[owner]) for depth, owner, mask in masks if mask[row, column]]
        nearest = min(covering)[1] if covering else None
        thick = 0.0
        kind = joint.partition('_')[2]
        if kind in ('shoulder', 'hip'):
            middle = 'thorax' if kind == 'shoulder' else 'pelvis'
            beyond = pen.points[joint][2] - pen.points[middle][2]
            thick = beyond - pen.girth * (0.060 + (0.036 if kind == 'shoulder' else 0.056))
        own = nearest in own_parts(joint) and not (nearest == 'torso' and thick > 0)
        flags.append(bool(front[row, column]) or not own)
    return scene, flags


def test_flags_agree_with_parts_painted_one_by_one():
    options = SceneOptions(occluder_prob=0.6, crop_prob=0.2)
    hidden = 0
    for index in range(120):
        size = ((128, 128), (64, 96), (200, 150))[index % 3]
        scene, flags = reference_flags(17, index, size, options)
        assert scene.occluded.tolist() == flags, (index, scene.pose.activity)
        hidden += sum(flags)
    assert hidden > 300


def test_boxes_and_coordinates():
    pen = make_pen()
    joints = to_image(locate_joints(pen))
    x1, y1, x2, y2 = body_box(pen, (128, 128))
    assert (joints[:, 0] > x1).all() and (joints[:, 0] < x2).all() and (joints[:, 1] > y1).all()
    # from the hair to the soles, in image pixels: 100 a stature
    assert y2 - y1 == pytest.approx(100 * (0.288 + 0.058 + 0.125 + 0.245 + 0.236 + 0.025 + 0.02), abs=3)
    box = body_box(make_pen(pixels=900), (128, 128))
    assert box.tolist() == [0, 0, 127, 127]  # never beyond the image
    # canvas pixels 2i and 2i + 1 become image pixel i, whose centre is at 2i + 0.5 of the canvas
    np.testing.assert_allclose(to_image([0.5, 2.5, 40.5]), [0, 1, 20])


def test_head_size_is_that_of_mpii():
    # 0.6 times the diagonal of a box as wide as the skull and as high as skull and chin
    width, height = 2 * 0.058 * 100, (0.004 + 0.058 + 0.030 + 0.042) * 100
    assert head_size(make_pen()) == pytest.approx(0.6 * math.hypot(width, height), rel=0.02)
    assert head_size(make_pen(neck_flex=50.0)) > 0.5 * head_size(make_pen())
