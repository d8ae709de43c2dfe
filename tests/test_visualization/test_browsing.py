"""Images of samples at any place of a pipeline."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from posestructs.visualization import browsing, draw_pose

META = dict(
    keypoint_colors=np.array([[255, 0, 0], [0, 255, 0]]), skeleton_links=[(0, 1)], skeleton_link_colors=[[0, 0, 255]]
)


def results(**kwargs):
    image = np.zeros((60, 80, 3), np.uint8)
    image[..., 0] = 200  # blue in BGR
    return dict(
        img=image,
        keypoints=np.array([[[20.0, 20], [50, 40]]]),
        keypoints_visible=np.ones((1, 2)),
        keypoints_occluded=np.array([[0, 1]]),
        img_path='/data/im7.jpg',
        **kwargs,
    )


def near(drawing, x, y, color):
    """Check for a line of that colour; lines are smoothed."""
    around = drawing[y - 2 : y + 3, x - 2 : x + 3].astype(int)
    return (np.abs(around - color).max(axis=-1) < 40).any()


WHITE, YELLOW = (255, 255, 255), (255, 220, 0)


def background(scale=1):
    return np.broadcast_to(np.array([0, 0, 200], np.uint8), (60 * scale, 80 * scale, 3)).copy()


def test_unpacked_samples_are_drawn_where_their_joints_are_now():
    plain = browsing.draw_results(results(), META)
    expected = draw_pose(background(), [[20.0, 20], [50, 40]], None, [0, 1], META)
    np.testing.assert_array_equal(plain, expected)
    moved = browsing.draw_results(results(transformed_keypoints=np.array([[[30.0, 30], [60, 50]]])), META)
    np.testing.assert_array_equal(moved, draw_pose(background(), [[30.0, 30], [60, 50]], None, [0, 1], META))


def test_boxes_are_drawn_while_the_image_is_whole():
    box = dict(
        bbox=np.array([[10.0, 5, 70, 55]]), bbox_center=np.array([[40.0, 30]]), bbox_scale=np.array([[50.0, 40]])
    )
    drawn = browsing.draw_results(results(**box), META)
    for x, y in ((10, 30), (70, 30), (40, 5), (40, 55)):
        assert near(drawn, x, y, WHITE), 'the person'
    for x, y in ((15, 20), (65, 20), (30, 10), (30, 50)):
        assert near(drawn, x, y, YELLOW), 'what will be cut out'
    turned = browsing.draw_results(results(**box, bbox_rotation=np.array([90.0])), META)
    assert near(drawn, 15, 40, YELLOW) and not near(turned, 15, 40, YELLOW) and near(turned, 20, 40, YELLOW)
    after = browsing.draw_results(results(**box, transformed_keypoints=results()['keypoints']), META)
    assert not any(near(after, x, y, WHITE) for x, y in ((10, 30), (70, 30), (40, 5), (40, 55)))
    corners = dict(bbox=np.array([[[10.0, 5], [70, 5], [70, 55], [10, 55]]]))
    assert near(browsing.draw_results(results(**corners), META), 10, 30, WHITE)


def test_small_images_are_enlarged_with_their_boxes():
    drawn = browsing.draw_results(results(bbox=np.array([[10.0, 5, 70, 55]])), META, min_side=120)
    assert drawn.shape == (120, 160, 3)
    assert near(drawn, 20, 60, WHITE) and near(drawn, 140, 60, WHITE)
    assert browsing.draw_results(results(), META, min_side=30).shape == (60, 80, 3), 'never made smaller'


def test_packed_samples():
    data = PoseDataSample()
    data.gt_instances = InstanceData(
        keypoints=np.zeros((1, 2, 2)),
        transformed_keypoints=np.array([[[20.0, 20], [50, 40]]]),
        keypoints_visible=np.ones((1, 2)),
        keypoints_occluded=np.array([[0, 1]]),
    )
    inputs = torch.from_numpy(results()['img']).permute(2, 0, 1)
    expected = draw_pose(background(), [[20.0, 20], [50, 40]], None, [0, 1], META)
    for images in (inputs, inputs[None], inputs.float()):
        drawn = browsing.draw_packed(dict(inputs=images, data_samples=data), META)
        np.testing.assert_array_equal(drawn, expected)


def test_joints_of_another_skeleton_are_drawn_without_this_ones_limbs():
    three = dict(results(), keypoints=np.array([[[20.0, 20], [50, 40], [5, 5]]]))
    three.update(keypoints_visible=np.ones((1, 3)), keypoints_occluded=None)
    drawn = browsing.draw_results(three, META)
    np.testing.assert_array_equal(drawn, draw_pose(background(), three['keypoints']))


@pytest.mark.parametrize('keypoints', [None, np.zeros([])])
def test_samples_without_joints(keypoints):
    np.testing.assert_array_equal(browsing.draw_results(dict(results(), keypoints=keypoints), META), background())


def test_descriptions():
    assert browsing.describe(results()) == 'im7: 2 labelled, 1 occluded'
    assert browsing.describe(dict(results(), keypoints_occluded=None)) == 'im7: 2 labelled'
    unknown = dict(results(), keypoints_visible=np.array([[1, 0]]), keypoints_occluded=np.array([[-1, 1]]))
    assert browsing.describe(unknown) == 'im7: 1 labelled, 0 occluded, 1 not known'
    assert browsing.describe(dict(img_path=None)) == 'image'


def test_pictures_of_any_image():
    gray = np.arange(6, dtype=np.uint8).reshape(2, 3)
    for image in (gray, gray[..., None], [gray]):
        np.testing.assert_array_equal(browsing.to_rgb(image), np.stack([gray] * 3, axis=-1))
    bright = np.array([[[300.0, -5, 7]]])
    np.testing.assert_array_equal(browsing.to_rgb(bright), [[[7, 0, 255]]])


def test_recorder_sits_behind_each_step_but_the_last():
    recorder = browsing.StageRecorder(lambda r: np.full((4, 4, 3), r['value'], np.uint8))

    def load(r):
        return dict(r, img=1, value=1)

    def double(r):
        return dict(r, value=2 * r['value'] + 1)

    def pack(r):
        return 'packed'

    steps = recorder.into([lambda r: r, load, double, dict(type='mmpose.Last'), pack][:3] + [pack])
    sample = {}
    for step in steps:
        sample = step(sample)
    assert sample == 'packed'
    assert recorder.titles == ['function', 'function'], 'nothing before there is an image'
    assert [p[0, 0, 0] for p in recorder.images] == [1, 3]
    assert recorder.sheet(2).shape[1] > recorder.sheet(1).shape[1]
    recorder.clear()
    assert recorder.images == recorder.titles == []
