"""The page's images and tables beside the inferencer's own results."""

import numpy as np
import pytest
import torch

from demo import web_page
from posestructs.apis import PoseInferencer
from posestructs.structures import build_tree
from posestructs.utils.usage import UsageError

BOX = [5.0, 10, 50, 70]


@pytest.fixture(scope='module')
def messenger(sfl):
    return PoseInferencer(sfl.config, sfl.checkpoint, device='cpu')


@pytest.mark.parametrize('box', [None, BOX])
def test_an_answer_is_what_the_inferencer_says(inferencer, images, box):
    found = web_page.answer(inferencer, images[0], box, threshold=0)
    boxes = None if box is None else [box]
    (result,) = inferencer(images[0], bboxes=boxes, return_vis=True, kpt_thr=0)
    (person,) = result['predictions'][0]
    np.testing.assert_array_equal(found.pose, result['visualization'][0])
    assert (found.pose != images[0][..., ::-1]).any()
    assert len(found.rows) == 14 and found.rows[6][:2] == [0, 'right_wrist']
    np.testing.assert_allclose([row[2:4] for row in found.rows], person['keypoints'], atol=0.006)
    np.testing.assert_allclose([row[4] for row in found.rows], person['keypoint_scores'], atol=1e-4)
    np.testing.assert_allclose([row[5] for row in found.rows], person['keypoints_occluded'], atol=1e-4)
    (entry,) = found.persons
    assert entry['box'] == (BOX if box else [0, 0, 80, 96])
    assert [joint['name'] for joint in entry['joints']] == [row[1] for row in found.rows]
    assert [entry['joints'][3][key] for key in ('x', 'y', 'score', 'occluded')] == found.rows[3][2:]


def test_joints_below_the_threshold_are_left_out(inferencer, images, monkeypatch):
    monkeypatch.setattr(inferencer.model.head.decoder, 'decode', lambda maps: (np.ones((1, 14, 2)), np.zeros((1, 14))))
    drawn = web_page.answer(inferencer, images[0], threshold=1)
    np.testing.assert_array_equal(drawn.pose, images[0][..., ::-1])
    assert len(drawn.rows) == 14


def test_a_model_without_occlusion(messenger, images):
    found = web_page.answer(messenger, images[1])
    assert found.occlusion is None and found.heatmaps is not None
    assert all(row[5] is None for row in found.rows) and 'occluded' not in found.persons[0]['joints'][0]


def test_maps_are_shown_where_they_are_high():
    image = np.full((96, 48, 3), 100, dtype=np.uint8)
    maps = np.zeros((2, 24, 12), dtype=np.float32)
    maps[0, 20, 3], maps[1, 4, 9] = 0.4, 0.2
    sheet = web_page.map_sheet(image, maps, ['a', 'b']).astype(int)
    # two tiles of 48 x 96 beside each other, 4 pixels around them, titles of 20 above
    tiles = [sheet[24 : 24 + 96, left : left + 48] for left in (4, 56)]
    reds = [tile[..., 0] - tile[..., 2] for tile in tiles]
    assert np.unravel_index(reds[0].argmax(), (96, 48)) == pytest.approx((80, 12), abs=1)
    assert reds[0].max() > 100  # the highest of all is shown in full
    bright = [np.abs(tile - 60).sum(axis=2) for tile in tiles]
    assert np.unravel_index(bright[1].argmax(), (96, 48)) == pytest.approx((16, 36), abs=1)
    assert bright[1].max() < bright[0].max()
    assert bright[0][:40].max() == 0  # a grey image elsewhere
    assert web_page.map_sheet(image, None, ['a', 'b']) is None


def test_a_very_large_image_is_drawn_smaller(inferencer):
    found = web_page.answer(inferencer, np.zeros((3000, 2000, 3), np.uint8))
    assert found.pose.shape == (2449, 1633, 3) and found.persons[0]['box'] == [0, 0, 2000, 3000]


def test_a_large_picture_has_small_tiles():
    sheet = web_page.map_sheet(np.zeros((2000, 1000, 3), np.uint8), np.ones((3, 256, 128), np.float32), list('abc'))
    assert sheet.shape == (20 + 192 + 8, 3 * 96 + 4 * 4, 3)


def test_parts_with_messages(inferencer, messenger):
    tree = build_tree(dict(from_file='lsp-26.py'))
    parts = web_page.messaging_parts(messenger)
    assert parts[:14] == list(tree.joints) and sorted(parts) == sorted(tree.names)
    assert web_page.messaging_parts(inferencer) == []


def test_messages_are_those_of_the_box(messenger, images):
    whole = web_page.message_image(messenger, images[0], 'right_elbow')
    boxed = web_page.message_image(messenger, images[0], 'right_elbow', BOX)
    given = web_page.message_image(messenger, images[0], 'right_elbow', [0, 0, 80, 96])
    np.testing.assert_array_equal(whole, given)
    assert whole.shape == boxed.shape and (whole != boxed).mean() > 0.05
    assert not any(parameter.grad is not None for parameter in messenger.model.parameters())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ('text', 'box'),
    [
        ('', None),
        (' \n', None),
        ('1 2 3 4', [1, 2, 3, 4]),
        ('1, 2,3.5 , 4', [1, 2, 3.5, 4]),
        ('-9 -9 9 9', [-9, -9, 9, 9]),
    ],
)
def test_boxes_that_persons_type(text, box):
    assert web_page.parse_box(text) == box


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('1 2 3', 'The box "1 2 3" is not four numbers: left, top, right and bottom in pixels.'),
        ('a b c d', 'is not four numbers'),
        ('1 2 3 nan', 'is not four numbers'),
        ('1 2 3 inf', 'is not four numbers'),
        ('1 2 3 1e30', 'is not four numbers'),
        ('5 1 5 9', 'The box "5 1 5 9" has no size'),
        ('1 9 5 2', 'has no size'),
    ],
)
def test_boxes_that_are_none(text, message):
    with pytest.raises(UsageError) as error:
        web_page.parse_box(text)
    assert message in str(error.value)


@pytest.mark.parametrize('box', [[80, 0, 90, 9], [0, 96, 9, 99], [-9, 0, 0, 9], [0, -9, 9, 0]])
def test_boxes_outside_the_picture(inferencer, messenger, images, box):
    message = r'The box "[-\d ]+" is outside the image, which has 80 x 96 pixels'
    with pytest.raises(UsageError, match=message):
        web_page.answer(inferencer, images[0], box)
    with pytest.raises(UsageError, match=message):
        web_page.message_image(messenger, images[0], 'neck', box)
