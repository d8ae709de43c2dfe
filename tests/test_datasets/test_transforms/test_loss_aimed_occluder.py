"""Occluders aimed by the losses of joints, and the losses that the hook measures."""

import numpy as np
import pytest
import torch

from posestructs.datasets.transforms import LossAimedOccluder, RandomOccluder
from posestructs.datasets.transforms.loss_aimed_occluder import aimed_occluders

POINTS = np.array([[[10.0, 10.0], [90.0, 10.0], [10.0, 90.0], [90.0, 90.0]]], np.float32)


def sample():
    return dict(
        img=np.zeros((100, 100, 3), np.uint8),
        keypoints=POINTS.copy(),
        keypoints_visible=np.ones((1, 4), np.float32),
        skeleton_links=[(0, 1), (2, 3)],
    )


def occluder(kind=LossAimedOccluder, **cfg):
    return kind(prob=1.0, num=1, size=0.1, fills='flat', jitter=0.0, **cfg)


def covered(step, count):
    np.random.seed(0)
    return np.concatenate([step(sample())['keypoints_occluded'] for _ in range(count)])


def test_joints_are_covered_in_proportion_to_their_losses():
    step = occluder(aimed=1.0)
    step.set_losses([1.0, 0.0, 3.0, 0.0])
    hidden = covered(step, 400)
    assert (hidden.sum(1) == 1).all()
    shares = hidden.mean(0)
    assert shares[1] == shares[3] == 0 and shares[2] == pytest.approx(0.75, abs=0.07)
    step.power = 4.0
    assert covered(step, 200).mean(0)[2] > 0.95
    # an unusable joint is not aimed at, whatever its loss
    assert step.choose_joint(np.array([True, False, False, True]), np.random.RandomState(0)) == 0
    assert step.choose_joint(np.array([False, True, False, True]), np.random.RandomState(0)) is None


def test_occluders_are_random_ones_until_losses_are_known():
    plain, aimed = occluder(RandomOccluder, targets='joint'), occluder(aimed=0.0, targets='joint')
    assert covered(plain, 50).mean(0).min() > 0.1 and covered(aimed, 50).mean(0).min() > 0.1
    unknown = occluder(aimed=1.0, targets='joint')
    assert covered(unknown, 50).mean(0).min() > 0.1
    with pytest.raises(ValueError, match='allowed: up to 1024 numbers from 0'):
        unknown.set_losses([-1.0])
    with pytest.raises(ValueError, match='LossAimedOccluder.aimed=2'):
        occluder(aimed=2)


class Combined:
    def __init__(self, step):
        self.datasets = [type('Part', (), {})()]
        self.datasets[0].pipeline = type('Compose', (), {})()
        self.datasets[0].pipeline.transforms = [RandomOccluder(), step]


def test_transforms_of_combined_data_sets_are_found():
    step = occluder()
    assert aimed_occluders(Combined(step)) == [step]


def test_losses_reach_running_workers():
    step = occluder(aimed=1.0)
    step.set_losses([0.0, 1.0])
    other = torch.multiprocessing.get_context('fork').Process(target=step.set_losses, args=([5.0, 7.0],))
    other.start()
    other.join()
    assert step._losses[:3].tolist() == [5, 7, 0]
