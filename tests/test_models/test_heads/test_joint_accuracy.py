"""The accuracy against mmpose's, which computes it in numpy."""

import numpy as np
import pytest
import torch
from mmpose.evaluation.functional import pose_pck_accuracy

from posestructs.models.heads.joint_accuracy import joint_accuracy

N, K, SIDE = 6, 5, 24


@pytest.mark.parametrize('seed', range(4))
def test_it_is_the_accuracy_of_mmpose(seed):
    generator = torch.Generator().manual_seed(seed)
    cells = torch.randint(SIDE * SIDE, (N, K), generator=generator)
    labelled = torch.rand(N, K, generator=generator) < 0.7
    labelled[:, 3] = False  # a joint without labels
    targets = torch.zeros(N, K, SIDE * SIDE).scatter(2, cells[..., None], 1.0).view(N, K, SIDE, SIDE)
    # most maxima are near the targets, some are too far away
    maps = targets.roll((1, int(seed)), dims=(2, 3)) + 0.9 * torch.rand(N, K, SIDE, SIDE, generator=generator)
    _, expected, _ = pose_pck_accuracy(maps.numpy(), targets.numpy(), labelled.numpy())
    found = joint_accuracy(maps, torch.stack((cells % SIDE, cells // SIDE), dim=2), labelled)
    assert float(found) == pytest.approx(expected, abs=1e-6)
    assert 0 <= expected <= 1


def test_sides_of_a_rectangle():
    """A distance of 2 of 100 columns is allowed, 2 of 10 rows is not."""
    maps = torch.zeros(1, 2, 10, 100)
    maps[0, 0, 5, 52] = maps[0, 1, 7, 50] = 1
    cells = torch.tensor([[[50, 5], [50, 5]]])
    assert joint_accuracy(maps, cells, torch.tensor([[True, False]])) == 1
    assert joint_accuracy(maps, cells, torch.tensor([[False, True]])) == 0
    assert joint_accuracy(maps, cells, torch.tensor([[True, True]])) == 0.5


def test_nobody():
    found = joint_accuracy(torch.rand(2, 3, 4, 4), torch.zeros(2, 3, 2), torch.zeros(2, 3).bool())
    assert np.isfinite(float(found))
    assert found == 0
