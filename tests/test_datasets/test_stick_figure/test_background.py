"""Backgrounds, and the cutting of textures to size."""

import numpy as np
import pytest

from posestructs.datasets.stick_figure import textures
from posestructs.datasets.stick_figure.background import cut, paint_background
from posestructs.datasets.stick_figure.exact import RandomStream

RAMP = np.repeat(np.arange(textures.SIDE)[None], textures.SIDE, axis=0) // 2  # brighter to the right
RAMP = RAMP.astype(np.uint8)


def test_a_piece_of_its_own_size_is_a_view_of_the_texture():
    texture = np.arange(textures.SIDE**2, dtype=np.int64).reshape(textures.SIDE, -1)
    piece = cut(RandomStream(0, (0,)), texture, (30, 20), 30)
    row, column = divmod(int(piece[0, 0]), textures.SIDE)
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
