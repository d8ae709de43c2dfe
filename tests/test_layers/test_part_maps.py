"""Channels and flips of part score maps, by hand and against NumPy."""

import numpy as np
import torch

from posestructs.layers.part_maps import flip_average, mirror_channels, split_parts


def test_channels_are_part_major():
    log_probs = torch.arange(7.0).reshape(1, 7, 1, 1).expand(1, 7, 2, 3)
    parts = split_parts(log_probs, 2)
    assert parts.shape == (1, 2, 3, 2, 3)
    assert parts[0, :, :, 0, 0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_mirror_channels_swap_parts_and_types():
    # part 0 on the axis, its two types are each other's mirror images; 1 and 2 are each other's
    mirror_types = np.array([[1, 0], [0, 1], [0, 1]])
    assert mirror_channels((0, 2, 1), mirror_types) == [1, 0, 4, 5, 2, 3, 6]


def test_mirror_channels_where_types_of_a_pair_differ():
    # in a flipped image, type 0 of part 0 is type 2 of part 1, and so on
    mirror_types = np.array([[2, 0, 1], [1, 2, 0]])
    channels = mirror_channels((1, 0), mirror_types)
    for part, type_ in np.ndindex(2, 3):
        target = (1 - part) * 3 + mirror_types[part, type_]
        assert channels[target] == part * 3 + type_
    assert channels[-1] == 6


def test_flip_average_is_the_mean_probability():
    generator = torch.Generator().manual_seed(0)
    ours, flipped = torch.randn(2, 1, 5, 3, 4, generator=generator, dtype=torch.float64).log_softmax(dim=2)
    channels = [2, 3, 0, 1, 4]
    expected = (ours.exp().numpy() + flipped.exp().numpy()[:, channels, :, ::-1]) / 2
    averaged = flip_average(ours, flipped, channels)
    np.testing.assert_allclose(averaged.exp().numpy(), expected, rtol=1e-12)
    torch.testing.assert_close(averaged.exp().sum(dim=1), torch.ones(1, 3, 4, dtype=torch.float64))


def test_flip_average_survives_a_probability_of_zero():
    ours = torch.tensor([0.0, -torch.inf]).reshape(1, 2, 1, 1)
    averaged = flip_average(ours, ours.flip(1), [0, 1])
    torch.testing.assert_close(averaged.exp().flatten(), torch.tensor([0.5, 0.5]))
