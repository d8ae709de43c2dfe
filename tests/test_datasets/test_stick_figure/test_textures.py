"""The bank of textures: always the same, and each of them textured."""

import zlib

import numpy as np

from posestructs.datasets.stick_figure import textures
from posestructs.datasets.stick_figure.sketch import PATTERN_BIT


def test_the_bank_is_the_same_on_every_machine():
    arrays = (*textures.surfaces(), *textures.patterns(), textures.grain())
    assert f'{zlib.crc32(b"".join(array.tobytes() for array in arrays)):08x}' == 'eed312fc'


def test_surfaces_use_the_grey_scale_and_differ():
    surfaces = textures.surfaces()
    assert len({surface.tobytes() for surface in surfaces}) == len(surfaces) == 15
    for surface in surfaces:
        assert surface.shape == (textures.SIDE, textures.SIDE) and surface.dtype == np.uint8
        assert surface.std() > 6  # that of the film grain is 3.7
        assert not surface.flags.writeable


def test_smooth_noise_has_no_steps():
    cloud = textures.surfaces()[0].astype(int)
    # five octaves, the finest of 8 pixels a cell: a step of a pixel changes little, over the edge too
    for axis in (0, 1):
        assert np.abs(cloud - np.roll(cloud, 1, axis)).max() < 40


def test_patterns_are_on_or_off_about_half_of_the_time():
    for pattern in textures.patterns():
        assert set(np.unique(pattern).tolist()) == {0, PATTERN_BIT}
        assert 0.1 < (pattern > 0).mean() < 0.8


def test_grain_is_even():
    counts = np.bincount(textures.grain().ravel(), minlength=13)
    assert len(counts) == 13 and counts.min() > 0.9 * counts.mean()
