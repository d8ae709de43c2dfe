"""The page's images and tables beside the inferencer's own results."""

import numpy as np
import pytest
import torch

from demo import web_page
from posestructs.apis import PoseInferencer, shipped_models
from posestructs.structures import build_tree
from posestructs.structures.score_calibration import ScoreCalibration
from posestructs.utils.usage import UsageError

BOX = [5.0, 10, 50, 70]


@pytest.fixture(scope='module')
def messenger(sfl):
    return PoseInferencer(sfl.config, sfl.checkpoint, device='cpu')


@pytest.fixture
def calibrated(inferencer, monkeypatch):
    """The same model with a calibration; an untrained model has scores above 1."""
    joints = tuple(web_page.joint_names(inferencer))
    calibration = ScoreCalibration(joints, 'isotonic', ([[0, 1000], [0, 0.5]],) * 14, 'TorsoPCK@0.2', '', False)
    monkeypatch.setattr(inferencer.model, 'calibration', calibration)
    monkeypatch.setattr(inferencer.model, '_calibration_checked', True)
    return inferencer


@pytest.mark.parametrize('box', [None, BOX])
def test_an_answer_is_what_the_inferencer_says(inferencer, images, box):
    boxes = None if box is None else [box]
    found = web_page.answer(inferencer, images[0], boxes or (), threshold=0)
    (result,) = inferencer(images[0], bboxes=boxes, return_vis=True, kpt_thr=0)
    (person,) = result['predictions'][0]
    np.testing.assert_array_equal(found.pose, result['visualization'][0])
    assert (found.pose != images[0][..., ::-1]).any()
    assert len(found.rows) == 14 and found.rows[6][:2] == [1, 'right_wrist']
    np.testing.assert_allclose([row[2:4] for row in found.rows], person['keypoints'], atol=0.006)
    np.testing.assert_allclose([row[4] for row in found.rows], person['keypoint_scores'], atol=1e-4)
    np.testing.assert_allclose([row[6] for row in found.rows], person['keypoints_occluded'], atol=1e-4)
    (entry,) = found.persons
    assert entry['box'] == (BOX if box else [0, 0, 80, 96])
    assert [joint['name'] for joint in entry['joints']] == [row[1] for row in found.rows]
    assert [entry['joints'][3].get(key) for key in web_page.COLUMNS[2:]] == found.rows[3][2:]


def test_joints_below_the_threshold_are_left_out(inferencer, images, monkeypatch):
    monkeypatch.setattr(inferencer.model.head.decoder, 'decode', lambda maps: (np.ones((1, 14, 2)), np.zeros((1, 14))))
    drawn = web_page.answer(inferencer, images[0], threshold=1)
    np.testing.assert_array_equal(drawn.pose, images[0][..., ::-1])
    assert len(drawn.rows) == 14


def test_a_model_without_occlusion(messenger, images):
    found = web_page.answer(messenger, images[1])
    assert found.occlusion is None and found.heatmaps is not None
    assert all(row[6] is None for row in found.rows) and 'occluded' not in found.persons[0]['joints'][0]


def test_a_calibration_gives_probabilities_by_which_joints_are_drawn(calibrated, images, monkeypatch):
    found = web_page.answer(calibrated, images[0], threshold=0)
    scores, correct = (np.array([row[i] for row in found.rows]) for i in (4, 5))
    np.testing.assert_allclose(correct, scores / 2000, atol=1e-4)
    assert [joint['correct'] for joint in found.persons[0]['joints']] == correct.tolist()
    assert correct.max() < 0.9 < scores.min()
    for boxes in ((), [[0, 0, 80, 96], BOX]):
        drawn = web_page.answer(calibrated, images[0], boxes, threshold=0.9)
        changed = np.abs(drawn.pose.astype(int) - images[0][..., ::-1]).max(axis=2) > 0
        assert changed.mean() < 0.1 if boxes else not changed.any()  # numbers of persons only


def test_several_persons_have_a_colour_each(inferencer, images):
    """Each joint has the colour of its person, and absent joints are left out."""
    points = np.array([[[20.0, 30]] * 14, [[60.0, 70]] * 14])
    persons = [
        dict(keypoints=p.tolist(), keypoint_scores=[0.9] * 14, bbox=([0, 0, 80, 96],), keypoints_present=[1 - i] * 14)
        for i, p in enumerate(points)
    ]
    blank = np.zeros((96, 80, 3), np.uint8)
    meta = inferencer.model.dataset_meta
    drawn = web_page.draw_persons(blank, persons, meta, 0.3)
    assert tuple(drawn[30, 20]) == web_page.COLORS[0] and not drawn[60:80, 50:70].any()
    persons[1]['keypoints_present'] = [0.5] * 14
    drawn = web_page.draw_persons(blank, persons, meta, 0.3)
    assert tuple(drawn[30, 20]) == web_page.COLORS[0] and tuple(drawn[70, 60]) == web_page.COLORS[1]
    assert not web_page.draw_persons(blank, persons, meta, 0.91)[25:35, 15:25].any()
    assert not blank.any()
    found = web_page.answer(inferencer, images[0], [BOX, [0, 0, 80, 96]], threshold=0)
    assert [row[0] for row in found.rows] == [1] * 14 + [2] * 14 and len(found.persons) == 2
    expected = web_page.draw_persons(
        images[0][..., ::-1], next(inferencer(images[0], bboxes=[BOX, [0, 0, 80, 96]]))['predictions'][0], meta, 0
    )
    np.testing.assert_array_equal(found.pose, expected)


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


@pytest.mark.parametrize('size, columns, tile', [((640, 425), 5, (192, 128)), ((1600, 400), 2, (480, 120))])
def test_a_wide_picture_has_fewer_and_larger_tiles(size, columns, tile):
    image, maps = np.zeros((*size[::-1], 3), np.uint8), np.ones((6, 4, 16), np.float32)
    rows = -(-6 // columns)
    height, width = rows * (20 + tile[1] + 4) + 4, columns * (tile[0] + 4) + 4
    assert web_page.map_sheet(image, maps, list('abcdef')).shape == (height, width, 3)


def test_parts_with_messages(inferencer, messenger):
    tree = build_tree(dict(from_file='lsp-26.py'))
    parts = web_page.messaging_parts(messenger)
    assert parts[:14] == list(tree.joints) and sorted(parts) == sorted(tree.names)
    assert web_page.messaging_parts(inferencer) == []


@pytest.fixture(scope='module')
def residual():
    """The shipped model, whose messages are a residual of a feature map."""
    return PoseInferencer(next(iter(shipped_models())), device='cpu')


@pytest.mark.parametrize('kind', ['messenger', 'residual'])
def test_messages_are_those_of_the_box(kind, request, images):
    model = request.getfixturevalue(kind)
    assert 'right_elbow' in web_page.messaging_parts(model)
    whole = web_page.message_image(model, images[0], 'right_elbow')
    boxed = web_page.message_image(model, images[0], 'right_elbow', BOX)
    given = web_page.message_image(model, images[0], 'right_elbow', [0, 0, 80, 96])
    np.testing.assert_array_equal(whole, given)
    assert whole.shape == boxed.shape and (whole != boxed).mean() > 0.05
    assert not any(parameter.grad is not None for parameter in model.model.parameters())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ('text', 'boxes'),
    [
        ('', []),
        (' \n', []),
        ('1 2 3 4', [[1, 2, 3, 4]]),
        ('1, 2,3.5 , 4', [[1, 2, 3.5, 4]]),
        ('-9 -9 9 9', [[-9, -9, 9, 9]]),
        ('1 2 3 4; 5 6 7 8;', [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ('1 2 3 4\n5 6 7 8', [[1, 2, 3, 4], [5, 6, 7, 8]]),
    ],
)
def test_boxes_that_visitors_type(text, boxes):
    assert web_page.parse_boxes(text) == boxes


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
        ('1 2 3 4; 1 2 3', 'The box "1 2 3" is not four numbers'),
    ],
)
def test_boxes_that_are_none(text, message):
    with pytest.raises(UsageError) as error:
        web_page.parse_boxes(text)
    assert message in str(error.value)


@pytest.mark.parametrize('box', [[80, 0, 90, 9], [0, 96, 9, 99], [-9, 0, 0, 9], [0, -9, 9, 0]])
def test_boxes_outside_the_picture(inferencer, messenger, images, box):
    message = r'The box "[-\d ]+" is outside the image, which has 80 x 96 pixels'
    with pytest.raises(UsageError, match=message):
        web_page.answer(inferencer, images[0], [BOX, box])
    with pytest.raises(UsageError, match=message):
        web_page.message_image(messenger, images[0], 'neck', box)
