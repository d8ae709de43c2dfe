"""Files of results: their names, and that none is half of one."""

import json

import cv2
import numpy as np
import pytest

from posestructs.apis.image_sources import Source
from posestructs.apis.result_files import ResultFiles

PICTURE = np.full((16, 32, 3), (200, 100, 0), np.uint8)  # RGB
IMAGES = Source([], 2, 'folder')
VIDEO = Source([], 3, 'walk.avi', fps=5.0)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


def test_files_of_images(tmp_path):
    files = ResultFiles(IMAGES, str(tmp_path / 'v'), str(tmp_path / 'p'))
    assert files.wants_pictures
    for path in ('x/a.png', 'y/a.png', 'b.gif', 'https://example.org/c.jpg?size=4'):
        files.add(path, [dict(keypoints=[[1, 2]])], PICTURE)
    files.close()
    assert names(tmp_path / 'p') == ['a.json', 'a_1.json', 'b.json', 'c.json']
    assert names(tmp_path / 'v') == ['a.png', 'a_1.png', 'b.jpg', 'c.jpg']  # OpenCV writes no GIF
    assert json.loads((tmp_path / 'p/a.json').read_text()) == [dict(keypoints=[[1, 2]])]
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'v/a.png'))[..., ::-1], PICTURE)
    assert sorted(files.written) == sorted(path for path in tmp_path.rglob('*.*'))


def test_files_of_a_video(tmp_path):
    files = ResultFiles(VIDEO, str(tmp_path / 'v'), str(tmp_path / 'p'))
    for size in ((16, 32), (16, 32), (20, 40)):  # one that changes its size
        files.add('0.jpg', [], np.full((*size, 3), (200, 100, 0), np.uint8))
        assert names(tmp_path) == ['v/.walk.partial.mp4']
    files.close()
    files.close()  # twice does no harm
    assert names(tmp_path) == ['p/walk.json', 'v/walk.mp4']
    assert json.loads((tmp_path / 'p/walk.json').read_text()) == [dict(frame_id=i, instances=[]) for i in range(3)]
    capture = cv2.VideoCapture(str(tmp_path / 'v/walk.mp4'))
    frames = [capture.read()[1] for _ in range(3)]
    assert capture.get(cv2.CAP_PROP_FPS) == 5
    for frame in frames:
        assert frame.shape == (16, 32, 3) and np.abs(frame.mean(axis=(0, 1)) - (0, 100, 200)).max() < 12


def test_nothing_is_written_where_nothing_is_asked(tmp_path):
    files = ResultFiles(IMAGES)
    files.add('a.png', [], None)
    files.close()
    assert not files.wants_pictures and not files.written


def test_places_that_cannot_be(tmp_path):
    (tmp_path / 'file').write_text('')
    one = Source([], 1, 'a.png', single=True)
    for source, folders, message in (
        (IMAGES, (tmp_path / 'file', ''), 'vis_out_dir=.*file is a file, not a folder'),
        (IMAGES, ('', tmp_path / 'file/inner'), 'pred_out_dir=.*file is a file, not a folder'),
        (IMAGES, (tmp_path / 'one.png', ''), 'allowed for several images'),
        (one, (tmp_path / 'one.xyz', ''), r'ends with one of \.jpg'),
        (VIDEO, (tmp_path / 'one.png', ''), r'ends with one of \.mp4'),
    ):
        with pytest.raises(ValueError, match=message):
            ResultFiles(source, *map(str, folders))
    named = ResultFiles(one, str(tmp_path / 'one.png'))
    named.add('a.jpg', [], PICTURE)
    assert names(tmp_path) == ['file', 'one.png']
