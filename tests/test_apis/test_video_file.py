"""Frames of another size than their video's."""

import numpy as np
import pytest

from posestructs.apis.video_file import VideoFile, fitted


def test_a_picture_is_never_distorted():
    rows, columns = np.mgrid[:6, :8]
    picture = np.stack([30 * rows, 30 * columns, 0 * rows + 9], axis=2).astype(np.uint8)
    np.testing.assert_array_equal(fitted(picture, (8, 6)), picture)
    beside = fitted(picture, (11, 13))
    assert beside.shape == (13, 11, 3)
    np.testing.assert_array_equal(beside[:6, :8], picture)
    assert not beside[6:].any() and not beside[:, 8:].any()
    half = fitted(picture, (4, 10))  # as wide as it may be
    np.testing.assert_allclose(half[:3], picture.reshape(3, 2, 4, 2, 3).mean(axis=(1, 3)), atol=1)
    assert half.shape == (10, 4, 3) and not half[3:].any()


def test_a_place_where_none_can_be(tmp_path):
    with pytest.raises(ValueError, match='gone/a.mp4: OpenCV cannot write a video of 32 x 16 there'):
        VideoFile(tmp_path / 'gone/a.mp4', 10, (32, 16))
