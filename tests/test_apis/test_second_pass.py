"""Second passes: which persons get one, and what it finds in images that are much larger than the person."""

import numpy as np
import pytest

from posestructs.apis import PoseInferencer
from posestructs.deployment.onnx_pose.second_pass import box_around, tighter_box
from posestructs.utils.images import read_image
from posestructs.utils.usage import UsageError
from tests.helpers import data_root, needs_data


def test_a_box_surrounds_the_joints_with_enough_score():
    joints, scores = np.array([[10, 20], [30, 60], [20, 40], [500, 500]]), np.array([0.9, 0.1, 0.05, 0.04])
    # 40 high, so that a margin of 0.05 is 2 pixels
    assert box_around(joints, scores).tolist() == [8, 18, 32, 62]
    assert box_around(joints, scores, min_score=0.0, margin=0).tolist() == [10, 20, 500, 500]
    assert box_around(joints, scores, min_score=0.06) is None
    assert box_around(np.ones((4, 2)), scores) is None


@pytest.mark.parametrize(
    'side,size,expected',
    [(49, (500, 500), True), (48, (500, 500), False), (1000, (500, 500), True), (1000, (500, 18), False)],
)
def test_a_second_pass_needs_a_clearly_smaller_box_in_the_image(side, size, expected):
    # the new box is 44 high, nine tenths of 48.9
    found = tighter_box(np.array([[10, 20], [30, 60], [20, 40]]), np.ones(3), np.array([0, 0, side, 20]), size)
    assert (found is not None) == expected
    if expected:
        assert found.tolist() == [8, 18, 32, 62]


def test_the_option_is_checked(inferencer, images):
    with pytest.raises(UsageError, match="second_pass='yes'"):
        inferencer(images[0], second_pass='yes')


@needs_data
def test_a_small_person_in_a_large_image_is_found_by_the_second_pass():
    inferencer = PoseInferencer(device='cpu')
    image = read_image(next(iter(sorted((data_root() / 'lspet-mini' / 'images').iterdir()))))
    height, width = image.shape[:2]
    large = np.full((3 * height, 3 * width, 3), 127, np.uint8)
    large[height : 2 * height, width : 2 * width] = image
    box = [width, height, 2 * width, 2 * height]

    def predict(**options):
        (found,) = next(inferencer(large, **options))['predictions'][0]
        return np.array(found['keypoints']), np.array(found['bbox'][0])

    def distance(joints):
        return np.median(np.linalg.norm(joints - reference, axis=1)) / height

    reference, given = predict(bboxes=[box], second_pass=True)
    assert (given != box).any()
    assert predict(bboxes=[box])[1].tolist() == box
    first, whole = predict(second_pass=False)
    assert whole.tolist() == [0, 0, 3 * width, 3 * height]
    second, found = predict()
    assert distance(second) < 0.05 < distance(first)
    assert found[2] - found[0] < 2 * width and found[3] - found[1] < 2 * height
