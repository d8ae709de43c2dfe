"""Backgrounds, and the cutting of textures to size."""

import zlib

import numpy as np
import pytest

from posestructs.datasets.stick_figure import background
from posestructs.datasets.stick_figure.background import cut, paint_background
from posestructs.datasets.stick_figure.exact import RandomStream
from posestructs.datasets.stick_figure.sketch import PATTERN_BIT

RAMP = np.repeat(np.arange(background.SIDE)[None], background.SIDE, axis=0) // 2  # brighter to the right
RAMP = RAMP.astype(np.uint8)


def test_a_piece_of_its_own_size_is_a_view_of_the_texture():
    texture = np.arange(background.SIDE**2, dtype=np.int64).reshape(background.SIDE, -1)
    piece = cut(RandomStream(0, (0,)), texture, (30, 20), 30)
    row, column = divmod(int(piece[0, 0]), background.SIDE)
    np.testing.assert_array_equal(piece, texture[row : row + 20, column : column + 30])


@pytest.mark.parametrize('smooth', [True, False])
@pytest.mark.parametrize(('size', 'texels'), [((100, 60), 50), ((60, 100), 80), ((64, 64), 256), ((900, 300), 512)])
def test_a_piece_spans_as_many_texels_as_asked_for(size, texels, smooth):
    piece = cut(RandomStream(0, (1,)), RAMP, size, texels, smooth).astype(int)
    assert piece.shape == size[::-1]
    steps = piece[0, -1] - piece[0, 0]
    assert steps == pytest.approx(texels * size[0] / max(size) / 2, abs=3)
    assert (np.diff(piece, axis=1) >= 0).all() and (np.diff(piece, axis=0) == 0).all()


def test_pieces_lie_anywhere():
    rng = RandomStream(0, (2,))
    starts = [int(cut(rng, RAMP, (64, 64), 64)[0, 0]) for _ in range(300)]
    assert min(starts) < 15 and max(starts) > 205


def test_backgrounds_are_textured_and_differ():
    rng = RandomStream(0, (3,))
    images = [paint_background(rng, (64, 48)) for _ in range(60)]
    assert all(image.shape == (48, 64, 3) and image.dtype == np.uint8 for image in images)
    assert len({image.tobytes() for image in images}) == 60
    assert np.median([image.std(axis=(0, 1)).mean() for image in images]) > 10
    means = np.array([image.mean(axis=(0, 1)) for image in images])
    assert means.std(axis=0).min() > 20  # no common colour


def test_small_heights_leave_room_for_wall_and_floor():
    rng = RandomStream(0, (4,))
    for _ in range(50):
        assert paint_background(rng, (40, 32)).shape == (32, 40, 3)


def test_the_bank_is_the_same_on_every_machine():
    arrays = (*background.surfaces(), *background.patterns(), background.grain())
    assert f'{zlib.crc32(b"".join(array.tobytes() for array in arrays)):08x}' == 'eed312fc'


def test_surfaces_use_the_grey_scale_and_differ():
    surfaces = background.surfaces()
    assert len({surface.tobytes() for surface in surfaces}) == len(surfaces) == 15
    for surface in surfaces:
        assert surface.shape == (background.SIDE, background.SIDE) and surface.dtype == np.uint8
        assert surface.std() > 6  # that of the film grain is 3.7
        assert not surface.flags.writeable


def test_smooth_noise_has_no_steps():
    cloud = background.surfaces()[0].astype(int)
    # five octaves, the finest of 8 pixels a cell: a step of a pixel changes little, over the edge too
    for axis in (0, 1):
        assert np.abs(cloud - np.roll(cloud, 1, axis)).max() < 40


def test_patterns_are_on_or_off_about_half_of_the_time():
    for pattern in background.patterns():
        assert set(np.unique(pattern).tolist()) == {0, PATTERN_BIT}
        assert 0.1 < (pattern > 0).mean() < 0.8


def test_grain_is_even():
    counts = np.bincount(background.grain().ravel(), minlength=13)
    assert len(counts) == 13 and counts.min() > 0.9 * counts.mean()
