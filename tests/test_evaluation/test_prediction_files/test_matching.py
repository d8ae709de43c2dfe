"""Images, joints and persons: what belongs together, and errors that list what does not."""

import numpy as np
import pytest

from posestructs.evaluation.prediction_files import Poses, match_predictions, read_coco_labels
from tests.test_evaluation.test_prediction_files.conftest import NAMES, POINTS


@pytest.fixture
def labels(ann):
    return read_coco_labels(ann)


def poses(points, images, **fields) -> Poses:
    points = np.asarray(points, float)
    return Poses('pred', points, np.full(points.shape[:2], 0.5), images, **fields)


def test_joints_by_name_in_another_order_and_spelling(labels):
    order = [5, 3, 1, 0, 2, 4]
    names = [NAMES[i].replace('_', '-').title() for i in order]
    out = match_predictions(poses([POINTS[order]], [2], joints=tuple(names)), labels)
    np.testing.assert_array_equal(out.pred[2], POINTS)
    assert out.found.tolist() == [False, False, True]
    assert '2 of 3 labelled persons have no prediction' in out.notes[0]


def test_joints_that_do_not_match_are_listed(labels):
    found = poses([POINTS[:5]], [2], joints=('nose', 'left_paw', 'right_paw', 'left_foot', 'snout'))
    with pytest.raises(
        ValueError, match=r"labels \['right_foot', 'tail'\], which pred does not .* predicts \['snout'\]"
    ):
        match_predictions(found, labels)
    out = match_predictions(found, labels, common_joints=True)
    assert out.joints.tolist() == [True] * 4 + [False] * 2 and np.isnan(out.pred[2, 4:]).all()
    assert "without a prediction are left out: ['right_foot', 'tail']" in out.notes[0]
    renamed = match_predictions(found, labels, dict(snout='tail'), common_joints=True)
    np.testing.assert_array_equal(renamed.pred[2, 5], POINTS[4])
    with pytest.raises(ValueError, match=r"joint_map names \['x', 'y'\]"):
        match_predictions(found, labels, dict(x='y'))
    with pytest.raises(ValueError, match='joints do not match by name'):
        match_predictions(poses([POINTS], [2], joints=tuple('abcdef')), labels, common_joints=True)
    with pytest.raises(ValueError, match='has 5 joints without names'):
        match_predictions(poses([POINTS[:5]], [2]), labels)


@pytest.mark.parametrize(
    ('images', 'frames'),
    [
        ([1, 2], False),
        (['video/img0001.png', 'C:\\x\\video\\img0002.png'], False),
        (['img0001', 'img0002'], False),
        ([1, 2], True),
    ],
)
def test_images_by_id_path_stem_and_frame(labels, images, frames):
    out = match_predictions(poses([POINTS, POINTS + [5, 5]], images, frames=frames), labels)
    assert out.found.tolist() == [True, False, True]


def test_names_that_are_numbers(labels):
    """ultralytics turns 000000000785 into 785."""
    labels.known_images = {7001: 'val/000000000785.jpg', 7002: 'val/000000000786.jpg'}
    labels.images = [7001, 7001, 7002]
    out = match_predictions(poses([POINTS, POINTS + [5, 5]], [785, 786]), labels)
    assert out.found.tolist() == [True, False, True]


def test_images_that_do_not_match(labels):
    with pytest.raises(ValueError, match=r'other images than .*: 1 of 2 are not among its 3, the first: \[77\]'):
        match_predictions(poses([POINTS, POINTS], [1, 77]), labels)
    with pytest.raises(ValueError, match='2 of 2 are not among its 3'):
        match_predictions(poses([POINTS, POINTS], ['a.png', 'b.png']), labels)
    labels.known_images = {1: 'a/img.png', 2: 'b/img.png', 3: 'c.png'}
    with pytest.raises(ValueError, match='image img.png may be any of'):
        match_predictions(poses([POINTS], ['img.png']), labels)
    # a video has frames that nobody labelled
    labels.known_images = {1: 'img1.png', 2: 'img2.png'}
    out = match_predictions(poses([POINTS] * 3, [2, 50, 60], frames=True), labels)
    assert out.found.tolist() == [False, False, True] and '2 of 3 frames have no label' in out.notes[0]


def test_persons_by_similarity(labels):
    """As many predictions as persons are all paired, however bad; else the best free person above the least OKS."""
    bad = POINTS[::-1] + [150, 0]
    out = match_predictions(poses([bad, POINTS + 1], [1, 1]), labels)
    np.testing.assert_array_equal(out.pred[:2], [POINTS + 1, bad])
    three = poses([POINTS + 1, POINTS, bad + 2000], [1, 1, 1], person_scores=np.array([0.9, 0.8, 0.7]))
    out = match_predictions(three, labels)
    assert out.found.tolist() == [True, False, False]
    np.testing.assert_array_equal(out.pred[0], POINTS + 1)  # the better score chooses first
    assert '2 of 3 predictions belong to no labelled person' in out.notes[-1]


def dump(points, ids, images, **labels) -> Poses:
    return poses(points, images, ids=ids, labels=labels)


def test_persons_of_dumps_by_id(labels):
    target = dict(keypoints=labels.keypoints[::-1].copy(), labelled=labels.labelled[::-1])
    images = [f'/x/img{i:04d}.png' for i in (2, 1, 1)]
    out = match_predictions(dump(labels.keypoints[::-1] + 9, [13, 12, 11], images, **target), labels)
    np.testing.assert_array_equal(out.pred, labels.keypoints + 9)
    # occluders that a pipeline laid over the persons are known to the dump only
    covered = np.ones((3, 6))
    out = match_predictions(
        dump(
            labels.keypoints,
            [11, 12, 13],
            images[::-1],
            **target | dict(keypoints=labels.keypoints, keypoints_occluded=covered),
        ),
        labels,
    )
    assert (out.occluded == 1).all()


def test_predictions_of_other_persons(labels):
    target = dict(keypoints=labels.keypoints.copy(), labelled=labels.labelled)
    images = [f'img{i:04d}.png' for i in (1, 1, 2)]
    with pytest.raises(ValueError, match='1 of its 3 are not labelled there, the first: id 99 of img0002.png'):
        match_predictions(dump(labels.keypoints, [11, 12, 99], images, **target), labels)
    with pytest.raises(ValueError, match='person 11 of img0001.png occurs twice'):
        match_predictions(dump(labels.keypoints, [11, 11, 13], images, **target), labels)
    target['keypoints'][1, 3] += 2
    with pytest.raises(ValueError, match=r'left_foot of person 12 is at \[222.0, 92.0\] there and at \[220.0, 90.0\]'):
        match_predictions(dump(labels.keypoints, [11, 12, 13], images, **target), labels)
    target['keypoints'][2, 0] += 2  # not labelled
    target['keypoints'][1, 3] -= 2
    assert match_predictions(dump(labels.keypoints, [11, 12, 13], images, **target), labels).found.all()
