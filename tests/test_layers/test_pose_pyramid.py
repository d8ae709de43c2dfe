"""Selection of the best level of a pyramid."""

import pytest
import torch

from posestructs.layers.pose_pyramid import best_of_pyramid


def test_the_best_pose_of_each_image_wins():
    scores = [torch.tensor([1.0, -3, 2, torch.nan]), torch.tensor([0.5, -2, 2, -torch.inf])]
    joints = [torch.arange(16.0).view(4, 2, 2), -torch.arange(16.0).view(4, 2, 2)]
    types = [torch.zeros(4, 2, dtype=torch.int64), torch.ones(4, 2, dtype=torch.int64)]
    level, score, position, kind = best_of_pyramid(scores, joints, types)
    # image 2: equal, the first; image 3: neither is a pose, NaN does not beat what is impossible
    assert level[:3].tolist() == [0, 1, 0] and score[:3].tolist() == [1, -2, 2]
    assert torch.equal(position[:3], torch.stack((joints[0][0], joints[1][1], joints[0][2])))
    assert kind[:3].tolist() == [[0, 0], [1, 1], [0, 0]]


def test_a_score_that_is_no_number_never_wins():
    level, score = best_of_pyramid([torch.tensor([torch.nan]), torch.tensor([-1e30]), torch.tensor([torch.nan])])
    assert level.tolist() == [1] and score.tolist() == pytest.approx([-1e30])


def test_refusals():
    one = torch.zeros(2)
    for scores, results in (([], [[]]), ([one], [[one, one]]), ([one, one], [[one, one], [one]])):
        with pytest.raises(ValueError, match='best_of_pyramid: .* levels'):
            best_of_pyramid(scores, *results)
